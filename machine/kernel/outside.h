/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Everything that the driver's files know of the world outside them, when that
 * world is the machine. README.md lists what is modelled, and what is not. A
 * call that the driver makes and that is not here does not compile; one that
 * asks a model for what it does not do ends the process and names it.
 */
#ifndef GNTDEV_OUTSIDE_H
#define GNTDEV_OUTSIDE_H

#include "alloc.h"
#include "base.h"
#include "constants.h"
#include "descriptors.h"
#include "dma.h"
#include "dmabuf.h"
#include "files.h"
#include "../base/lists.h"
#include "../base/locks.h"
#include "pages.h"
#include "refs.h"
#include "shrink.h"
#include "suspend.h"
#include "user.h"
#include "vm.h"
#include "vmap.h"
#include "waiting.h"
#include "xen_calls.h"

#include "../../include/gntdev_version.h"
#include "../../include/xen/gntdev.h"
#include "../../include/xen/gntdev_more.h"

/* The models are those of kernel 6.1, as compat/outside.h takes them there. */
#define map_phys map_page
#define unmap_phys unmap_page
static inline dma_addr_t
identity_map_phys(struct device *dev, struct page *page, unsigned long offset,
		  size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	return page_to_phys(page) + offset;
}

#endif /* GNTDEV_OUTSIDE_H */
