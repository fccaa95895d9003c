// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whether a grant is in use is in the hypervisor's books. It refuses to exchange
 * two entries of a grant table as long as one of them is in use: exchanging an
 * entry with an empty one, and back, so tells it, and leaves all as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypercall.h"

/* Numbers of the hypervisor's public interface. */
#define HYPERVISOR_GRANT_TABLE_OP 20
#define GNTTABOP_SWAP_GRANT_REF 11
#define GNTST_EAGAIN (-12)

struct swap {
	uint32_t one;
	uint32_t other;
	int16_t status;
};

/* What /dev/xen/privcmd takes: request 'P' 0. */
struct privcmd_hypercall {
	__u64 op;
	__u64 arg[5];
};
#define PRIVCMD_HYPERCALL \
	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

/*
 * The hypervisor reads its arguments where they are: they must not be paged
 * out meanwhile.
 */
static struct swap *arguments(void)
{
	static struct swap *page;

	if (page)
		return page;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED) {
		page = NULL;
		return NULL;
	}
	mlock(page, 4096);
	return page;
}

int hypercall_swap(uint32_t one, uint32_t other, int back)
{
	static int privcmd = -1;
	struct privcmd_hypercall call = {.op = HYPERVISOR_GRANT_TABLE_OP};
	struct swap *swaps = arguments();

	if (!swaps)
		return -ENOMEM;
	if (privcmd < 0)
		privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (privcmd < 0)
		return -errno;

	/* Also makes a page of our own of one shared since fork(). */
	memset(swaps, 0, 2 * sizeof(*swaps));
	swaps[0] = (struct swap){.one = one, .other = other};
	swaps[1] = swaps[0];
	call.arg[0] = GNTTABOP_SWAP_GRANT_REF;
	call.arg[1] = (uintptr_t)swaps;
	call.arg[2] = back ? 2 : 1;
	if (ioctl(privcmd, PRIVCMD_HYPERCALL, &call) < 0)
		return -errno;
	if (swaps[0].status == GNTST_EAGAIN)
		return -EBUSY;
	return swaps[0].status || (back && swaps[1].status) ? -EIO : 0;
}
