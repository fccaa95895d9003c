/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What most tests start from: a machine, a domain 1 that grants, and a task of
 * domain 0 with an open gntdev. Test time, so that nothing happens by itself.
 */
#ifndef UNIT_WORLD_H
#define UNIT_WORLD_H

#include <stdint.h>
#include <sys/mman.h>

#include "tap.h"
#include "../../include/xen/gntdev.h"
#include "../../include/xen/gntdev_more.h"

#define PAGE 4096UL
/* Where tests map: no address of this process. */
#define AT(n) (0x700000000000UL + (n) * 0x1000000UL)
#define MAX_GRANTS 1024
/* Bytes: the pages of so long a buffer the driver pins, of a short one it need not. */
#define PINNED 300

struct world {
	struct machine_config config;
	struct domain *granter, *mapper;
	struct task *task;
	struct file *file;
	unsigned int grants;
	long refs[MAX_GRANTS];
	unsigned long pfns[MAX_GRANTS];
};

extern struct world world;

/* Configuration as the tests want it; change it between the two calls. */
void world_prepare(void);
void world_start(void); /* prepares, if that was not done */
/*
 * Ends it all: nothing has leaked, and every grant can be ended but those that
 * the hypervisor was made to keep.
 */
void world_stop(void);

/* Grants pages to the mapper; the first byte of page i is 'A' + i % 26. */
void grant(unsigned int count, bool readonly);
unsigned char *granted(unsigned int i);

/* Requests, as a program makes them: 0 or a negative errno. */
long req_map(struct file *file, unsigned int first, unsigned int count,
	     uint64_t *index);
long req_unmap(struct file *file, uint64_t index, uint32_t count);
long req_notify(struct file *file, uint64_t index, uint32_t action,
		uint32_t port);
long req_offset(struct file *file, uint64_t vaddr, uint64_t *offset,
		uint32_t *count);
long req_max(struct file *file, uint32_t count);
long req_copy(struct file *file, struct gntdev_grant_copy_segment *segments,
	      uint32_t count);

long req_restrict(struct file *file, unsigned int domid);
long req_status(struct file *file, uint64_t index, unsigned int first,
		unsigned int count, int16_t *statuses);
/* Grants memory of this process to domain 1. */
long req_lend(struct file *file, const void *at, unsigned int count,
	      unsigned int flags, uint64_t *index, uint32_t *refs);
long req_unlend(struct file *file, uint64_t index, unsigned int count);
/* Memory that can be granted: a memfd's. */
unsigned char *lendable(unsigned int pages);
void lendable_free(unsigned char *at, unsigned int pages);

/* Maps grants first to first + count - 1 at @addr; -errno. */
long map_at(unsigned long addr, unsigned int first, unsigned int count,
	    int prot, uint64_t *index);
int map_index(unsigned long addr, uint64_t index, unsigned int count, int prot);
/* A byte as the program reads it; -1 where it gets a signal. */
int peek(unsigned long addr);
int poke(unsigned long addr, unsigned char byte);

/* An event channel from the task to the granter: the task's port. */
struct channel {
	struct file *evtchn;
	uint32_t port;
	long peer; /* the granter's port */
};
void channel_open(struct channel *c);
unsigned long channel_events(const struct channel *c);

#endif /* UNIT_WORLD_H */
