// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Domains: their memory and their grant tables, from the granter's side. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xen.h"

/* References below are the toolstack's: console, xenstore. */
#define FIRST_FREE_REF 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	pthread_mutex_t lock; /* of the lists */
	struct list_head all;
	struct list_head spare; /* of former machines: to be used again */
	struct xen_config config;
} domains = {.lock = PTHREAD_MUTEX_INITIALIZER,
	     .all = {&domains.all, &domains.all},
	     .spare = {&domains.spare, &domains.spare}};

void hypervisor_lock(void)
{
	pthread_mutex_lock(&lock);
}

void hypervisor_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void hypervisor_wait(pthread_cond_t *changed)
{
	pthread_cond_wait(changed, &lock);
}

enum machine_mode machine_mode(void)
{
	return domains.config.mode;
}

const struct xen_config *xen_config(void)
{
	return &domains.config;
}

/* ---- making and ending ---- */

static void domain_destroy(struct domain *d)
{
	if (d->memory)
		munmap(d->memory, d->pages * PAGE_SIZE);
	if (d->memfd >= 0)
		close(d->memfd);
	free(d->free_pages);
	free(d->frames);
	free(d->table);
	free(d->uses);
	free(d->free_entries);
	free(d);
}

/* Its memory; false with errno set, and a line about it. */
static bool make_memory(struct domain *d)
{
	size_t size = d->pages * PAGE_SIZE;
	void *memory;

	d->memfd = memfd_create("gntdev-domain", MFD_CLOEXEC);
	if (d->memfd < 0 || ftruncate(d->memfd, size)) {
		pr_err("no memory file of %zu bytes for a domain: %s\n", size,
		       strerror(errno));
		return false;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, d->memfd,
		      0);
	if (memory == MAP_FAILED) {
		pr_err("no address space of %zu bytes for a domain: %s\n", size,
		       strerror(errno));
		return false;
	}
	d->memory = memory;

	return true;
}

static bool make_tables(struct domain *d)
{
	d->free_pages = calloc(d->pages, sizeof(*d->free_pages));
	d->frames = calloc(d->pages, sizeof(*d->frames));
	d->table = calloc(d->entries, sizeof(*d->table));
	d->uses = calloc(d->entries, sizeof(*d->uses));
	d->free_entries = calloc(d->entries, sizeof(*d->free_entries));
	if (d->free_pages && d->frames && d->table && d->uses &&
	    d->free_entries)
		return true;
	pr_err("no memory for a domain's tables\n");
	errno = ENOMEM;

	return false;
}

/* NULL with errno set. */
static struct domain *domain_make(void)
{
	struct domain *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return NULL;
	d->memfd = -1;
	d->pages = domains.config.pages;
	d->entries = domains.config.entries;
	if (make_memory(d) && make_tables(d))
		return d;
	err = errno;
	domain_destroy(d);
	/* Descriptors are the machine's, as a kernel has a limit of them. */
	errno = err == EMFILE ? ENFILE : err;

	return NULL;
}

/* The domain's own memory is at a page's place again. */
static void end_lending(struct domain *d, unsigned long pfn)
{
	struct frame *f = &d->frames[pfn];

	if (!f->file)
		return;
	if (mmap(d->memory + pfn * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, d->memfd,
		 (off_t)(pfn * PAGE_SIZE)) == MAP_FAILED)
		machine_fatal("a page of a domain's: %s", strerror(errno));
	f->file->users--;
	f->file = NULL;
}

/* As new: only what was touched is cleaned, so that it costs little. */
static void domain_reset(struct domain *d, unsigned int id)
{
	unsigned long pfn, used = max(d->touched, d->shown);

	d->id = id;
	for (pfn = 0; pfn < d->touched; pfn++) {
		end_lending(d, pfn);
		d->frames[pfn] = (struct frame){0};
	}
	if (used > 64)
		fallocate(d->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  0, used * PAGE_SIZE);
	else
		memset(d->memory, 0, used * PAGE_SIZE);
	memset(d->table, 0, d->next_entry * sizeof(*d->table));
	memset(d->uses, 0, d->next_entry * sizeof(*d->uses));
	d->touched = 0;
	d->shown = 0;
	d->free_first = 0;
	d->free_count = 0;
	d->next_entry = FIRST_FREE_REF;
	d->free_entry_count = 0;
	d->mappings = 0;
}

void domains_start(const struct xen_config *config)
{
	struct xen_config before = domains.config;
	struct domain *d, *next;

	domains.config = *config;
	domains.config.pages = config->pages ?: 16384;
	domains.config.entries = config->entries ?: 32768;
	if (domains.config.pages == before.pages &&
	    domains.config.entries == before.entries)
		return;
	list_for_each_entry_safe(d, next, &domains.spare, node) {
		list_del(&d->node);
		domain_destroy(d);
	}
}

void domains_stop(void)
{
	struct domain *d;

	while (!list_empty(&domains.all)) {
		d = list_first_entry(&domains.all, struct domain, node);
		list_del(&d->node);
		list_add_tail(&d->node, &domains.spare);
	}
}

