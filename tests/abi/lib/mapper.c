// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The granter as the other side: it maps what the domain of the tests granted
 * to it, through its own /dev/xen/gntdev.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/gntdev.h>

#include "wire.h"

#define PAGE 4096u
#define MAX_MAPS 64u

/* An open device each, or a dma-buf; fd is 0 where none is. */
static struct map {
	int fd;
	unsigned int pages;
	uint8_t *at;
} maps[MAX_MAPS];

static int insert(int fd, unsigned int domid, const uint32_t *refs,
		  unsigned int count)
{
	struct ioctl_gntdev_map_grant_ref *op;
	int error = 0;

	op = calloc(1, sizeof(*op) + count * sizeof(op->refs[0]));
	if (!op)
		return -ENOMEM;
	op->count = count;
	for (unsigned int i = 0; i < count; i++) {
		op->refs[i].domid = domid;
		op->refs[i].ref = refs[i];
	}
	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, op))
		error = -errno;
	free(op);
	return error;
}

/* Turns the device into one with a range at 0; the file, or -errno. */
static int range(int fd, unsigned int domid, const uint32_t *refs,
		 unsigned int count)
{
	int error = insert(fd, domid, refs, count);

	if (!error)
		return fd;
	close(fd);
	return error;
}

/* A dma-buf, of which nothing but its descriptor is left; or -errno. */
static int export(int fd, unsigned int domid, const uint32_t *refs,
		  unsigned int count)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op;
	int result = -ENOMEM;

	op = calloc(1, sizeof(*op) + count * sizeof(*refs));
	if (op) {
		op->count = count;
		op->domid = domid;
		memcpy(op->refs, refs, count * sizeof(*refs));
		result = ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op)
				 ? -errno
				 : (int)op->fd;
		free(op);
	}
	close(fd);
	return result;
}

static int make(struct map *map, const struct wire *wire, unsigned int count)
{
	int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	fd = (wire->op == WIRE_EXPORT ? export : range)(fd, wire->args[0],
							wire->refs, count);
	if (fd < 0)
		return fd;
	map->at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);
	if (map->at == MAP_FAILED) {
		error = -errno;
		close(fd);
		return error;
	}
	map->fd = fd;
	map->pages = count;
	return 0;
}

static void end(struct map *map)
{
	munmap(map->at, map->pages * PAGE);
	close(map->fd);
	map->fd = 0;
}

static void serve_map(struct wire *wire)
{
	unsigned int i = 0;

	while (i < MAX_MAPS && maps[i].fd)
		i++;
	if (i == MAX_MAPS) {
		wire->error = -ENFILE;
		return;
	}
	wire->error = make(&maps[i], wire, wire->length / sizeof(uint32_t));
	wire->value = i;
	wire->length = 0;
}

static void serve_access(struct wire *wire, struct map *map)
{
	uint32_t offset = wire->args[1];
	uint32_t length = wire->length;

	if (wire->op == WIRE_MAP_READ)
		length = wire->args[2];
	if (length > WIRE_DATA || offset > map->pages * PAGE - length) {
		wire->error = -EINVAL;
		return;
	}
	if (wire->op == WIRE_MAP_READ) {
		memcpy(wire->data, map->at + offset, length);
		wire->length = length;
	} else {
		memcpy(map->at + offset, wire->data, length);
		wire->length = 0;
	}
}

void mapper_serve(struct wire *wire)
{
	struct map *map = &maps[wire->args[0] % MAX_MAPS];

	if (wire->op == WIRE_MAP || wire->op == WIRE_EXPORT) {
		serve_map(wire);
	} else if (!map->fd) {
		wire->error = -ENOENT;
	} else if (wire->op == WIRE_UNMAP) {
		end(map);
	} else {
		serve_access(wire, map);
	}
}

void mapper_finish(void)
{
	for (unsigned int i = 0; i < MAX_MAPS; i++) {
		if (maps[i].fd)
			end(&maps[i]);
	}
}
