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
#define GNTTABOP_MAP_GRANT_REF 0
#define GNTTABOP_UNMAP_GRANT_REF 1
#define GNTTABOP_SWAP_GRANT_REF 11
#define GNTMAP_DEVICE_MAP 1u
#define GNTMAP_READONLY 4u
#define GNTST_EAGAIN (-12)

struct swap {
	uint32_t one;
	uint32_t other;
	int16_t status;
};

struct map {
	uint64_t address;
	uint32_t flags;
	uint32_t ref;
	uint16_t domid;
	int16_t status;
	uint32_t handle;
	uint64_t bus_address;
};

struct unmap {
	uint64_t address;
	uint64_t bus_address;
	uint32_t handle;
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
static void *arguments(void)
{
	static void *page;

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

/* @count operations of @size bytes each, which lie in arguments(). */
static int grant_table_op(unsigned int op, unsigned int count)
{
	static int privcmd = -1;
	struct privcmd_hypercall call = {.op = HYPERVISOR_GRANT_TABLE_OP};

	if (privcmd < 0)
		privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (privcmd < 0)
		return -errno;

	call.arg[0] = op;
	call.arg[1] = (uintptr_t)arguments();
	call.arg[2] = count;
	return ioctl(privcmd, PRIVCMD_HYPERCALL, &call) < 0 ? -errno : 0;
}

int hypercall_swap(uint32_t one, uint32_t other, int back)
{
	struct swap *swaps = arguments();
	int error;

	if (!swaps)
		return -ENOMEM;

	/* Also makes a page of our own of one shared since fork(). */
	memset(swaps, 0, 2 * sizeof(*swaps));
	swaps[0] = (struct swap){.one = one, .other = other};
	swaps[1] = swaps[0];
	error = grant_table_op(GNTTABOP_SWAP_GRANT_REF, back ? 2 : 1);
	if (error)
		return error;
	if (swaps[0].status == GNTST_EAGAIN)
		return -EBUSY;
	return swaps[0].status || (back && swaps[1].status) ? -EIO : 0;
}

int hypercall_map(unsigned int domid, uint32_t ref, unsigned int count,
		  struct device_mapping *made)
{
	struct map *maps = arguments();
	unsigned int done;
	int error;

	if (!maps)
		return -ENOMEM;
	memset(maps, 0, 4096);
	for (unsigned int i = 0; i < count; i++)
		maps[i] = (struct map){
			.flags = GNTMAP_DEVICE_MAP | GNTMAP_READONLY,
			.ref = ref,
			.domid = (uint16_t)domid,
			.status = 1,
		};
	error = grant_table_op(GNTTABOP_MAP_GRANT_REF, count);
	if (error)
		return error;
	for (done = 0; done < count && !maps[done].status; done++)
		made[done] = (struct device_mapping){maps[done].handle,
						     maps[done].bus_address};

	return (int)done;
}

int hypercall_unmap(const struct device_mapping *made, unsigned int count)
{
	struct unmap *unmaps = arguments();
	int error;

	if (!unmaps)
		return -ENOMEM;
	memset(unmaps, 0, 4096);
	for (unsigned int i = 0; i < count; i++)
		unmaps[i] = (struct unmap){
			.bus_address = made[i].bus_address,
			.handle = made[i].handle,
			.status = 1,
		};
	error = grant_table_op(GNTTABOP_UNMAP_GRANT_REF, count);
	for (unsigned int i = 0; i < count && !error; i++)
		error = unmaps[i].status ? -EIO : 0;

	return error;
}
