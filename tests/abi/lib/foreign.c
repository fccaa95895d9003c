// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdlib.h>
#include <sys/mman.h>

#include "dmabuf.h"
#include "foreign.h"
#include "granter.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/*
 * Xen gives no write-combining pages to a PV domain without devices, and vgem
 * wants them: there a program that looks at them never gets on.
 */
static bool program_sees_vgem(void)
{
	return world.auto_translated || !world.domid;
}

/* The other side writes it, through an import that is but for that. */
static void fill_as_peer(int device, int fd, unsigned int pages)
{
	uint32_t *refs = calloc(pages, sizeof(*refs));
	uint8_t page[PAGE];
	int peer;

	EXPECT(dmabuf_import(device, fd, granter_domid(), refs, pages), 0);
	peer = must_map(refs, pages);
	for (unsigned int i = 0; i < pages; i++) {
		fill_page(page, i);
		granter_map_write(peer, i * PAGE, page, PAGE);
	}
	granter_unmap(peer);
	EXPECT(dmabuf_release(device, fd), 0);
	free(refs);
}

uint8_t *foreign_fill(int device, int fd, unsigned int pages)
{
	uint8_t *at;

	if (!program_sees_vgem()) {
		fill_as_peer(device, fd, pages);
		return NULL;
	}
	at = buffer_mmap(fd, pages, READ_WRITE);
	for (unsigned int i = 0; i < pages; i++)
		fill_page(at + i * PAGE, i);
	return at;
}

struct foreign foreign_some(unsigned int pages)
{
	struct foreign foreign = {.device = dev_open(), .pages = pages};

	foreign.fd = drm_export(drm_open(), pages);
	foreign.at = foreign_fill(foreign.device, foreign.fd, pages);
	return foreign;
}

struct foreign import_some(unsigned int pages)
{
	struct foreign foreign = foreign_some(pages);

	EXPECT(dmabuf_import(foreign.device, foreign.fd, granter_domid(),
			     foreign.refs, pages),
	       0);
	return foreign;
}
