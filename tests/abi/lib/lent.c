// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "dev.h"
#include "granter.h"
#include "lent.h"
#include "process.h"
#include "tap.h"
#include "util.h"

int grant_memory(int fd, const void *at, unsigned int pages, unsigned int flags,
		 uint64_t *index, uint32_t *refs)
{
	char room[sizeof(struct ioctl_gntdev_grant_memory) + LENT_MOST * 4];
	struct ioctl_gntdev_grant_memory *op = (void *)room;
	int err;

	memset(room, 0xee, sizeof(room));
	op->addr = (uintptr_t)at;
	op->count = pages;
	op->domid = granter_domid();
	op->flags = flags;
	err = ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, op) ? -errno : 0;
	if (!err && index)
		*index = op->index;
	if (!err && refs)
		memcpy(refs, op->refs, pages * sizeof(refs[0]));

	return err;
}

int ungrant_memory(int fd, uint64_t index, unsigned int pages)
{
	struct ioctl_gntdev_ungrant_memory op = {index, pages, 0};

	return ioctl(fd, IOCTL_GNTDEV_UNGRANT_MEMORY, &op) ? -errno : 0;
}

struct lent lend(int fd, void *at, unsigned int pages, unsigned int flags)
{
	struct lent lent = {at, pages, 0, {0}};

	for (unsigned int i = 0; i < pages; i++)
		fill_page(lent.at + i * PAGE, i);
	EXPECT(grant_memory(fd, at, pages, flags, &lent.index, lent.refs), 0);
	return lent;
}

void *anonymous(unsigned int pages)
{
	void *at = mmap(NULL, pages * PAGE, READ_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED, "mmap: %s", error_name(errno));
	return at;
}

void check_shared(const struct lent *lent)
{
	int map = granter_map(lent->refs, lent->pages);
	uint8_t page[PAGE], byte = 0x5a;

	CHECK(map >= 0, "the other side's map: %s", error_name(-map));
	for (unsigned int i = 0; i < lent->pages; i++) {
		granter_map_read(map, i * PAGE, page, PAGE);
		check_page(page, i);
		granter_map_write(map, i * PAGE + 9, &byte, 1);
		EQUAL(lent->at[i * PAGE + 9], 0x5a);
		fill_page(lent->at + i * PAGE, i);
	}
	granter_unmap(map);
}

void check_gone(const struct lent *lent)
{
	int map = -1;

	for (int i = 0; i < 100; i++) {
		map = granter_map(lent->refs, lent->pages);
		if (map < 0)
			return;
		granter_unmap(map);
		sleep_ms(20);
	}
	CHECK(map < 0, "it is still granted");
}
