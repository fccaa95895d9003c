/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Where programs find what the machine serves. The server makes a tree of these in
 * the machine's directory, as the kernel and udev would at the root: folders, and
 * in them a socket for each file. So the kernel itself answers what is asked of
 * folders, permissions and times; and a socket cannot be opened by its name, so
 * that none is taken for a device by mistake.
 */
#ifndef MACHINE_PLACES_H
#define MACHINE_PLACES_H

/* In the machine's directory. */
#define PLACES_FOLDER "files"

/* X(path, enum served_file); the first path of a file is its name. */
#define SERVED_PATHS(X)                                                     \
	X("/dev/xen/gntdev", FILE_GNTDEV)                                   \
	X("/dev/xen/gntalloc", FILE_GNTALLOC)                               \
	X("/dev/xen/evtchn", FILE_EVTCHN)                                   \
	X("/dev/xen/privcmd", FILE_PRIVCMD)                                 \
	X("/dev/xen/xenbus", FILE_XENBUS)                                   \
	/* The last one that programs look for: real ones come first. */    \
	X("/dev/dri/card7", FILE_VGEM)                                      \
	X("/proc/xen/privcmd", FILE_PRIVCMD)                                \
	X("/proc/xen/xenbus", FILE_XENBUS)                                  \
	X("/proc/xen/capabilities", FILE_CAPABILITIES)                      \
	X("/proc/xen/xsd_port", FILE_XSD_PORT)                              \
	X("/proc/xen/xsd_kva", FILE_XSD_KVA)                                \
	X("/sys/hypervisor/type", FILE_HYPERVISOR_TYPE)                     \
	X("/sys/hypervisor/guest_type", FILE_GUEST_TYPE)                    \
	X("/sys/hypervisor/properties/features", FILE_FEATURES)             \
	X("/sys/module/xen_gntdev/parameters/limit", FILE_LIMIT)            \
	X("/sys/module/xen_gntdev/parameters/handles", FILE_HANDLES)        \
	X("/sys/module/xen_gntdev/version", FILE_VERSION)                   \
	X("/sys/module/xen_gntalloc/parameters/limit", FILE_GNTALLOC_LIMIT) \
	X("/sys/class/misc/xen!gntdev/mapped", FILE_MAPPED)                 \
	X("/sys/class/misc/xen!gntdev/deferred", FILE_DEFERRED)             \
	X("/sys/class/misc/xen!gntdev/kept", FILE_KEPT)                     \
	X("/sys/class/misc/xen!gntdev/departed", FILE_DEPARTED)             \
	X("/sys/class/misc/xen!gntdev/leaked", FILE_LEAKED)                 \
	X("/sys/class/misc/xen!gntdev/handles", FILE_HANDLES_USED)          \
	X("/sys/class/misc/xen!gntdev/grant_frames", FILE_FRAMES)           \
	X("/sys/class/misc/xen!gntdev/max_grant_frames", FILE_MAX_FRAMES)   \
	X("/proc/driver/xen-gntdev", FILE_HOLDINGS)                         \
	X("/dev/kmsg", FILE_KMSG)

#endif /* MACHINE_PLACES_H */
