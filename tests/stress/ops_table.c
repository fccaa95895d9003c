// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Operations on the table of an instance, and on its descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stress.h"

bool op_map(struct ctx *c)
{
	return range_new(c) != NULL;
}

bool op_unmap(struct ctx *c)
{
	struct range *r = range_want(c, WANT_INSERTED);

	return r && range_remove(c, r);
}

bool op_unmap_busy(struct ctx *c)
{
	struct range *r = range_want(c, WANT_MAPPED);

	if (!r || r->instance == NO_INSTANCE)
		return false;
	if (!EXPECT(c,
		    device_unmap(c, c->instance[r->instance].fd, r->index,
				 r->count),
		    "UNMAP_GRANT_REF while mapped", EBUSY))
		return false;
	return range_check(c, r);
}

/* An index and a count that are near to a range's and are no range's. */
static void near_miss(struct ctx *c, struct range *r, u64 *index, u32 *count)
{
	struct instance *in = &c->instance[r->instance];
	u32 dice = rnd(c, 8), i = rnd(c, STALE);

	*index = r->index;
	*count = r->count;
	switch (dice) {
	case 0:
		*count = r->count + 1;
		break;
	case 1:
		*count = r->count - 1;
		break;
	case 2:
		*index += PAGE;
		break;
	case 3:
		*index += PAGE;
		*count = r->count - 1;
		break;
	case 4:
		*index += 1ull << (32 + rnd(c, 28));
		break;
	case 5:
		*count = ~0u - rnd(c, 3);
		break;
	case 6:
		*index = ~0ull - rnd(c, 2 * PAGE);
		break;
	default:
		if (in->stale[i].count) {
			*index = in->stale[i].index;
			*count = in->stale[i].count;
		} else {
			*count = 0;
		}
	}
}

bool op_unmap_wrong(struct ctx *c)
{
	struct range *r = range_want(c, WANT_INSERTED);
	u64 index;
	u32 count;

	if (!r)
		return false;
	near_miss(c, r, &index, &count);
	if (table_has(c, r->instance, index, count))
		return false;
	return EXPECT(c,
		      device_unmap(c, c->instance[r->instance].fd, index,
				   count),
		      "UNMAP_GRANT_REF of no range", ENOENT);
}

/* The table refuses what the maximum does not allow, and stays as it is. */
static bool over_max(struct ctx *c, struct instance *in)
{
	u32 refs[RANGE_PAGES], count = in->max + 1, i;
	int want = EINVAL;
	u64 index;

	if (in->in_table && in->in_table <= in->max && chance(c, 50)) {
		count = in->max - in->in_table + 1;
		want = ENOMEM;
	}
	if (count > RANGE_PAGES)
		return true;
	for (i = 0; i < count; i++)
		refs[i] = shm->ref[rnd(c, COMMON_PAGES)];
	return EXPECT(c, device_map(c, in->fd, count, refs, &index),
		      want == EINVAL ? "MAP of more than the maximum"
				     : "MAP into a full table",
		      want);
}

bool op_set_max(struct ctx *c)
{
	static const u32 some[] = {1, 2, 8, 40, 200};
	struct instance *in = &c->instance[rnd(c, INSTANCES)];
	u32 max = some[rnd(c, 5)];

	if (chance(c, 20))
		return EXPECT(c, device_set_max(c, in->fd, 0),
			      "SET_MAX_GRANTS 0", EINVAL);
	if (chance(c, 20) && in->in_table)
		max = in->in_table;
	if (!EXPECT(c, device_set_max(c, in->fd, max), "SET_MAX_GRANTS", 0))
		return false;
	in->max = max;
	if (!over_max(c, in))
		return false;
	if (chance(c, 30))
		return true;
	in->max = shm->limit;
	return EXPECT(c, device_set_max(c, in->fd, in->max), "SET_MAX_GRANTS",
		      0);
}

bool op_close_mapped(struct ctx *c)
{
	u32 n = rnd(c, INSTANCES);
	struct range *r = range_want(c, WANT_MAPPED);

	if (!r)
		return false;
	if (r->instance != NO_INSTANCE)
		n = r->instance;
	instance_close(c, n);
	if (!c->trouble && r->live && r->prot)
		range_check(c, r);
	return !c->trouble && instance_open(c, n);
}

