// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Own memory granted and taken back; restrictions; statuses. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "../../include/xen/gntdev_more.h"
#include "fuzz.h"

#define PAGES 6

/* A memfd's, for all sequences; the last page is not there. */
static unsigned char *memory(void)
{
	static unsigned char *at;
	int fd;

	if (at)
		return at;
	fd = memfd_create("fuzz", 0);
	EXPECT(fd >= 0 && !ftruncate(fd, PAGES * PAGE));
	at = mmap(NULL, (PAGES + 1) * PAGE, RW, MAP_SHARED, fd, 0);
	EXPECT(at != MAP_FAILED);
	munmap(at + PAGES * PAGE, PAGE);

	return at;
}

static void lend(void)
{
	struct ioctl_gntdev_grant_memory *op = (void *)buffer;
	unsigned int odd = byte();
	struct lent *l = &f.lent[below(LENT)];

	memset(op, 0, 256);
	l->file = below(FILES);
	op->addr = (uintptr_t)memory() + below(PAGES) * PAGE;
	op->count = below(IMPORTED + 1);
	op->domid = odd == 9 ? 0x8000 : 1;
	op->flags = odd == 8 ? odd : odd & 1;
	/* A grant, or gntalloc's page; or no page's address. */
	if (odd == 7)
		op->addr = AT(below(SLOTS));
	if (odd == 6)
		op->addr += 8;
	/* At the end of what can be written: it cannot be told. */
	if (odd == 5)
		op = memcpy(buffer + BUFFER - 24, op, 24);
	if (request(some_task(NULL), f.files[l->file],
		    IOCTL_GNTDEV_GRANT_MEMORY, op))
		return;
	EXPECT(op->count && odd != 9 && odd != 8 && odd != 6);
	l->index = op->index;
	l->count = op->count;
	/* The other side may map them. */
	memcpy(f.imported, op->refs, op->count * sizeof(uint32_t));
}

static void unlend(void)
{
	struct ioctl_gntdev_ungrant_memory *op = (void *)buffer;
	const struct lent *l = &f.lent[below(LENT)];
	unsigned int odd = byte();

	op->index = l->index + (odd == 9 ? PAGE : 0);
	op->count = l->count + (odd == 8);
	op->reserved = odd == 7;
	request(some_task(NULL), f.files[l->file], IOCTL_GNTDEV_UNGRANT_MEMORY,
		op);
}

/* Of lent memory. */
static void arm(void)
{
	struct ioctl_gntdev_unmap_notify *op = (void *)buffer;
	const struct lent *l = &f.lent[below(LENT)];

	op->index = l->index + below(IMPORTED) * PAGE + byte();
	op->action = below(4);
	op->event_channel_port = f.port;
	request(some_task(NULL), f.files[l->file],
		IOCTL_GNTDEV_SET_UNMAP_NOTIFY, op);
}

void op_lend(void)
{
	unsigned int how = below(4);

	if (how < 2)
		lend();
	else if (how == 2)
		unlend();
	else
		arm();
}

/* A restricted instance is of little use to what follows, so seldom. */
void op_restrict_or_tell(void)
{
	struct ioctl_gntdev_restrict *restriction = (void *)buffer;
	struct ioctl_gntdev_map_status *status = (void *)buffer;
	const struct range *r = &f.ranges[below(8)];
	unsigned int how = byte();
	int16_t *told = (void *)(buffer + PAGE);

	if (how < 16) {
		restriction->domid = how == 9 ? 2 : 1;
		restriction->flags = how == 8;
		request(some_task(NULL), f.files[below(FILES)],
			IOCTL_GNTDEV_RESTRICT, restriction);
		return;
	}
	status->index = r->index;
	status->statuses = (uintptr_t)told;
	status->first = below(4);
	status->count = below(9);
	if (how == 17)
		status->statuses = (uintptr_t)(buffer + BUFFER - 2);
	if (!request(some_task(NULL), f.files[r->file], IOCTL_GNTDEV_MAP_STATUS,
		     status))
		EXPECT(how == 17 || told[0] <= 1);
}
