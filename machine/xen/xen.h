/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The hypervisor's half: domains with their memory, version 1 grant tables,
 * event channels. Of the machine alone; api.h has what others may use.
 *
 * It knows frames, entries and domains. Whose page or page table an entry is in it
 * asks the kernel above it, struct guest.
 *
 * One kernel serves all domains here, and a thread of its own belongs to none.
 * So that such a thread can name what it means, handles and ports are numbered
 * once for the machine, not once for each domain.
 */
#ifndef MACHINE_XEN_H
#define MACHINE_XEN_H

#include <pthread.h>
#include <stdio.h>

#include "../base/events.h"
#include "../base/lists.h"
#include "api.h"
#include "interface.h"

/* Version 1 of the table's entries: what domains share with the hypervisor. */
struct grant_entry {
	u16 flags;
	domid_t domid;
	u32 frame;
};

/* A file whose pages are a domain's too. Under the lock. */
struct frame_file {
	int fds[2]; /* for writing, for reading */
	unsigned int users; /* frames, and calls */
};

struct domain {
	unsigned int id;
	struct list_head node;
	int memfd;
	unsigned char *memory;
	unsigned long pages;
	/*
	 * A ring: pages that were given back one after the other are given out so,
	 * and are neighbours in a program's view, too.
	 */
	unsigned long *free_pages;
	unsigned long free_first, free_count;
	unsigned long touched; /* pages that ever were in use */
	unsigned long shown; /* and pages that others may have written to */
	struct frame {
		struct frame_file *file; /* whose page it is, or NULL */
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

/* Zeroes are good, as in struct machine_config. */
struct xen_config {
	enum machine_mode mode;
	unsigned long pages; /* of each domain */
	u32 entries; /* the same, of its grant table */
	bool is_absent, has_no_avail_bits;
};
const struct xen_config *xen_config(void);
void domains_start(const struct xen_config *config);
void domains_stop(void);
/* NULL if there is none; the lock need not be held. */
struct domain *domain_find(unsigned int domid);
/* The one with the lowest number that is not below @domid, or NULL. */
struct domain *domain_from(unsigned int domid);
/* From or to domains' memory, which programs may be reading and writing. */
void memory_copy(void *to, const void *from, size_t size);
/* Where a page of a domain is for devices, and back. */
u64 frame_address(const struct domain *d, unsigned long pfn);
/* NULL if there is none. */
unsigned char *frame_memory(u64 addr);
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
long domain_page_lend(struct domain *d, struct frame_file *file, u64 offset);
/*
 * A frame by number, for a domain that maps others' memory without grants: 0 or a
 * negative errno.
 */
int domain_show_frame(unsigned int domid, u64 frame, struct domain **owner);
/* Whether it is such a page: the hypervisor's lock is held. */
bool domain_page_is_lent(const struct domain *d, unsigned long pfn);
/* Where it is to be seen: @fds for writing and for reading, -1 if not known. */
void domain_page_where(const struct domain *d, unsigned long pfn, int fds[2],
		       off_t *offset);

/* ---- grants ---- */

/*
 * Where a mapping is. An operation has an address, and the kernel knows what of its
 * own that is.
 */
enum place_kind {
	PLACE_NONE, /* a mapping for devices: of no table */
	PLACE_FRAME, /* a frame of the kernel's */
	PLACE_PROGRAM, /* an entry of a program's page tables */
	PLACE_AREA, /* an entry of the kernel's own page tables */
};

struct place {
	enum place_kind kind;
	void *at; /* the kernel's own idea of it; NULL once it is lost */
};

/* A mapping that the hypervisor made. */
struct track {
	bool used;
	bool readonly;
	bool refused; /* to be unmapped: kept for ever */
	struct domain *mapper, *granter;
	u32 ref;
	struct place place;
	u32 next_free;
};

/* What the kernel above does for the hypervisor, with the lock held. */
struct guest {
	/* A hard failure if no grant of the caller's may be mapped there. */
	void (*find)(struct domain *caller, u64 addr, u32 flags,
		     struct place *place);
	/* The address by which it is to be unmapped. */
	u64 (*address)(const struct place *place);
	/* An entry is written, and is cleared; not of a place that is lost. */
	void (*map)(const struct track *t, u32 handle, unsigned long pfn);
	void (*unmap)(const struct place *place);
	/* It goes with what the domain was before it was restored. */
	void (*forget)(const struct place *place);
};
void guest_is(const struct guest *guest);

/* One end of a copy. */
struct copy_end {
	bool readonly;
	struct domain *granter; /* NULL: a frame of the caller's */
	u32 ref;
	unsigned char *memory; /* NULL: a program's, which is out of reach */
	void *frame; /* the kernel's own idea of such a frame */
	u64 addr; /* of a program's memory */
};

/* What the caller's kernel does of its copies. The lock is held. */
struct copier {
	/* GNTST_*: what a frame of the caller's is. */
	s16 (*find)(struct domain *caller, const struct gnttab_copy_ptr *ptr,
		    struct copy_end *end);
	/*
	 * Whether it does this copy itself, now or later, and releases both
	 * ends then. If not, all that it has taken before is done.
	 */
	bool (*take)(struct copier *copier, const struct copy_end *source,
		     const struct copy_end *dest, u16 len);
	/* There are no more. */
	void (*finish)(struct copier *copier);
};

/*
 * An entry of the table for nobody yet, or -ENOSPC; domain_ungrant() has it free
 * again.
 */
long domain_entry_take(struct domain *d);
void domain_entry_fill(struct domain *d, u32 ref, unsigned int to,
		       unsigned long pfn, bool readonly);
/* GNTST_*, or the frame, which is in use then. The lock is held. */
s16 grant_acquire(struct domain *user, struct domain *granter, u32 ref,
		  bool readonly, unsigned long *pfn);
void grant_release(struct domain *granter, u32 ref, bool readonly);

/* Exchanges what two references stand for, if neither is in use. */
s16 grant_swap(struct domain *d, u32 one, u32 other);

/* Grants that are in use until it is asked and they are not: the lock is held. */
void uses_add(struct grant_uses *uses, struct domain *granter, u32 ref,
	      bool readonly);
void uses_release(struct grant_uses *uses);
/* From here on they are asked for, by uses_settle(). */
void uses_leave(struct grant_uses *uses);
void uses_settle(void);
/* They end, left or not. */
void uses_end(struct grant_uses *uses);

/* @refuse: with this status, and nothing is done; or 0. */
s16 grant_map(struct domain *caller, struct gnttab_map_grant_ref *op,
	      s16 refuse);
s16 grant_unmap(struct gnttab_unmap_grant_ref *op, s16 refuse);
/* It stays, by a failure on purpose. */
void grant_refuse(u32 handle);
/* One that has a status already is refused with that. */
void grant_copies(struct domain *caller, struct gnttab_copy *ops, u32 count,
		  struct copier *copier);
void copy_end_release(const struct copy_end *end);
/* Whether the hypervisor was made to keep it. */
bool handle_is_refused(u32 handle);
/* The same; if it was, the kernel is about to clear the entry. Lock held. */
bool handle_is_lost(u32 handle);
/* It, or another of the same grant, was refused to be ended. */
bool handle_is_excused(u32 handle);
void tracks_start(unsigned int most);
/* All that it may have are in use. */
bool domain_has_no_handle(const struct domain *mapper);
/* Prints mappings that are left, but for refused ones, and forgets all. */
unsigned int tracks_leaks(FILE *out);
unsigned int tracks_refused_entries(void);
/* The domain is saved, and is restored, or goes on. */
void tracks_saved(bool restored);
void tracks_each(void (*fn)(const struct track *t, void *arg), void *arg);
/* Adds to all counts but the unpopulated ones. */
void tracks_count(struct machine_mappings *m);

/* ---- event channels ---- */

/* Who has bound ports for a program, and is told of their events. */
struct port_user {
	/* Without the lock. */
	void (*deliver)(struct port_user *user, u32 port);
	void *file; /* the kernel's own idea of who it is */
	unsigned int deliveries; /* that go on; under the lock */
	pthread_cond_t idle;
};
void port_user_init(struct port_user *user,
		    void (*deliver)(struct port_user *user, u32 port),
		    void *file);
/* Waits for events that are being told; it has no ports any more. */
void port_user_end(struct port_user *user);
/* Whose program has bound the port, so that he does not end; or NULL. */
struct port_user *port_user_get(u32 port);
void port_user_put(struct port_user *user);

void ports_start(void);
unsigned int ports_leaks(FILE *out);
/* Ports for a program; negative errno. */
long port_unbound(struct domain *d, unsigned int remote,
		  struct port_user *user);
long port_interdomain(struct domain *d, unsigned int remote, u32 port,
		      struct port_user *user);
/* -EINVAL if there is none of that number, -EEXIST if it is bound. */
long port_virq(struct domain *d, unsigned int virq, struct port_user *user);
/* -EINVAL if it is not the domain's. */
int port_send(struct domain *d, u32 port);
/* One reference less; at 0 it is closed. With @user: its handler goes too. */
void port_put(u32 port, struct port_user *user);
/* What EVTCHNOP_status tells of a port, with its numbers for the states. */
struct port_status {
	u32 state;
	unsigned int remote; /* domain */
	u32 remote_port;
};
#define PORT_STATUS_CLOSED 0
#define PORT_STATUS_UNBOUND 1
#define PORT_STATUS_INTERDOMAIN 2
#define PORT_STATUS_VIRQ 4
/* -EINVAL if no domain could have such a port. */
int port_status(struct domain *d, u32 port, struct port_status *status);
/* -1 if the kernel knows of no such port. */
int port_irq(u32 port);
int port_get(struct domain *d, u32 port);
/* Whether @user has bound it. */
bool port_is_of(u32 port, const struct port_user *user);
void ports_list(struct domain *d, FILE *out);

#endif /* MACHINE_XEN_H */
