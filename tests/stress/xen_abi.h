/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The headers of Xen's devices, with what they expect to be defined before. */
#ifndef STRESS_XEN_ABI_H
#define STRESS_XEN_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

typedef uint16_t domid_t;

#include <xen/evtchn.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

/* Flags of a copy segment, where the device's header leaves them to Xen's. */
#ifndef GNTCOPY_source_gref
#define GNTCOPY_source_gref (1 << 0)
#define GNTCOPY_dest_gref (1 << 1)
#endif

#endif
