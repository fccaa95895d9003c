// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Prints, as assertions, how the hypervisor's structures lie here; and by being
 * compiled checks that the machine's prototypes are those of prototypes.h.
 */
#include <stdio.h>

#include "../outside.h"
#include "prototypes.h"

#define SIZE(type)                                                            \
	printf("_Static_assert(sizeof(%s) == %zu, \"size of %s\");\n", #type, \
	       sizeof(type), #type)
#define OFFSET(type, field)                                                \
	printf("_Static_assert(offsetof(%s, %s) == %zu, \"%s of %s\");\n", \
	       #type, #field, offsetof(type, field), #field, #type)

#define VALUE(name) \
	printf("_Static_assert(%s == %d, \"%s\");\n", #name, (int)(name), #name)

int main(void)
{
	VALUE(DMA_BIDIRECTIONAL);
	VALUE(DMA_TO_DEVICE);
	VALUE(DMA_FROM_DEVICE);
	VALUE(DMA_NONE);
	SIZE(dma_addr_t);
	SIZE(struct gnttab_map_grant_ref);
	OFFSET(struct gnttab_map_grant_ref, host_addr);
	OFFSET(struct gnttab_map_grant_ref, flags);
	OFFSET(struct gnttab_map_grant_ref, ref);
	OFFSET(struct gnttab_map_grant_ref, dom);
	OFFSET(struct gnttab_map_grant_ref, status);
	OFFSET(struct gnttab_map_grant_ref, handle);
	OFFSET(struct gnttab_map_grant_ref, dev_bus_addr);
	SIZE(struct gnttab_unmap_grant_ref);
	OFFSET(struct gnttab_unmap_grant_ref, host_addr);
	OFFSET(struct gnttab_unmap_grant_ref, dev_bus_addr);
	OFFSET(struct gnttab_unmap_grant_ref, handle);
	OFFSET(struct gnttab_unmap_grant_ref, status);
	SIZE(struct gnttab_copy);
	OFFSET(struct gnttab_copy, source);
	OFFSET(struct gnttab_copy, dest);
	OFFSET(struct gnttab_copy, len);
	OFFSET(struct gnttab_copy, flags);
	OFFSET(struct gnttab_copy, status);
	SIZE(struct gnttab_copy_ptr);
	OFFSET(struct gnttab_copy_ptr, domid);
	OFFSET(struct gnttab_copy_ptr, offset);
	SIZE(grant_handle_t);
	SIZE(grant_ref_t);
	SIZE(domid_t);
	SIZE(evtchn_port_t);

	return 0;
}
