/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The hypervisor's half: domains with their memory, version 1 grant tables,
 * event channels. Of the machine alone; machine.h has what others may use.
 *
 * One kernel serves all domains here, and a thread of its own belongs to none.
 * So that such a thread can name what it means, handles and ports are numbered
 * once for the machine, not once for each domain.
 */
#ifndef MACHINE_XEN_H
#define MACHINE_XEN_H

#include <pthread.h>
#include <stdio.h>

#include "../kernel/base.h"
#include "../kernel/lists.h"
#include "../kernel/xen_calls.h"
#include "../machine.h"

/* Version 1 of the table's entries: what domains share with the hypervisor. */
struct grant_entry {
	u16 flags;
	domid_t domid;
	u32 frame;
};

struct domain {
	unsigned int id;
	struct list_head node;
	int memfd;
	unsigned char *memory;
	unsigned long pages;
	unsigned long *free_pages; /* a stack */
	unsigned long free_count;
	unsigned long touched; /* pages that ever were in use */
	struct frame {
		struct lent_file *file; /* whose page it is, or NULL */
		u64 offset; /* in that */
		u32 holds; /* pins */
		bool freed; /* it goes with the last of those */
	} *frames;
	struct grant_entry *table;
	/* The hypervisor's own account of who uses an entry. */
	struct grant_use {
		u32 readers, writers;
		u8 mapped[2]; /* times, writable and read-only, as Xen counts */
	} *uses;
	u32 entries, next_entry;
	u32 *free_entries; /* a stack */
	u32 free_entry_count;
	u32 mappings; /* of others' pages, by this domain */
};

/* The lock of everything here, of page-table entries and grant pages. */
void hypervisor_lock(void);
void hypervisor_unlock(void);
/* Waits for a condition that is announced under the lock, which is held. */
void hypervisor_wait(pthread_cond_t *changed);
enum machine_mode machine_mode(void);

void domains_start(const struct machine_config *config);
void domains_stop(void);
/* NULL if there is none; the lock need not be held. */
struct domain *domain_find(unsigned int domid);
/* From or to domains' memory, which programs may be reading and writing. */
void memory_copy(void *to, const void *from, size_t size);
/* Where a page of a domain is for devices, and back. */
u64 frame_address(const struct domain *d, unsigned long pfn);
void domains_each(void (*fn)(struct domain *d, void *arg), void *arg);
/*
 * A pin of a page: it is nobody else's until that ends, though it may be given
 * back before.
 */
void domain_page_hold(struct domain *d, unsigned long pfn);
void domain_page_release(struct domain *d, unsigned long pfn);
/*
 * A page of a program's own file that becomes one of its domain's, held once and
 * gone with the last hold; the number, or a negative errno.
 */
long domain_page_lend(struct domain *d, struct lent_file *file, u64 offset);
/* Whether it is such a page: the hypervisor's lock is held. */
bool domain_page_is_lent(const struct domain *d, unsigned long pfn);
/* Where it is to be seen: @fds for writing and for reading, -1 if not known. */
void domain_page_where(const struct domain *d, unsigned long pfn, int fds[2],
		       off_t *offset);

/* ---- grants ---- */

/* A mapping that the hypervisor made. */
struct track {
	bool used;
	bool readonly;
	bool refused; /* to be unmapped: kept for ever */
	struct domain *mapper, *granter;
	u32 ref;
	bool device; /* a mapping that no page table shows, of a page of its own */
	struct page *page; /* the kernel's, or NULL */
	pte_t *pte; /* a program's or an area's; NULL too once it is lost */
	pte_t *area; /* the same, if it is of an area of the kernel's */
	u32 next_free;
};

/* GNTST_*, or the frame, which is in use then. The lock is held. */
/*
 * An entry of the table for nobody yet, or -ENOSPC; domain_ungrant() has it free
 * again.
 */
long domain_entry_take(struct domain *d);
void domain_entry_fill(struct domain *d, u32 ref, unsigned int to,
		       unsigned long pfn, bool readonly);
s16 grant_acquire(struct domain *user, struct domain *granter, u32 ref,
		  bool readonly, unsigned long *pfn);
void grant_release(struct domain *granter, u32 ref, bool readonly);

/* Exchanges what two references stand for, if neither is in use. */
s16 grant_swap(struct domain *d, u32 one, u32 other);

s16 grant_map(struct domain *caller, struct gnttab_map_grant_ref *op);
/* @refuse: with this status, and nothing is done; or 0. */
s16 grant_unmap(struct gnttab_unmap_grant_ref *op, s16 refuse);
/* It stays, by a failure on purpose. */
void grant_refuse(u32 handle);
void grant_copies(struct domain *caller, struct gnttab_copy *ops, u32 count);
/* Whether somebody watches: what is not wanted need not be made. */
bool event_wanted(void);
void event_emit(const struct machine_event *event);
/* The kernel clears an entry that the hypervisor would not end: lock held. */
bool pte_is_lost(pte_t *pte);
bool pte_is_refused(const pte_t *pte);
bool page_is_mapped(const struct page *page);
void tracks_start(unsigned int most);
/* All that it may have are in use. */
bool domain_has_no_handle(const struct domain *mapper);
/* Prints mappings that are left, but for refused ones, and forgets all. */
unsigned int tracks_leaks(FILE *out);
unsigned int tracks_refused_entries(void);
/* Its mapping, or another of the same grant, was refused to be ended. */
bool page_is_excused(const struct page *page);
/* The domain is saved, and is restored, or goes on. */
void tracks_saved(bool restored);
void tracks_each(void (*fn)(const struct track *t, void *arg), void *arg);
/* For the kernel's store into a page. */
void grant_store(struct page *page, unsigned long offset, const void *value,
		 size_t size);
/* Grants of the kernel's own: prints what is left, and forgets it. */
unsigned int foreign_leaks(FILE *out);

/* ---- event channels ---- */

struct evtchn_user;
void ports_start(void);
unsigned int ports_leaks(FILE *out);
/* Ports for a program; negative errno. */
long port_unbound(struct domain *d, unsigned int remote,
		  struct evtchn_user *user);
long port_interdomain(struct domain *d, unsigned int remote, u32 port,
		      struct evtchn_user *user);
long port_virq(struct domain *d, struct evtchn_user *user);
/* -EINVAL if it is not the domain's. */
int port_send(struct domain *d, u32 port);
/* One reference less; at 0 it is closed. With @user: its handler goes too. */
void port_put(u32 port, struct evtchn_user *user);
/* -1 if the kernel knows of no such port. */
int port_irq(u32 port);
int port_get(struct domain *d, u32 port);
/* Whose program has bound it, with a reference; or NULL. */
struct evtchn_user *port_user(u32 port);
/* Whether @user has bound it. */
bool port_is_of(u32 port, const struct evtchn_user *user);
void ports_list(struct domain *d, FILE *out);

#endif /* MACHINE_XEN_H */
