// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * behave [NAME]: what a program finds on a machine, in one domain, as TAP. Each
 * behaviour is shown by a process of its own.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#include "behave.h"

int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags);

	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

uint8_t *pair_map(struct pair *pair, uint64_t *index, int prot)
{
	/* Signal handlers call this, too: nothing is allocated. */
	_Alignas(8) char request[sizeof(struct ioctl_gntdev_map_grant_ref) +
				 sizeof(struct ioctl_gntdev_grant_ref) *
					 MOST_PAGES] = "";
	struct ioctl_gntdev_map_grant_ref *map = (void *)request;
	struct ioctl_gntdev_grant_ref *refs = map->refs;
	uint8_t *at;

	map->count = pair->pages;
	for (unsigned int i = 0; i < pair->pages; i++)
		refs[i].ref = pair->refs[i];
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_MAP_GRANT_REF, map),
	      "MAP_GRANT_REF: %s", strerror(errno));
	*index = map->index;
	at = mmap(NULL, pair->pages * PAGE, prot, MAP_SHARED, pair->dev,
		  *index);
	CHECK(at != MAP_FAILED, "mmap: %s", strerror(errno));
	return at;
}

struct pair pair_make(unsigned int pages)
{
	_Alignas(8) char request[sizeof(struct ioctl_gntalloc_alloc_gref) +
				 sizeof(uint32_t) * MOST_PAGES] = "";
	struct ioctl_gntalloc_alloc_gref *alloc = (void *)request;
	struct pair pair = {.pages = pages};

	pair.alloc = open_or_die("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	pair.dev = open_or_die("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	alloc->flags = GNTALLOC_FLAG_WRITABLE;
	alloc->count = pages;
	CHECK(!ioctl(pair.alloc, IOCTL_GNTALLOC_ALLOC_GREF, alloc),
	      "ALLOC_GREF: %s", strerror(errno));
	memcpy(pair.refs, (char *)alloc->gref_ids, pages * sizeof(uint32_t));
	pair.alloc_index = alloc->index;
	pair.granted = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED, pair.alloc, pair.alloc_index);
	CHECK(pair.granted != MAP_FAILED, "mmap: %s", strerror(errno));
	for (unsigned int i = 0; i < pages; i++)
		pair.granted[i * PAGE] = i + 1;
	pair.mapped = pair_map(&pair, &pair.index, PROT_READ | PROT_WRITE);
	return pair;
}

void pair_end(struct pair *pair)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = {
		.index = pair->index,
		.count = pair->pages,
	};
	struct ioctl_gntalloc_dealloc_gref dealloc = {
		.index = pair->alloc_index,
		.count = pair->pages,
	};

	CHECK(!munmap(pair->mapped, pair->pages * PAGE), "munmap: %s",
	      strerror(errno));
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap),
	      "UNMAP_GRANT_REF: %s", strerror(errno));
	munmap(pair->granted, pair->pages * PAGE);
	CHECK(!ioctl(pair->alloc, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc),
	      "DEALLOC_GREF: %s", strerror(errno));
	close(pair->dev);
	close(pair->alloc);
}

/* From the hypervisor's public headers, and privcmd's. */
#define GRANT_TABLE_OP 20
#define SWAP_GRANT_REF 11
#define GNTST_EAGAIN (-12)
#define EMPTY_REF 5

bool is_busy(uint32_t ref)
{
	struct {
		uint32_t one, other;
		int16_t status;
	} swaps[2] = {{ref, EMPTY_REF, 0}, {ref, EMPTY_REF, 0}};
	struct {
		__u64 op;
		__u64 arg[5];
	} call = {GRANT_TABLE_OP, {SWAP_GRANT_REF, (uintptr_t)swaps, 2, 0, 0}};
	int fd = open_or_die("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	int error = ioctl(fd, _IOC(_IOC_NONE, 'P', 0, sizeof(call)), &call);

	CHECK(!error, "privcmd: %s", strerror(errno));
	close(fd);
	return swaps[0].status == GNTST_EAGAIN;
}

void must_pass(int child)
{
	int status;

	CHECK(child > 0, "fork: %s", strerror(errno));
	CHECK(waitpid(child, &status, 0) == child, "waitpid: %s",
	      strerror(errno));
	CHECK(!status, "the child ended with status %#x", status);
}

static sigjmp_buf after_fault;

static void on_fault(int number)
{
	siglongjmp(after_fault, number);
}

int read_signal(const volatile uint8_t *at)
{
	int number;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	number = sigsetjmp(after_fault, 1);
	if (!number)
		(void)*at;
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return number;
}

int main(int argc, char **argv)
{
	const struct behaviour *const all[] = {
		descriptor_behaviours, buffer_behaviours,
		process_behaviours,    memory_behaviours,
		copy_behaviours,       path_behaviours,
		hole_behaviours,       shortage_behaviours,
		guest_behaviours,      NULL,
	};

	(void)argc;
	return show_all(all, argv[1], 20);
}
