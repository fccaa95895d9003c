// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Event channels that notifications hold: one reference to each, be it for any
 * number of pages. The kernel counts those in 16 bits.
 */
#include "gntdev.h"

/*
 * When the domain is restored the kernel forgets its ports, and their numbers may
 * be others' since. What it had for them, the irq, stays, and names them here.
 */
struct held_port {
	struct rb_node node;
	u32 port;
	int irq;
	u64 pages;
};

static struct {
	struct mutex lock; /* taken alone */
	struct rb_root held; /* guarded by lock */
} ports;

void gntdev_ports_init(void)
{
	mutex_init(&ports.lock);
	ports.held = RB_ROOT;
}

/* The place of one in the tree: *link is NULL if it is not held. */
static struct rb_node **place(int irq, struct rb_node **parent)
{
	struct rb_node **link = &ports.held.rb_node;
	struct held_port *held;

	lockdep_assert_held(&ports.lock);

	*parent = NULL;
	while (*link) {
		held = rb_entry(*link, struct held_port, node);
		if (irq == held->irq)
			break;
		*parent = *link;
		link = irq < held->irq ? &(*link)->rb_left : &(*link)->rb_right;
	}

	return link;
}

/* Holds a port, on which there is a reference, for one more page. */
static int hold(u32 port, int irq, struct held_port *spare)
{
	struct rb_node *parent, **link;

	link = place(irq, &parent);
	if (*link) {
		rb_entry(*link, struct held_port, node)->pages++;
		/* The first one is enough. */
		evtchn_put(port);
		kfree(spare);
		return 0;
	}
	if (!spare) {
		evtchn_put(port);
		return -ENOMEM;
	}

	spare->port = port;
	spare->irq = irq;
	spare->pages = 1;
	rb_link_node(&spare->node, parent, link);
	rb_insert_color(&spare->node, &ports.held);

	return 0;
}

/**
 * gntdev_port_hold() - hold an event channel for a page
 * @port: its number
 * @irq: where to put what the kernel has for it
 *
 * Return: 0; -EINVAL if nobody has bound it through /dev/xen/evtchn; -ENOMEM.
 */
int gntdev_port_hold(u32 port, int *irq)
{
	struct held_port *spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	int err;

	if (evtchn_get(port)) {
		kfree(spare);
		return -EINVAL;
	}
	*irq = irq_from_evtchn(port);

	mutex_lock(&ports.lock);
	err = hold(port, *irq, spare);
	mutex_unlock(&ports.lock);

	return err;
}

/* Whether it is the same event channel still. */
bool gntdev_port_is_same(u32 port, int irq)
{
	return (int)irq_from_evtchn(port) == irq;
}

/* Not for so many of its pages any more. */
void gntdev_port_drop(int irq, u32 pages)
{
	struct rb_node *parent, **link;
	struct held_port *held;

	mutex_lock(&ports.lock);
	link = place(irq, &parent);
	held = rb_entry(*link, struct held_port, node);
	held->pages -= pages;
	if (!held->pages) {
		rb_erase(&held->node, &ports.held);
		if (gntdev_port_is_same(held->port, irq))
			evtchn_put(held->port);
		kfree(held);
	}
	mutex_unlock(&ports.lock);
}
