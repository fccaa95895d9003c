// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Allocations: each is counted, and freed once by the right call. */
#include <pthread.h>
#include <stdlib.h>

#include "alloc.h"
#include "context.h"
#include "faults.h"
#include "../base/lists.h"

#define MAGIC_LIVE 0x6c697665U
#define MAGIC_DEAD 0x64656164U
#define GARBAGE 0xa5
/* More of it would only cost time: sanitizers look at the rest. */
#define GARBAGE_MOST 4096

struct allocation {
	struct list_head node;
	const char *where;
	size_t size;
	u32 magic;
	bool virtual; /* may be of vmalloc: kvfree only */
	char room[11]; /* so that what follows is aligned as malloc's is */
};

_Static_assert(sizeof(struct allocation) % 16 == 0, "memory is not aligned");

static struct {
	pthread_mutex_t lock;
	struct list_head all;
} live = {PTHREAD_MUTEX_INITIALIZER, {&live.all, &live.all}};

static void *allocate(size_t size, gfp_t flags, const char *where, bool virtual)
{
	struct allocation *a;

	if (flags & __GFP_DIRECT_RECLAIM) {
		might_sleep_in("an allocation with GFP_KERNEL");
		lock_might(&class_reclaim);
	}
	if (size > INT_MAX)
		machine_fatal("%s allocates %zu bytes, more than there may be",
			      where, size);

	a = malloc(sizeof(*a) + size);
	if (!a)
		return NULL;
	a->where = where;
	a->size = size;
	a->magic = MAGIC_LIVE;
	a->virtual = virtual;
	if (flags & __GFP_ZERO)
		memset(a + 1, 0, size);
	else
		memset(a + 1, GARBAGE, min(size, (size_t)GARBAGE_MOST));

	pthread_mutex_lock(&live.lock);
	list_add_tail(&a->node, &live.all);
	pthread_mutex_unlock(&live.lock);

	return a + 1;
}

void *machine_kmalloc(size_t size, gfp_t flags, const char *where)
{
	unsigned int variant;

	if (fault(SITE_KMALLOC, &variant))
		return NULL;
	return allocate(size, flags, where, false);
}

void *machine_vmalloc(size_t size, gfp_t flags, const char *where)
{
	unsigned int variant;

	if (fault(SITE_VMALLOC, &variant))
		return NULL;
	return allocate(size, flags, where, true);
}

void *machine_kzalloc(size_t size, gfp_t flags, const char *where)
{
	unsigned int variant;

	if (fault(SITE_KZALLOC, &variant))
		return NULL;
	return allocate(size, flags | __GFP_ZERO, where, false);
}

void *machine_kvmalloc(size_t size, gfp_t flags, const char *where)
{
	unsigned int variant;

	if (fault(SITE_KVMALLOC, &variant))
		return NULL;
	return allocate(size, flags, where, true);
}

void *machine_kvmalloc_array(size_t n, size_t size, gfp_t flags,
			     const char *where)
{
	size_t bytes = array_size(n, size);

	return bytes == SIZE_MAX ? NULL : machine_kvmalloc(bytes, flags, where);
}

void *alloc_counted(size_t size, gfp_t flags, const char *where)
{
	return allocate(size, flags, where, true);
}

void *machine_kvcalloc(size_t n, size_t size, gfp_t flags, const char *where)
{
	unsigned int variant;
	size_t bytes = array_size(n, size);

	if (bytes == SIZE_MAX || fault(SITE_KVCALLOC, &variant))
		return NULL;
	return allocate(bytes, flags | __GFP_ZERO, where, true);
}

static void release(const void *ptr, bool virtual)
{
	struct allocation *a;

	if (!ptr)
		return;
	a = (struct allocation *)ptr - 1;
	if (a->magic == MAGIC_DEAD)
		machine_fatal("memory from %s is freed twice", a->where);
	if (a->magic != MAGIC_LIVE)
		machine_fatal("%p is freed, which was never allocated", ptr);
	if (a->virtual && !virtual)
		machine_fatal("kfree of memory from %s, which takes kvfree",
			      a->where);
	if (virtual)
		might_sleep_in("kvfree");
	lock_check_freed(ptr, a->size);

	pthread_mutex_lock(&live.lock);
	list_del(&a->node);
	pthread_mutex_unlock(&live.lock);

	a->magic = MAGIC_DEAD;
	memset(a + 1, GARBAGE, min(a->size, (size_t)GARBAGE_MOST));
	free(a);
}

void kfree(const void *ptr)
{
	release(ptr, false);
}

void kvfree(const void *ptr)
{
	release(ptr, true);
}

size_t machine_allocated(void)
{
	struct allocation *a;
	size_t sum = 0;

	pthread_mutex_lock(&live.lock);
	list_for_each_entry(a, &live.all, node)
		sum += a->size;
	pthread_mutex_unlock(&live.lock);

	return sum;
}

unsigned int alloc_leaks(FILE *out)
{
	struct allocation *a, *next;
	unsigned int count = 0;

	list_for_each_entry_safe(a, next, &live.all, node) {
		if (out)
			fprintf(out,
				"machine: %zu bytes from %s were not freed\n",
				a->size, a->where);
		count++;
		list_del(&a->node);
		free(a);
	}

	return count;
}
