// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The table: ranges by index, in a tree whose cost is logarithmic. */
#include "gntdev.h"

static u64 range_bytes(const struct grant_range *range)
{
	return (u64)range->count << PAGE_SHIFT;
}

/**
 * gntdev_table_insert() - give a range an index and put it into the table
 * @table: the table; the caller holds its instance's lock
 * @range: the range, with its count set
 *
 * Indexes only grow, so the new range is the rightmost. No index is given
 * twice: a program that keeps a stale one must not hit another range.
 *
 * Return: 0, or -ENOSPC if no index is left that fits mmap's signed offset.
 */
int gntdev_table_insert(struct table *table, struct grant_range *range)
{
	struct rb_node *last = rb_last(&table->root);

	if (table->next > S64_MAX - range_bytes(range))
		return -ENOSPC;

	range->index = table->next;
	table->next += range_bytes(range);
	table->grants += range->count;
	table->ranges++;

	rb_link_node(&range->node, last,
		     last ? &last->rb_right : &table->root.rb_node);
	rb_insert_color(&range->node, &table->root);

	return 0;
}

/**
 * gntdev_table_remove() - take a range out of the table
 * @table: the table; the caller holds its instance's lock
 * @range: a range in it
 *
 * A range that no caller was told of gives its index back, if it was the last
 * one: the first index that a program is ever told has to be 0.
 */
void gntdev_table_remove(struct table *table, struct grant_range *range)
{
	rb_erase(&range->node, &table->root);
	table->ranges--;
	table->grants -= range->count;

	if (range->state == RANGE_NEW &&
	    table->next == range->index + range_bytes(range))
		table->next = range->index;
}

/**
 * gntdev_table_from() - the first range that ends behind an index
 * @table: the table; the caller holds its instance's lock
 * @index: in bytes
 *
 * Return: the range that the index lies in, or else the next one, or NULL.
 */
struct grant_range *gntdev_table_from(const struct table *table, u64 index)
{
	struct rb_node *node = table->root.rb_node;
	struct grant_range *range, *found = NULL;

	while (node) {
		range = rb_entry(node, struct grant_range, node);
		if (range->index + range_bytes(range) > index) {
			found = range;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}

	return found;
}

/**
 * gntdev_table_find() - the range that an index lies in
 * @table: the table; the caller holds its instance's lock
 * @index: in bytes, from the range's index to the last byte of its last page
 *
 * Return: the range, or NULL.
 */
struct grant_range *gntdev_table_find(const struct table *table, u64 index)
{
	struct rb_node *node = table->root.rb_node;

	while (node) {
		struct grant_range *range =
			rb_entry(node, struct grant_range, node);

		if (index < range->index)
			node = node->rb_left;
		else if (index - range->index >= range_bytes(range))
			node = node->rb_right;
		else
			return range;
	}

	return NULL;
}