bool op_dup(struct ctx *c)
{
	struct instance *in = &c->instance[rnd(c, INSTANCES)];
	int fd = fcntl(in->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return false;
	if (chance(c, 50)) {
		close(fd);
		return true;
	}
	close(in->fd);
	in->fd = fd;
	return true;
}

static bool send_fd(int to, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(to, &msg, 0) == 1;
}

static int receive_fd(int from)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header;
	int fd;
	ssize_t n;

	do {
		n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	header = CMSG_FIRSTHDR(&msg);
	if (n != 1 || !header || header->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* For a moment the instance is held by a message in a socket alone. */
bool op_pass_fd(struct ctx *c)
{
	u32 n = rnd(c, INSTANCES);
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	if (!send_fd(pair[0], c->instance[n].fd)) {
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	if (chance(c, 20)) {
		/* Lost with the socket: as good as closed. */
		close(pair[0]);
		close(pair[1]);
		instance_close(c, n);
		return !c->trouble && instance_open(c, n);
	}
	close(c->instance[n].fd);
	fd = receive_fd(pair[1]);
	close(pair[0]);
	close(pair[1]);
	c->instance[n].fd = fd;
	if (fd < 0)
		finding(c, FOUND_CONTRACT, "a passed descriptor got lost");
	return fd >= 0;
}

/* Thousands of grants in one range: long tear-downs, large allocations. */
static bool bulk(struct ctx *c, int fd, u32 count, u32 *refs)
{
	u8 *addr, tag[16];
	u64 index, want[2];
	u32 i, page;
	long rc;

	for (i = 0; i < count; i++)
		refs[i] = shm->ref[i % COMMON_PAGES];
	rc = device_map(c, fd, count, refs, &index);
	if (!EXPECT(c, rc, "MAP of thousands", 0, ENOMEM) || rc)
		return false;
	rc = device_mmap(&addr, NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, index);
	if (!EXPECT(c, rc, "mmap of thousands", 0, ENOMEM) || rc)
		return false;
	for (i = 0; i < 16; i++) {
		page = rnd(c, count);
		want[0] = TAG_MAGIC ^ shm->seed;
		want[1] = page % COMMON_PAGES;
		if (!safe_read(c, tag, addr + (size_t)page * PAGE, 16) ||
		    memcmp(tag, want, 16))
			finding(c, FOUND_DATA,
				"page %u of %u shows no or another page's tag",
				page, count);
	}
	if (chance(c, 30))
		return EXPECT(c, device_munmap(addr, count),
			      "munmap of thousands", 0);
	return EXPECT(c, device_munmap(addr, count), "munmap of thousands",
		      0) &&
	       EXPECT(c, unmap_patiently(c, fd, index, count),
		      "UNMAP_GRANT_REF of thousands", 0);
}

bool op_bulk(struct ctx *c)
{
	u32 count = 300 + rnd(c, 1700), *refs;
	long fd = device_open();
	bool ok = false;

	if (!EXPECT(c, fd < 0 ? fd : 0, "open", 0))
		return false;
	refs = malloc(count * sizeof(*refs));
	if (refs)
		ok = bulk(c, (int)fd, count, refs);
	free(refs);
	close((int)fd);
	return ok && !c->trouble;
}

/* Many ranges at once, removed in an order that has nothing to do with it. */
bool op_many(struct ctx *c)
{
	enum {
		MANY = 96
	};
	u64 index[MANY], swap;
	long fd = device_open(), rc;
	u32 n, i, j;

	if (!EXPECT(c, fd < 0 ? fd : 0, "open", 0))
		return false;
	for (n = 0; n < MANY && !c->trouble; n++) {
		rc = device_map(c, (int)fd, 1, &shm->ref[n % COMMON_PAGES],
				&index[n]);
		if (!EXPECT(c, rc, "MAP of one of many", 0, ENOMEM) || rc)
			break;
		for (i = 0; i < n; i++)
			if (index[i] == index[n])
				finding(c, FOUND_CONTRACT,
					"MAP gave index 0x%llx twice",
					(unsigned long long)index[n]);
	}
	for (i = n; i-- > 0 && !c->trouble;) {
		j = rnd(c, i + 1);
		swap = index[j];
		index[j] = index[i];
		if (chance(c, 90))
			EXPECT(c, device_unmap(c, (int)fd, swap, 1),
			       "UNMAP_GRANT_REF of one of many", 0);
	}
	close((int)fd);
	return !c->trouble;
}