/* With the lock of the lists. */
static struct domain *find(unsigned int domid)
{
	struct domain *d;

	list_for_each_entry(d, &domains.all, node) {
		if (d->id == domid)
			return d;
	}

	return NULL;
}

struct domain *domain_find(unsigned int domid)
{
	struct domain *d;

	pthread_mutex_lock(&domains.lock);
	d = find(domid);
	pthread_mutex_unlock(&domains.lock);

	return d;
}

/* The lock is held; there is none of that number. NULL with errno set. */
static struct domain *add(unsigned int domid)
{
	struct domain *d;

	if (list_empty(&domains.spare)) {
		d = domain_make();
		if (!d)
			return NULL;
	} else {
		d = list_first_entry(&domains.spare, struct domain, node);
		list_del(&d->node);
	}
	domain_reset(d, domid);
	list_add_tail(&d->node, &domains.all);

	return d;
}

struct domain *domain_get(unsigned int domid)
{
	struct domain *d;

	if (domid >= DOMID_FIRST_RESERVED) {
		errno = EINVAL;
		return NULL;
	}

	pthread_mutex_lock(&domains.lock);
	d = find(domid) ?: add(domid);
	pthread_mutex_unlock(&domains.lock);

	return d;
}

struct domain *domain_from(unsigned int domid)
{
	struct domain *d, *lowest = NULL;

	pthread_mutex_lock(&domains.lock);
	list_for_each_entry(d, &domains.all, node) {
		if (d->id >= domid && (!lowest || d->id < lowest->id))
			lowest = d;
	}
	pthread_mutex_unlock(&domains.lock);

	return lowest;
}

void domains_each(void (*fn)(struct domain *d, void *arg), void *arg)
{
	struct list_head *node = &domains.all;

	/* Others may be added meanwhile, none goes. */
	for (;;) {
		pthread_mutex_lock(&domains.lock);
		node = node->next;
		pthread_mutex_unlock(&domains.lock);
		if (node == &domains.all)
			return;
		fn(list_entry(node, struct domain, node), arg);
	}
}

unsigned int domain_id(const struct domain *d)
{
	return d->id;
}

int domain_memfd(const struct domain *d)
{
	return d->memfd;
}

unsigned char *domain_memory(const struct domain *d)
{
	return d->memory;
}

/* ---- memory ---- */

void memory_copy(void *to, const void *from, size_t size)
{
	memmove(to, from, size);
}

u64 frame_address(const struct domain *d, unsigned long pfn)
{
	return (d->id * (1ULL << 32) + pfn) << PAGE_SHIFT;
}

unsigned char *frame_memory(u64 addr)
{
	struct domain *d = domain_find(addr >> (32 + PAGE_SHIFT));
	u64 offset;

	if (!d)
		return NULL;
	offset = addr - frame_address(d, 0);

	return offset < d->pages * PAGE_SIZE ? d->memory + offset : NULL;
}

long domain_page_alloc(struct domain *d)
{
	long pfn = -ENOMEM;

	hypervisor_lock();
	if (d->free_count) {
		pfn = (long)d->free_pages[d->free_first];
		d->free_first = (d->free_first + 1) % d->pages;
		d->free_count--;
		memset(d->memory + pfn * PAGE_SIZE, 0, PAGE_SIZE);
	} else if (d->touched < d->pages) {
		pfn = (long)d->touched++;
		if ((unsigned long)pfn < d->shown)
			memset(d->memory + pfn * PAGE_SIZE, 0, PAGE_SIZE);
	}
	hypervisor_unlock();

	return pfn;
}

static void add_free(struct domain *d, unsigned long pfn)
{
	d->free_pages[(d->free_first + d->free_count++) % d->pages] = pfn;
}

void domain_page_free(struct domain *d, unsigned long pfn)
{
	hypervisor_lock();
	if (pfn >= d->touched || d->free_count == d->touched ||
	    d->frames[pfn].freed)
		machine_fatal("domain %u frees page %lu, which it has not",
			      d->id, pfn);
	if (d->frames[pfn].holds)
		d->frames[pfn].freed = true;
	else
		add_free(d, pfn);
	hypervisor_unlock();
}

void domain_page_hold(struct domain *d, unsigned long pfn)
{
	hypervisor_lock();
	d->frames[pfn].holds++;
	hypervisor_unlock();
}

void domain_page_release(struct domain *d, unsigned long pfn)
{
	struct frame *f = &d->frames[pfn];

	hypervisor_lock();
	if (!f->holds)
		machine_fatal("page %lu of domain %u is let go too often", pfn,
			      d->id);
	if (--f->holds == 0 && f->freed) {
		uses_settle();
		f->freed = false;
		end_lending(d, pfn);
		add_free(d, pfn);
	}
	hypervisor_unlock();
}

