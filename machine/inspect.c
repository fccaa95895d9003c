// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The live state, for people: instances, ranges, notifications, mappings. The
 * one file of the machine that knows the driver's structures.
 */
#include "../driver/area.h"
#include "../driver/gntdev.h"
#include "../driver/dmabuf.h"

#include "devices/devices.h"
#include "inspect.h"
#include "machine.h"
#include "kernel/calls.h"
#include "xen/xen.h"

void driver_reset(void)
{
	memset(&gntdev_counters, 0, sizeof(gntdev_counters));
	gntdev_mode = NULL;
}

static const char *state_name(enum range_state state)
{
	static const char *const names[] = {
		[RANGE_NEW] = "new",
		[RANGE_INSERTED] = "inserted",
		[RANGE_MAPPING] = "being mapped",
		[RANGE_MAPPED] = "mapped",
		[RANGE_UNMAPPING] = "being unmapped",
		[RANGE_GONE] = "gone",
	};

	return names[state];
}

static unsigned int filled_slots(struct area *area)
{
	unsigned int i, filled = 0;

	spin_lock(&area->lock);
	for (i = 0; i < area->count; i++)
		filled += area->states[i] != SLOT_FREE;
	spin_unlock(&area->lock);

	return filled;
}

static void list_notify(const struct grant_range *range, FILE *out)
{
	u32 i;

	for (i = 0; range->notify && i < range->count; i++) {
		const struct notify *n = &range->notify[i];

		if (n->action & UNMAP_NOTIFY_CLEAR_BYTE)
			fprintf(out, "      page %u: clears byte %u\n", i,
				n->byte);
		if (n->action & UNMAP_NOTIFY_SEND_EVENT)
			fprintf(out, "      page %u: sends on port %u\n", i,
				n->port);
	}
}

struct listing {
	struct domain *domain;
	FILE *out;
};

static void describe_export(const struct exported *exp, FILE *out)
{
	fprintf(out, "dma-buf: %u pages, first grant %u of domain %u\n",
		exp->count, exp->grants[0].ref, exp->grants[0].domid);
}

static void describe_import(const struct imported *imp,
			    const struct domain *domain, FILE *out)
{
	fprintf(out,
		"dma-buf: %u pages granted to domain %u, first reference %u\n",
		imp->count, domain->table[imp->refs[0]].domid, imp->refs[0]);
}

/* The dma-bufs whose pages an instance grants, a line each with @before it. */
static unsigned int list_imports(const struct instance *inst,
				 const struct domain *domain,
				 const char *before, FILE *out)
{
	const struct imported *imp;
	unsigned int count = 0;

	list_for_each_entry(imp, &inst->imports, node) {
		fputs(before, out);
		describe_import(imp, domain, out);
		count++;
	}

	return count;
}

static void describe_range(const struct grant_range *range, FILE *out)
{
	if (range->area)
		fprintf(out, "    area at %#llx: %u slots, %u filled, %s\n",
			range->index, range->count, filled_slots(range->area),
			state_name(range->state));
	else
		fprintf(out,
			"    range at %#llx: %u grants, first %u of domain %u, %s\n",
			range->index, range->count, range->grants[0].ref,
			range->grants[0].domid, state_name(range->state));
}

/* One instance of the driver; its lock is taken as by one of its requests. */
static void list_instance(struct file *file, void *arg)
{
	struct listing *l = arg;
	struct instance *inst = file->private_data;
	const struct exported *exp;
	struct grant_range *range;
	struct rb_node *node;
	struct context c;

	if (file->domain != l->domain || strcmp(file_name(file), "gntdev"))
		return;
	/* By the device's file, and after the last descriptor by the VMAs'. */
	if (file_is_anonymous(file) && !inst->closed)
		return;

	call_begin(&c, NULL, file->domain);
	mutex_lock(&inst->lock);
	fprintf(l->out, "  instance: %u ranges, %llu grants\n",
		inst->table.ranges, inst->table.grants);
	for (node = rb_first(&inst->table.root); node; node = rb_next(node)) {
		range = rb_entry(node, struct grant_range, node);
		describe_range(range, l->out);
		list_notify(range, l->out);
	}
	list_for_each_entry(exp, &inst->exports, node) {
		fputs("    ", l->out);
		describe_export(exp, l->out);
	}
	list_imports(inst, l->domain, "    ", l->out);
	mutex_unlock(&inst->lock);
	call_end(&c);
}

