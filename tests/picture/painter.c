// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * In a guest: draws a picture into pages that it grants to dom0, and another one
 * when it is asked to. One TAP point: whether dom0 was happy with them.
 */
#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/types.h>
#include <xen/gntalloc.h>

#include "meeting.h"
#include "util.h"
#include "xenstore.h"

#define PATIENCE_MS 120000

/* Pages of ours that domain 0 may map, and what they are called. */
static void *grant(uint32_t count, uint32_t *refs)
{
	union {
		struct ioctl_gntalloc_alloc_gref op;
		char room[sizeof(struct ioctl_gntalloc_alloc_gref) +
			  PAGES * sizeof(uint32_t)];
	} alloc = {.op = {.flags = GNTALLOC_FLAG_WRITABLE, .count = count}};
	int fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0 || ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &alloc) < 0)
		err(1, "granting %u pages to domain 0", count);
	at = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, (off_t)alloc.op.index);
	if (at == MAP_FAILED)
		err(1, "mapping %u granted pages", count);
	for (uint32_t i = 0; i < count; i++)
		refs[i] = alloc.op.gref_ids[i];
	return at;
}

static void draw(uint32_t *pixels, uint32_t number)
{
	for (unsigned int y = 0; y < HEIGHT; y++)
		for (unsigned int x = 0; x < WIDTH; x++)
			*pixels++ = picture_pixel(number, x, y);
}

int main(void)
{
	long long limit = milliseconds() + PATIENCE_MS;
	struct meeting *meeting;
	uint32_t ref, *pixels;
	char name[16];
	int error;

	meeting = grant(1, &ref);
	pixels = grant(PAGES, meeting->refs);
	put(&meeting->wanted, 1);
	snprintf(name, sizeof(name), "%u", ref);
	error = xenstore_write(MEETING_NODE, name);
	if (error)
		errx(1, "xenstore: " MEETING_NODE ": %s", error_name(error));

	while (get(&meeting->ended) == UNDECIDED && milliseconds() < limit) {
		uint32_t wanted = get(&meeting->wanted);

		if (wanted != meeting->drawn) {
			draw(pixels, wanted);
			put(&meeting->drawn, wanted);
		}
		sleep_ms(20);
	}
	if (get(&meeting->ended) == UNDECIDED)
		printf("# domain 0 has said nothing for %d s\n",
		       PATIENCE_MS / 1000);
	printf("%sok 1 - dom0 shows a guest's pages as a dma-buf, and gives them back\n",
	       get(&meeting->ended) == WELL ? "" : "not ");
	return get(&meeting->ended) != WELL;
}
