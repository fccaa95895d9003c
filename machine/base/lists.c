// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Lists and ordered trees, and what is damaged in them. */
#include "lists.h"

/* Where an entry that was taken out points: nowhere that may be followed. */
#define LIST_POISON ((struct list_head *)0x5a5a5a5aUL)

static void list_insert(struct list_head *entry, struct list_head *before,
			struct list_head *after)
{
	if (before->next != after || after->prev != before)
		machine_fatal("list_add_tail: the list is damaged");
	if (entry == before || entry == after)
		machine_fatal("list_add_tail: the entry is in the list");

	entry->prev = before;
	entry->next = after;
	before->next = entry;
	after->prev = entry;
}

void list_add_tail(struct list_head *entry, struct list_head *head)
{
	list_insert(entry, head->prev, head);
}

void list_del(struct list_head *entry)
{
	if (entry->next == LIST_POISON)
		machine_fatal("list_del: the entry was taken out before");
	if (entry->prev->next != entry || entry->next->prev != entry)
		machine_fatal("list_del: the list is damaged");

	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	entry->next = LIST_POISON;
	entry->prev = LIST_POISON;
}

void list_splice(const struct list_head *list, struct list_head *head)
{
	if (list_empty(list))
		return;

	list->prev->next = head->next;
	head->next->prev = list->prev;
	list->next->prev = head;
	head->next = list->next;
}

void list_splice_init(struct list_head *list, struct list_head *head)
{
	list_splice(list, head);
	INIT_LIST_HEAD(list);
}

void rb_link_node(struct rb_node *node, struct rb_node *parent,
		  struct rb_node **link)
{
	if (*link)
		machine_fatal("rb_link_node: the place is taken");

	node->rb_parent = parent;
	node->rb_left = NULL;
	node->rb_right = NULL;
	*link = node;
}

/* Weights need not be secret, only unrelated to the order. */
static u32 random_weight(void)
{
	static _Thread_local u32 state = 0x9e3779b9U;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static struct rb_node **link_to(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent = node->rb_parent;

	if (!parent)
		return &root->rb_node;
	return parent->rb_left == node ? &parent->rb_left : &parent->rb_right;
}

/* Puts a node in its parent's place, and the parent below it. */
static void rotate_up(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent = node->rb_parent;
	struct rb_node *moved;
	struct rb_node **link = link_to(parent, root);

	if (parent->rb_left == node) {
		moved = node->rb_right;
		parent->rb_left = moved;
		node->rb_right = parent;
	} else {
		moved = node->rb_left;
		parent->rb_right = moved;
		node->rb_left = parent;
	}
	if (moved)
		moved->rb_parent = parent;
	node->rb_parent = parent->rb_parent;
	parent->rb_parent = node;
	*link = node;
}

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	if (*link_to(node, root) != node)
		machine_fatal("rb_insert_color: the node is not linked");

	node->weight = random_weight();
	while (node->rb_parent && node->rb_parent->weight < node->weight)
		rotate_up(node, root);
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *child;

	if (node->rb_parent == node || *link_to(node, root) != node)
		machine_fatal("rb_erase: the node is not in the tree");

	while (node->rb_left && node->rb_right)
		rotate_up(node->rb_left->weight > node->rb_right->weight
				  ? node->rb_left
				  : node->rb_right,
			  root);

	child = node->rb_left ? node->rb_left : node->rb_right;
	*link_to(node, root) = child;
	if (child)
		child->rb_parent = node->rb_parent;
	/* In no tree any more: a second erase is caught above. */
	node->rb_parent = node;
}

static struct rb_node *leftmost(struct rb_node *node)
{
	while (node && node->rb_left)
		node = node->rb_left;
	return node;
}

static struct rb_node *rightmost(struct rb_node *node)
{
	while (node && node->rb_right)
		node = node->rb_right;
	return node;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return leftmost(root->rb_node);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return rightmost(root->rb_node);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	if (node->rb_right)
		return leftmost(node->rb_right);
	while (node->rb_parent && node->rb_parent->rb_right == node)
		node = node->rb_parent;
	return node->rb_parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	if (node->rb_left)
		return rightmost(node->rb_left);
	while (node->rb_parent && node->rb_parent->rb_left == node)
		node = node->rb_parent;
	return node->rb_parent;
}

static struct rb_node *deepest(struct rb_node *node)
{
	while (node && (node->rb_left || node->rb_right))
		node = node->rb_left ? node->rb_left : node->rb_right;
	return node;
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return deepest(root->rb_node);
}

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = node->rb_parent;

	if (parent && parent->rb_left == node && parent->rb_right)
		return deepest(parent->rb_right);
	return parent;
}