long domain_page_lend(struct domain *d, struct frame_file *file, u64 offset)
{
	long pfn = domain_page_alloc(d);
	struct frame *f;

	if (pfn < 0)
		return pfn;
	f = &d->frames[pfn];
	if (mmap(d->memory + pfn * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, file->fds[0],
		 (off_t)offset) == MAP_FAILED) {
		domain_page_free(d, pfn);
		return -ENOMEM;
	}
	hypervisor_lock();
	file->users++;
	*f = (struct frame){file, offset, .holds = 1, .freed = true};
	hypervisor_unlock();

	return pfn;
}

bool domain_page_is_lent(const struct domain *d, unsigned long pfn)
{
	return pfn < d->pages && d->frames[pfn].file;
}

void domain_page_where(const struct domain *d, unsigned long pfn, int fds[2],
		       off_t *offset)
{
	const struct frame *f = &d->frames[pfn];

	fds[0] = d->memfd;
	fds[1] = -1;
	*offset = (off_t)(pfn << PAGE_SHIFT);
	hypervisor_lock();
	if (f->file) {
		fds[0] = f->file->fds[0];
		fds[1] = f->file->fds[1];
		*offset = (off_t)f->offset;
	}
	hypervisor_unlock();
}

bool machine_repair(const void *addr)
{
	const unsigned char *at = addr;
	struct domain *d;
	u64 offset;

	list_for_each_entry(d, &domains.all, node) {
		offset = at - d->memory;
		if (at < d->memory || offset >= d->pages * PAGE_SIZE)
			continue;
		return mmap(d->memory + (offset & PAGE_MASK), PAGE_SIZE,
			    PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
			    0) != MAP_FAILED;
	}

	return false;
}

/* ---- grants ---- */

static void fill_entry(struct grant_entry *e, unsigned int to,
		       unsigned long pfn, bool readonly)
{
	e->domid = to;
	e->frame = pfn;
	e->flags = GTF_permit_access | (readonly ? GTF_readonly : 0);
}

static long take_entry(struct domain *d)
{
	if (d->free_entry_count)
		return d->free_entries[--d->free_entry_count];
	return d->next_entry < d->entries ? (long)d->next_entry++ : -ENOSPC;
}

long domain_grant(struct domain *d, unsigned int to, unsigned long pfn,
		  bool readonly)
{
	long ref;

	hypervisor_lock();
	ref = take_entry(d);
	if (ref >= 0)
		fill_entry(&d->table[ref], to, pfn, readonly);
	hypervisor_unlock();

	return ref;
}

long domain_entry_take(struct domain *d)
{
	long ref;

	hypervisor_lock();
	ref = take_entry(d);
	hypervisor_unlock();

	return ref;
}

void domain_entry_fill(struct domain *d, u32 ref, unsigned int to,
		       unsigned long pfn, bool readonly)
{
	hypervisor_lock();
	fill_entry(&d->table[ref], to, pfn, readonly);
	hypervisor_unlock();
}

int domain_grant_at(struct domain *d, uint32_t ref, unsigned int to,
		    unsigned long pfn, bool readonly)
{
	int err = -EBUSY;

	if (ref >= FIRST_FREE_REF)
		return -EINVAL;
	hypervisor_lock();
	if (!d->table[ref].flags) {
		fill_entry(&d->table[ref], to, pfn, readonly);
		err = 0;
	}
	hypervisor_unlock();

	return err;
}

int domain_ungrant(struct domain *d, uint32_t ref)
{
	int err = -EBUSY;

	if (ref >= d->entries)
		return -EINVAL;
	hypervisor_lock();
	if (d->table[ref].flags & (GTF_reading | GTF_writing))
		uses_settle();
	if (!(d->table[ref].flags & (GTF_reading | GTF_writing))) {
		d->table[ref].flags = 0;
		if (ref >= FIRST_FREE_REF)
			d->free_entries[d->free_entry_count++] = ref;
		err = 0;
	}
	hypervisor_unlock();

	return err;
}

int domain_revoke(struct domain *d, uint32_t ref)
{
	if (ref >= d->entries)
		return -EINVAL;
	hypervisor_lock();
	d->table[ref].flags &= ~GTF_type_mask;
	hypervisor_unlock();

	return 0;
}

s16 grant_swap(struct domain *d, u32 one, u32 other)
{
	const u16 in_use = GTF_reading | GTF_writing;
	struct grant_entry *a, *b, kept;
	s16 status = GNTST_okay;

	if (one >= d->entries || other >= d->entries)
		return GNTST_bad_gntref;

	hypervisor_lock();
	a = &d->table[one];
	b = &d->table[other];
	if ((a->flags | b->flags) & in_use)
		uses_settle();
	if ((a->flags | b->flags) & in_use) {
		status = GNTST_eagain;
	} else {
		kept = *a;
		*a = *b;
		*b = kept;
	}
	hypervisor_unlock();

	return status;
}

uint16_t domain_grant_flags(const struct domain *d, uint32_t ref)
{
	uint16_t flags;

	hypervisor_lock();
	uses_settle();
	flags = ref < d->entries ? d->table[ref].flags : 0;
	hypervisor_unlock();

	return flags;
}
