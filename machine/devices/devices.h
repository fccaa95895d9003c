/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The devices beside the driver's: models of /dev/xen/gntalloc, with which a
 * program grants pages, of /dev/xen/evtchn, of some of /dev/xen/privcmd, and
 * of a device that has dma-bufs and knows nothing of Xen.
 */
#ifndef MACHINE_DEVICES_H
#define MACHINE_DEVICES_H

#include "../kernel/files.h"

extern const struct device_kind gntalloc_device, evtchn_device, privcmd_device;
extern const struct device_kind vgem_device;

/* Programs can open them from here on. */
void devices_start(void);

void gntalloc_start(unsigned int limit);
/* No page is waited for any more. */
void gntalloc_stop_looking(void);
/* Gives pages back whose peers have let go since; prints those that did not. */
unsigned int gntalloc_stop(FILE *out);
void gntalloc_list(struct domain *d, FILE *out);
/* Pages that are granted through an open file: a line each run of them. */
unsigned int gntalloc_report(struct file *file, FILE *out);
unsigned int gntalloc_limit(void);
void gntalloc_set_limit(unsigned int limit);
/* What a VMA of it shows, behind the VMA's place. */
void gntalloc_describe(const struct vm_area_struct *vma, FILE *out);

/* Mappings of privcmd, and what shows frames in them. */
struct file;
struct vm_area_struct;
#define PRIVCMD_MMAPBATCH _IOC(_IOC_NONE, 'P', 3, 24)
#define PRIVCMD_MMAPBATCH_V2 _IOC(_IOC_NONE, 'P', 4, 32)
int frames_mmap(struct file *file, struct vm_area_struct *vma);
/* @restricted_to: the one domain that it may be asked of; negative: all. */
long frames_ioctl(unsigned int cmd, u64 arg, long restricted_to);

/* Ports that are bound through an open file: a line each. */
unsigned int evtchn_report(struct file *file, FILE *out);
/* Whether reading it fails with -EFBIG until it is reset. */
bool evtchn_overflown(struct file *file);

#endif /* MACHINE_DEVICES_H */
