/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Lists and ordered trees. Models: the order and the calls are the kernel's;
 * the tree is balanced by random weights (a treap) instead of by colours.
 */
#ifndef MACHINE_BASE_LISTS_H
#define MACHINE_BASE_LISTS_H

#include "types.h"

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD(name) struct list_head name = {&(name), &(name)}

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline int list_empty(const struct list_head *head)
{
	return head->next == head;
}

/* Both catch an entry that is in two lists or in none. */
void list_add_tail(struct list_head *entry, struct list_head *head);
void list_del(struct list_head *entry);

static inline void list_add(struct list_head *entry, struct list_head *head)
{
	list_add_tail(entry, head->next);
}

static inline void list_move_tail(struct list_head *entry,
				  struct list_head *head)
{
	list_del(entry);
	list_add_tail(entry, head);
}

static inline void list_del_init(struct list_head *entry)
{
	/* Of one that is alone it is nothing. */
	if (!list_empty(entry))
		list_del(entry);
	INIT_LIST_HEAD(entry);
}

/* Moves all of @list to the front of @head; the first leaves @list as it was. */
void list_splice(const struct list_head *list, struct list_head *head);
void list_splice_init(struct list_head *list, struct list_head *head);

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) \
	list_entry((head)->next, type, member)
/* Also of what stands for the head, where there is no whole entry to look into. */
#define list_link(pos, member)                \
	((struct list_head *)((char *)(pos) + \
			      offsetof(__typeof__(*(pos)), member)))
#define list_for_each_entry(pos, head, member)                         \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); \
	     list_link(pos, member) != (head);                         \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_prepare_entry(pos, head, member) \
	((pos) ?: list_entry(head, __typeof__(*pos), member))
/* From the one behind @pos on. */
#define list_for_each_entry_continue(pos, head, member)                       \
	for (pos = list_entry(list_link(pos, member)->next, __typeof__(*pos), \
			      member);                                        \
	     list_link(pos, member) != (head);                                \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_safe(pos, n, head, member)                     \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),     \
	    n = list_entry(list_link(pos, member)->next, __typeof__(*pos), \
			   member);                                        \
	     list_link(pos, member) != (head);                             \
	     pos = n, n = list_entry(list_link(n, member)->next,           \
				     __typeof__(*n), member))

struct rb_node {
	struct rb_node *rb_parent;
	struct rb_node *rb_left;
	struct rb_node *rb_right;
	u32 weight; /* a parent's is never less than its children's */
};

struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT ((struct rb_root){NULL})
#define RB_EMPTY_ROOT(root) (!(root)->rb_node)
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_entry_safe(ptr, type, member)                          \
	({                                                        \
		__typeof__(ptr) node_ = (ptr);                    \
		node_ ? container_of(node_, type, member) : NULL; \
	})

void rb_link_node(struct rb_node *node, struct rb_node *parent,
		  struct rb_node **link);
void rb_insert_color(struct rb_node *node, struct rb_root *root);
void rb_erase(struct rb_node *node, struct rb_root *root);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);
struct rb_node *rb_first_postorder(const struct rb_root *root);
struct rb_node *rb_next_postorder(const struct rb_node *node);

#define rbtree_postorder_for_each_entry_safe(pos, n, root, field)            \
	for (pos = rb_entry_safe(rb_first_postorder(root), __typeof__(*pos), \
				 field);                                     \
	     pos && ({                                                       \
		     n = rb_entry_safe(rb_next_postorder(&pos->field),       \
				       __typeof__(*pos), field);             \
		     1;                                                      \
	     });                                                             \
	     pos = n)

#endif /* MACHINE_BASE_LISTS_H */
