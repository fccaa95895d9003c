/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * /dev/gntdev-floor: what a program asks the module in kernel/ for. It calls the
 * hypervisor with prepared operations, and nothing else, while a meter runs: a
 * clock, or a count of hypercalls.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct floor_map {
	__u32 count;
	__u32 pad;
	__u64 refs; /* __u32 refs[count], granted by this domain */
	__u64 addr; /* of count pages that are mapped from the device */
	__u64 map; /* out: what the meter said of each hypercall */
	__u64 unmap;
};

struct floor_copy {
	__u32 count;
	__u32 bytes; /* of each operation, whose local sides are neighbours */
	__u32 to_grant; /* else from it */
	__u32 pad;
	__u64 refs; /* __u32 refs[count] */
	__u64 copy; /* out */
};

#define FLOOR_MAP _IOC(_IOC_READ | _IOC_WRITE, 'F', 0, sizeof(struct floor_map))
#define FLOOR_COPY \
	_IOC(_IOC_READ | _IOC_WRITE, 'F', 1, sizeof(struct floor_copy))
/* From now on hypercalls are counted; the meter is their number. */
#define FLOOR_COUNT _IOC(_IOC_NONE, 'F', 2, 0)
/* The number until now, of the calling kernel. */
#define FLOOR_CALLS _IOC(_IOC_READ, 'F', 3, sizeof(__u64))
/* Does nothing. */
#define FLOOR_NOTHING _IOC(_IOC_NONE, 'F', 4, 0)
/*
 * One mapping of each page, of the program's in a PV domain: everything made ready;
 * then FLOOR_CALL is the hypercall that maps, and nothing else, FLOOR_TURN makes
 * ready for the one that unmaps, FLOOR_CALL is that, and FLOOR_DROP ends it.
 */
#define FLOOR_READY \
	_IOC(_IOC_READ | _IOC_WRITE, 'F', 5, sizeof(struct floor_map))
#define FLOOR_CALL _IOC(_IOC_NONE, 'F', 6, 0)
#define FLOOR_TURN _IOC(_IOC_NONE, 'F', 7, 0)
#define FLOOR_DROP _IOC(_IOC_NONE, 'F', 8, 0)

#endif /* FLOOR_H */
