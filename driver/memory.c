// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory that programs cause to be allocated, and pages for their grants. */
#include "gntdev.h"

/*
 * Larger blocks are not even tried for: the kernel seldom has them. A block is as
 * long as a power of two, so that a third of it may be for nothing; single pages
 * are put together for less, but in a PV domain, where the hypervisor has to make
 * each entry.
 */
static size_t largest_block(void)
{
	return gntdev_mode->user_grants ? 8 * PAGE_SIZE : 2 * PAGE_SIZE;
}

/**
 * gntdev_memory_for_program() - memory in an amount that a program chose
 * @size: bytes
 *
 * Accounted to the program, and refused to it rather than that the kernel moves
 * others' pages for a large block, or kills another program.
 *
 * Return: memory for kvfree(), not cleared; or NULL.
 */
void *gntdev_memory_for_program(size_t size)
{
	void *memory = NULL;

	if (size <= PAGE_SIZE)
		return kmalloc(size, GFP_PROGRAM);
	if (size <= largest_block())
		memory = kmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NORETRY |
					       __GFP_NOWARN);

	return memory ?: __vmalloc(size, GFP_PROGRAM);
}

/* What is got for so many bytes. */
static size_t taken(size_t size)
{
	return size <= largest_block() ? roundup_pow_of_two(size)
				       : PAGE_ALIGN(size);
}

/* Bytes for which one allocation more is worth its time. */
#define WORTHWHILE 1024U

/**
 * gntdev_memory_with_array() - the same, for a head and an array
 * @head: bytes
 * @array: bytes; as many as a program chose
 * @apart: where the array is said to be, if it is an allocation of its own, for
 *	kvfree() too; or else NULL, and it follows the head
 *
 * An array may be a round number of bytes, beyond which a head takes as much again,
 * or a page more.
 *
 * Return: the head, for kvfree(), not cleared; or NULL.
 */
void *gntdev_memory_with_array(size_t head, size_t array, void **apart)
{
	void *memory;

	*apart = NULL;
	/* Of a short one so much cannot be saved. */
	if (head + array <= WORTHWHILE ||
	    taken(head) + taken(array) + WORTHWHILE > taken(head + array))
		return gntdev_memory_for_program(head + array);

	memory = gntdev_memory_for_program(head);
	if (!memory)
		return NULL;
	*apart = gntdev_memory_for_program(array);
	if (*apart)
		return memory;

	kvfree(memory);
	return NULL;
}

/*
 * Pages that are got by a worker: to get pages may take the locks of memory
 * hotplug, whose holder may wait for the mmap_lock that the asker holds.
 */
struct order {
	struct recheck recheck;
	struct completion done;
	refcount_t users; /* the worker and the asker */
	int state; /* enum order_state; exchanged by the one and the other */
	u32 count;
	struct page *pages[];
};

enum order_state {
	ORDER_OPEN,
	ORDER_FILLED, /* the pages are the asker's */
	ORDER_LEFT, /* nobody waits for them */
};

static void order_put(struct order *order)
{
	if (refcount_dec_and_test(&order->users))
		kvfree(order);
}

/* Once is enough, whatever comes of it. */
static bool order_fill(struct recheck *r)
{
	struct order *order = container_of(r, struct order, recheck);

	if (!gnttab_alloc_pages(order->count, order->pages) &&
	    xchg(&order->state, ORDER_FILLED) == ORDER_LEFT)
		gnttab_free_pages(order->count, order->pages);

	complete_all(&order->done);
	order_put(order);

	return true;
}

static struct order *order_create(u32 count)
{
	struct order *order;

	order = gntdev_memory_for_program(struct_size(order, pages, count));
	if (!order)
		return NULL;

	init_completion(&order->done);
	refcount_set(&order->users, 2);
	order->state = ORDER_OPEN;
	order->count = count;
	gntdev_recheck_at_once(&order->recheck, order_fill);

	return order;
}

/* Where pages are missing; nobody else has the mapping. */
static void place_pages(struct mapping *m, struct page **pages)
{
	u32 i;

	for (i = 0; i < m->count; i++) {
		if (!m->pages[i])
			m->pages[i] = *pages++;
	}
	m->missing = 0;
}

/**
 * gntdev_memory_add_pages() - get the pages that are missing in a mapping
 * @m: a range's mapping, of which no page is mapped
 *
 * For a caller that holds mmap_lock. Waits for a worker, but not for ever, in
 * case that the worker waits for the caller.
 *
 * Return: 0, -ENOMEM or, if a fatal signal is pending, -EINTR.
 */
int gntdev_memory_add_pages(struct mapping *m)
{
	struct order *order = order_create(m->missing);
	long left;
	int err = 0;

	if (!order)
		return -ENOMEM;

	left = wait_for_completion_killable_timeout(&order->done, HZ);
	if (xchg(&order->state, ORDER_LEFT) == ORDER_FILLED)
		place_pages(m, order->pages);
	else
		err = left < 0 ? -EINTR : -ENOMEM;
	order_put(order);

	return err;
}
