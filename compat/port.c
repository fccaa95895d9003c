// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whose is an event channel port.
 *
 * /dev/xen/evtchn keeps that to itself: evtchn_get() tells only that some
 * program has bound the port. But it registers an interrupt handler for each
 * port, whose dev_id leads to the open file that bound it. This file follows
 * that path and looks whether the caller holds that open file.
 *
 * The layout below is a fact about drivers/xen/evtchn.c, the same since 3.13.
 * Its port member is checked: should the layout ever change, the answer is
 * "yes" with a notice, which is what the kernel's own check comes to.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/printk.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <xen/events.h>

#include "port.h"

struct bound_port {
	struct rb_node node;
	void *opener; /* private_data of the open /dev/xen/evtchn */
	evtchn_port_t port;
};

/* The open file's private data; NULL if the port has no handler now. */
static void *port_opener(evtchn_port_t port, bool *known)
{
	struct irq_data *data = irq_get_irq_data(irq_from_evtchn(port));
	const struct bound_port *bound;
	struct irq_desc *desc;
	void *opener = NULL;
	unsigned long flags;

	*known = true;
	if (!data)
		return NULL;

	desc = irq_data_to_desc(data);
	/* A handler is unlinked under this lock before its dev_id is freed. */
	raw_spin_lock_irqsave(&desc->lock, flags);
	if (desc->action && desc->action->dev_id) {
		bound = desc->action->dev_id;
		*known = bound->port == port;
		opener = bound->opener;
	}
	raw_spin_unlock_irqrestore(&desc->lock, flags);

	return opener;
}

static int is_opener(const void *opener, struct file *file, unsigned int fd)
{
	return file->private_data == opener;
}

/**
 * gntdev_port_is_callers() - has the calling process bound this port?
 * @port: an event channel port, on which the driver holds a reference
 *
 * Return: true if the caller holds the open /dev/xen/evtchn that bound @port.
 */
bool gntdev_port_is_callers(evtchn_port_t port)
{
	bool known;
	void *opener = port_opener(port, &known);

	if (!known) {
		pr_notice_once(
			"xen-gntdev: this kernel's /dev/xen/evtchn is not known; ports of other processes are accepted for notifications\n");
		return true;
	}

	return opener && iterate_fd(current->files, 0, is_opener, opener);
}
