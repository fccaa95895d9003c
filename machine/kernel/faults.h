/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Fault sites: the places where a call of the driver's may fail. Of the machine
 * alone; api.h tells how failures are asked for.
 */
#ifndef MACHINE_KERNEL_FAULTS_H
#define MACHINE_KERNEL_FAULTS_H

#include "base.h"
#include "api.h"

enum fault_site {
	SITE_KMALLOC,
	SITE_KZALLOC,
	SITE_VMALLOC,
	SITE_KVMALLOC,
	SITE_KVCALLOC,
	SITE_COPY_FROM_USER,
	SITE_COPY_TO_USER,
	SITE_PUT_USER,
	SITE_GET_USER,
	SITE_ALLOC_PAGES,
	SITE_PIN,
	SITE_FRAMES,
	SITE_NOTIFIER,
	SITE_PAGE_TABLES,
	SITE_INSERT_PAGES,
	SITE_EVTCHN_GET,
	SITE_MISC_REGISTER,
	SITE_ANON_FILE,
	SITE_LOCKED_VM,
	SITE_PROC,
	SITE_WORKQUEUE,
	SITE_SIGNAL,
	SITE_P2M,
	SITE_DEVICE,
	SITE_PLATFORM_DRIVER,
	SITE_PLATFORM_DEVICE,
	SITE_DMA_MASK,
	SITE_DMA_ALLOC,
	SITE_DMA_SGTABLE,
	SITE_DMA_MAP,
	SITE_SG_ALLOC,
	SITE_ALLOC_PAGE,
	SITE_VMAP,
	SITE_SET_PRIVATE,
	SITE_INCREASE,
	SITE_DECREASE,
	SITE_REFERENCES,
	SITE_DESCRIPTOR,
	SITE_DMABUF_EXPORT,
	SITE_DMABUF_ATTACH,
	SITE_DMABUF_MAP,
	SITE_MAP_CALL,
	SITE_UNMAP_CALL,
	SITE_COPY_CALL,
	SITE_QUERY_CALL,
	SITE_MAP_STATUS,
	SITE_UNMAP_STATUS,
	SITE_COPY_STATUS,
	SITE_OVERFLOW, /* of evtchn, not of the driver */
	SITES,
};

/* Beside single ones: all, and those that allocate. */
enum {
	ANY_SITE = SITES,
	ALLOC_SITES
};

#define MAX_RULES 64

/* What is asked for; it is armed as a whole, or not at all. */
struct fault_spec {
	struct rule {
		int site;
		u64 nth; /* 0: by probability */
		bool persistent;
		unsigned int of_million;
		u64 seen;
	} rules[MAX_RULES];
	struct op_rule {
		enum machine_op op;
		u64 nth;
		s16 status;
	} op_rules[MAX_RULES];
	unsigned int nrules, nop_rules;
	bool seeded;
	u64 seed;
};
/* False if there is no room for it. */
bool faults_add(const struct fault_spec *spec);
/* Negative: there is none of that name. */
int fault_site_by_name(const char *name, size_t len);
int fault_op_by_name(const char *name, size_t len);
const char *fault_site_name(int site);

/*
 * Whether this call of the driver's shall fail; then *variant says how. Calls
 * that the model makes for itself are no sites.
 */
bool fault(enum fault_site site, unsigned int *variant);
/* Whether this operation shall fail, and with which status. */
bool fault_op(enum machine_op op, bool user, s16 *status);
/* Whether evtchn's ring shall be full for this event. */
bool fault_overflow(void);
/* Sites of a call that is over, which counted them itself. */
void faults_passed(unsigned int count);
void faults_seed(u64 seed);

#endif /* MACHINE_KERNEL_FAULTS_H */