/* The VMAs of a task, a line each with @before it; returns how many. */
static unsigned int list_vmas(struct task *task, const char *before, FILE *out)
{
	struct vm_area_struct *vma;
	unsigned int count = 0;
	struct grant_range *range;
	struct window *w;
	struct context c;

	context_enter(&c, NULL, task->domain);
	down_read(&task->mm->mmap_lock);
	for (vma = find_vma(task->mm, 0); vma; vma = vma_next(vma)) {
		w = vma->vm_private_data;
		count++;
		fprintf(out, "%s%s at %#lx, %lu pages", before,
			file_name(vma->vm_file), vma->vm_start, vma_pages(vma));
		if (!strcmp(file_name(vma->vm_file), "gntdev") && w) {
			range = w->mapping->range;
			if (range->area)
				fprintf(out, ", area at %#llx, %u slots filled",
					range->index,
					filled_slots(range->area));
			else
				fprintf(out,
					", range at %#llx, first grant %u of domain %u",
					range->index, range->grants[0].ref,
					range->grants[0].domid);
		}
		if (!strcmp(file_name(vma->vm_file), gntalloc_device.name))
			gntalloc_describe(vma, out);
		fputc('\n', out);
	}
	up_read(&task->mm->mmap_lock);
	context_leave(&c);

	return count;
}

static unsigned int list_process(struct task *task, FILE *out)
{
	char before[32];

	snprintf(before, sizeof(before), "  process %d: ", (int)task->pid);

	return list_vmas(task, before, out);
}

static void list_task(struct task *task, void *arg)
{
	struct listing *l = arg;

	if (task->domain == l->domain)
		list_process(task, l->out);
}

static void list_domain(struct domain *d, void *arg)
{
	struct listing l = {d, arg};

	fprintf(l.out, "domain %u: %u grants mapped\n", d->id, d->mappings);
	files_each(list_instance, &l);
	tasks_each(list_task, &l);
	gntalloc_list(d, l.out);
	ports_list(d, l.out);
}

void machine_list(FILE *out)
{
	struct machine_counters n;

	machine_counters(&n);
	fprintf(out,
		"machine: %s, %ld pages mapped, %ld deferred, %ld leaked\n",
		machine_mode() == MACHINE_PV ? "pv" : "auto-translated",
		n.mapped, n.deferred, n.leaked);
	domains_each(list_domain, out);
}

struct report {
	FILE *out;
	unsigned int count;
};

unsigned int task_report(struct task *task, FILE *out)
{
	return list_vmas(task, "", out);
}

/* Ranges that nobody removed; what is mapped of them is told with its task. */
static unsigned int report_ranges(const struct instance *inst, FILE *out)
{
	const struct grant_range *range;
	unsigned int count = 0;
	struct rb_node *node;

	for (node = rb_first(&inst->table.root); node; node = rb_next(node)) {
		range = rb_entry(node, struct grant_range, node);
		if (range->state == RANGE_MAPPED)
			continue;
		fprintf(out,
			"gntdev: range at %#llx not removed, %u grants, first %u of domain %u\n",
			range->index, range->count, range->grants[0].ref,
			range->grants[0].domid);
		count++;
	}

	return count;
}

static unsigned int report_instance(struct file *file, FILE *out)
{
	struct instance *inst = file->private_data;
	unsigned int count;
	struct context c;

	call_begin(&c, NULL, file->domain);
	mutex_lock(&inst->lock);
	count = report_ranges(inst, out);
	count += list_imports(inst, file->domain, "", out);
	mutex_unlock(&inst->lock);
	call_end(&c);

	return count;
}

unsigned int file_report(struct file *file, FILE *out)
{
	const struct dma_buf *dmabuf = dma_buf_of(file);

	if (dmabuf && dmabuf->ops == &gntdev_export_ops) {
		describe_export(dmabuf->priv, out);
		return 1;
	}
	if (!strcmp(file_name(file), "gntdev") && !file_is_anonymous(file))
		return report_instance(file, out);
	if (!strcmp(file_name(file), gntalloc_device.name))
		return gntalloc_report(file, out);
	if (!strcmp(file_name(file), evtchn_device.name))
		return evtchn_report(file, out);

	return 0;
}

bool file_overflown(struct file *file)
{
	return !strcmp(file_name(file), evtchn_device.name) &&
	       evtchn_overflown(file);
}

static void report_task(struct task *task, void *arg)
{
	struct report *r = arg;

	r->count += list_process(task, r->out);
}

static void report_track(const struct track *t, void *arg)
{
	struct report *r = arg;

	const struct page *page = t->place.at;

	/* Pages that a VMA shows were told with it. */
	if (t->place.kind != PLACE_FRAME ||
	    page_count(page) < 2 + (int)page->maps)
		return;
	r->count++;
	fprintf(r->out, "  grant %u of domain %u: in use by domain %u\n",
		t->ref, t->granter->id, t->mapper->id);
}

unsigned int machine_report(FILE *out)
{
	struct report r = {out, 0};

	tasks_each(report_task, &r);
	tracks_each(report_track, &r);

	return r.count;
}
