/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the users of a machine have of its hypervisor: domains with their memory,
 * grants and event channels. A part of machine.h, which they include.
 */
#ifndef MACHINE_XEN_API_H
#define MACHINE_XEN_API_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/delegated_copy.h"

struct domain;

enum machine_mode {
	MACHINE_PV, /* a program's page-table entries are the hypervisor's */
	MACHINE_XLAT, /* auto-translated, as all of arm64 is */
	MACHINE_PVH, /* as x86 is: a domain may not map its own grants */
};

/* ---- domains ---- */

/* Made at the first call. 0 to 0x7fef; NULL, errno says why, if that fails. */
struct domain *domain_get(unsigned int domid);
unsigned int domain_id(const struct domain *d);
int domain_memfd(const struct domain *d);
/* In this process; pages lie in it in order. */
unsigned char *domain_memory(const struct domain *d);
/*
 * Pages that programs grant of their own memory are those of the programs' files;
 * one that is shortened leaves the machine without. To be called on SIGBUS, with
 * the address: whether it was one of those, and may be tried again.
 */
bool machine_repair(const void *addr);

/* Page frames of the domain for a program of it. Negative: none left. */
long domain_page_alloc(struct domain *d);
void domain_page_free(struct domain *d, unsigned long pfn);

/* Grants: as a kernel of that domain would. The reference, or -ENOSPC. */
long domain_grant(struct domain *d, unsigned int to, unsigned long pfn,
		  bool readonly);
/* The same in an entry below 8, which domain_grant() leaves to a toolstack. */
int domain_grant_at(struct domain *d, uint32_t ref, unsigned int to,
		    unsigned long pfn, bool readonly);
/* -EBUSY while another domain has it mapped; the entry is free after 0. */
int domain_ungrant(struct domain *d, uint32_t ref);
/* Takes the right away from those who have not mapped it yet. */
int domain_revoke(struct domain *d, uint32_t ref);
/* GTF_* of the entry. */
uint16_t domain_grant_flags(const struct domain *d, uint32_t ref);

/*
 * Event channels: as a kernel of that domain would use them. Ports have one
 * numbering for the whole machine, from 1. A port that one
 * of these functions gave is no program's; delivered events are counted.
 */
long domain_port_unbound(struct domain *d, unsigned int remote);
long domain_port_bind(struct domain *d, unsigned int remote, uint32_t port);
int domain_port_close(struct domain *d, uint32_t port);
int domain_port_send(struct domain *d, uint32_t port);
unsigned long domain_port_events(const struct domain *d, uint32_t port);
/*
 * @on_event is called for each event, on whatever thread sends it and with
 * locks of the machine's held: it must not call the machine. NULL ends that.
 */
void domain_port_on_event(struct domain *d, uint32_t port,
			  void (*on_event)(void *arg), void *arg);

/* What the hypervisor has of mappings of grants, by whom and to what. */
struct machine_mappings {
	unsigned int kernel; /* by the kernel */
	unsigned int user; /* in entries of programs */
	unsigned int areas; /* in entries of the kernel's that are no page's */
	unsigned int refused; /* of all: to be kept, by a failure on purpose */
	/* Pages that the hypervisor had no memory for, by a failure on purpose. */
	unsigned int unpopulated;
};
/* Whether the hypervisor refused, on purpose, to end a mapping of this grant. */
bool machine_refused(unsigned int domid, uint32_t ref);

/*
 * The kernel that serves all domains was saved and restored, and its event channels
 * are gone; with more of it machine_suspend().
 */
void machine_resume(void);

/* Grants that are in use by what somebody else does: the machine's own. */
struct grant_uses {
	/* Whether he has done it by now. Locks of the machine's are held. */
	bool (*is_over)(struct grant_uses *uses);
	unsigned int count;
	struct grant_in_use {
		struct domain *granter;
		uint32_t ref;
		bool readonly;
	} all[DELEGATED_COPIES];
	struct grant_uses *next;
};

#endif /* MACHINE_XEN_API_H */
