// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Holdings: who maps, exports and grants what, a line each, in
 * /proc/driver/xen-gntdev, for root. (debugfs is not to be read on a host that
 * booted by Secure Boot, and an attribute of sysfs ends with its page.)
 *
 * A few things are looked at with a lock held and told when it is free again. So
 * a reader holds nobody up, and sees what comes and goes meanwhile, or not.
 */
#include "gntdev.h"
#include "dmabuf.h"

#define PROC_FILE "driver/xen-gntdev"

/* Things that are looked at in one go. */
#define BATCH 32U

/* Grants of several domains that are looked at in one go. */
#define MOST_GRANTS 4096U

/* One thing, as it was when it was looked at. */
struct holding {
	const char *kind;
	const char *state;
	const char *name; /* what @number is */
	u64 number;
	u32 count;
	struct ioctl_gntdev_grant_ref first;
	struct holder holder;
};

/* Where a reader is: instances one by one, then what waits for others. */
enum stage {
	STAGE_INSTANCE,
	STAGE_RANGES,
	STAGE_EXPORTS,
	STAGE_IMPORTS,
	STAGE_WAITING,
	STAGE_OVER,
};

struct reader {
	struct instance *inst; /* a reference, while it is being read */
	u64 instance; /* the number of the one that it is at */
	enum stage stage;
	u64 next; /* where the stage goes on */
	loff_t pos; /* of the thing that is told next */
	u32 used, at;
	struct holding things[BATCH];
};

static struct {
	struct mutex lock; /* nothing else is taken under it */
	struct list_head instances; /* guarded by lock; ordered by number */
	u64 last; /* the newest one's number */
} all;

void gntdev_holdings_add(struct instance *inst)
{
	mutex_lock(&all.lock);
	inst->number = ++all.last;
	list_add_tail(&inst->node, &all.instances);
	mutex_unlock(&all.lock);
}

void gntdev_holdings_remove(struct instance *inst)
{
	mutex_lock(&all.lock);
	list_del(&inst->node);
	mutex_unlock(&all.lock);
}

/* The first instance from a number on, with a reference; or NULL. */
static struct instance *instance_from(u64 number, struct instance *after)
{
	struct instance *inst, *found = NULL;

	mutex_lock(&all.lock);
	inst = list_prepare_entry(after, &all.instances, node);
	list_for_each_entry_continue(inst, &all.instances, node) {
		/* One that nobody refers to is about to be taken out. */
		if (inst->number >= number &&
		    kref_get_unless_zero(&inst->refs)) {
			found = inst;
			break;
		}
	}
	mutex_unlock(&all.lock);

	return found;
}

static bool is_full(const struct reader *r)
{
	return r->used == BATCH;
}

static struct holding *add(struct reader *r)
{
	return &r->things[r->used++];
}

static const char *state_name(enum range_state state)
{
	switch (state) {
	case RANGE_MAPPED:
		return "mapped";
	case RANGE_MAPPING:
	case RANGE_UNMAPPING:
		return "changing";
	default:
		return "inserted";
	}
}

/* Whose grant a page is; ANY_DOMAIN for an area's slot that is empty. */
static u32 domain_of(const struct grant_range *range, u32 page)
{
	if (range->area)
		return gntdev_area_slot_domain(range, page);

	return range->grants[page].domid;
}

/* How many grants from @page on are of one domain, or are looked at. */
static u32 run_length(const struct grant_range *range, u32 page)
{
	u32 most = min(range->count - page, MOST_GRANTS), n = 1;

	if (!range->area && range->domid != ANY_DOMAIN)
		return range->count - page;
	while (n < most && domain_of(range, page + n) == domain_of(range, page))
		n++;

	return n;
}

/* Of a range with grants of several domains, each row of one is a thing. */
static u32 add_grants(struct reader *r, const struct grant_range *range,
		      u32 page)
{
	u32 domid = domain_of(range, page), n = run_length(range, page);
	struct holding *h;

	/* Nobody's page is there. */
	if (domid == ANY_DOMAIN)
		return n;

	h = add(r);
	h->kind = range->area ? "area" : range->lent ? "memory" : "range";
	h->state = range->lent ? "granted" : state_name(range->state);
	h->name = "index";
	h->number = range->index;
	h->count = n;
	h->first.domid = domid;
	h->first.ref = range->grants[page].ref;
	h->holder = range->holder;

	return n;
}

/* @next is the index of the page to go on with. */
static void look_at_ranges(struct reader *r)
{
	const struct grant_range *range;
	u32 page, n, left = MOST_GRANTS;

	range = gntdev_table_from(&r->inst->table, r->next);
	while (range && !is_full(r) && left) {
		page = 0;
		if (r->next > range->index)
			page = (r->next - range->index) >> PAGE_SHIFT;
		n = add_grants(r, range, page);
		if (range->area || range->domid == ANY_DOMAIN)
			left -= min(left, n);
		r->next = range->index + ((u64)(page + n) << PAGE_SHIFT);
		range = gntdev_table_from(&r->inst->table, r->next);
	}
	if (!range)
		r->stage = STAGE_EXPORTS;
}

/* The newest is the first; @next is the number of the last one told, or 0. */
static void look_at_exports(struct reader *r)
{
	const struct exported *exp;
	struct holding *h;

	list_for_each_entry(exp, &r->inst->exports, node) {
		if (r->next && exp->number >= r->next)
			continue;
		if (is_full(r))
			return;
		h = add(r);
		h->kind = "export";
		h->state = "mapped";
		h->name = "fd";
		h->number = exp->fd;
		h->count = exp->count;
		h->first = exp->grants[0];
		h->holder = exp->holder;
		r->next = exp->number;
	}
	r->stage = STAGE_IMPORTS;
}

static void look_at_imports(struct reader *r)
{
	const struct imported *imp;
	struct holding *h;

	list_for_each_entry(imp, &r->inst->imports, node) {
		if (r->next && imp->number >= r->next)
			continue;
		if (is_full(r))
			return;
		h = add(r);
		h->kind = "import";
		h->state = "granted";
		h->name = "fd";
		h->number = imp->fd;
		h->count = imp->count;
		h->first.domid = imp->domid;
		h->first.ref = imp->refs[0];
		h->holder = imp->holder;
		r->next = imp->number;
	}
	r->stage = STAGE_INSTANCE;
}

static void look_at_instance(struct reader *r)
{
	enum stage stage = r->stage;

	mutex_lock(&r->inst->lock);
	if (stage == STAGE_RANGES)
		look_at_ranges(r);
	else if (stage == STAGE_EXPORTS)
		look_at_exports(r);
	else
		look_at_imports(r);
	mutex_unlock(&r->inst->lock);

	if (r->stage != stage)
		r->next = 0;
}

/* A thing without a kind stands for the instance as a whole. */
static void next_instance(struct reader *r)
{
	struct instance *inst = instance_from(r->instance + 1, r->inst);

	if (r->inst)
		gntdev_instance_put(r->inst);
	r->inst = inst;
	r->next = 0;
	r->stage = STAGE_WAITING;
	if (!inst)
		return;

	r->instance = inst->number;
	r->stage = STAGE_RANGES;
	add(r)->kind = NULL;
}

static bool add_waiting(const struct held *held, void *arg)
{
	struct reader *r = arg;
	struct holding *h;

	if (is_full(r))
		return false;
	h = add(r);
	h->kind = held->kind;
	h->state = "waiting";
	h->name = NULL;
	h->count = READ_ONCE(held->count);
	h->first = held->first;
	h->holder = held->holder;

	return true;
}

/* Looks at some things more; false if there are none. */
static bool look(struct reader *r)
{
	r->at = 0;
	r->used = 0;
	while (!r->used && r->stage != STAGE_OVER) {
		if (r->stage == STAGE_INSTANCE)
			next_instance(r);
		else if (r->stage != STAGE_WAITING)
			look_at_instance(r);
		else if (gntdev_recheck_each(&r->next, add_waiting, r))
			r->stage = STAGE_OVER;
	}

	return r->used;
}

static void *thing(struct reader *r)
{
	return r->at < r->used || look(r) ? &r->things[r->at] : NULL;
}

static void *holdings_start(struct seq_file *seq, loff_t *pos)
{
	struct reader *r = seq->private;
	bool at_instance;

	if (!*pos) {
		memset(r, 0, sizeof(*r));
		return SEQ_START_TOKEN;
	}

	/* It goes on where it was; the instance may have gone meanwhile. */
	at_instance = r->stage < STAGE_WAITING && r->instance;
	r->inst = at_instance ? instance_from(r->instance, NULL) : NULL;
	if (r->inst && r->inst->number != r->instance) {
		gntdev_instance_put(r->inst);
		r->inst = NULL;
	}
	if (at_instance && !r->inst)
		r->stage = STAGE_INSTANCE;

	return thing(r);
}

static void *holdings_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct reader *r = seq->private;

	++*pos;
	if (v != SEQ_START_TOKEN)
		r->at++;

	return thing(r);
}

static void holdings_stop(struct seq_file *seq, void *v)
{
	struct reader *r = seq->private;

	if (r->inst)
		gntdev_instance_put(r->inst);
	r->inst = NULL;
}

static void show_host(struct seq_file *seq)
{
	u32 frames, most;

	gntdev_limits_grant_frames(&frames, &most);
	seq_printf(seq,
		   "host mode=%s mapped=%ld deferred=%ld kept=%ld leaked=%ld",
		   gntdev_mode->name, atomic_long_read(&gntdev_counters.mapped),
		   atomic_long_read(&gntdev_counters.deferred),
		   atomic_long_read(&gntdev_counters.kept),
		   atomic_long_read(&gntdev_counters.leaked));
	seq_printf(seq, " handles=%ld grant_frames=%u max_grant_frames=%u\n",
		   atomic_long_read(&gntdev_counters.handles), frames, most);
}

/* The command is the last, as anything may be in it; no control character is. */
static void show_holder(struct seq_file *seq, const struct holder *holder)
{
	u32 age = (u32)ktime_get_seconds() - holder->since;
	char command[TASK_COMM_LEN];
	u32 i;

	for (i = 0; i < TASK_COMM_LEN - 1 && holder->command[i]; i++) {
		command[i] = holder->command[i];
		if (command[i] < ' ' || command[i] > '~')
			command[i] = '?';
	}
	command[i] = '\0';
	seq_printf(seq, " age=%u process=%d command=%s\n", age, holder->pid,
		   command);
}

static void show_instance(struct seq_file *seq, const struct instance *inst)
{
	struct tally tally = gntdev_tally_read(inst);

	seq_printf(seq, "instance number=%llu owner=%u grants=%llu closed=%d",
		   inst->number, inst->owner,
		   READ_ONCE(inst->table.grants) +
			   READ_ONCE(inst->exported_grants),
		   READ_ONCE(inst->closed));
	seq_printf(seq, " maps=%llu unmaps=%llu copies=%llu bytes=%llu",
		   tally.maps, tally.unmaps, tally.copies, tally.bytes);
	show_holder(seq, &inst->opener);
}

static int holdings_show(struct seq_file *seq, void *v)
{
	const struct reader *r = seq->private;
	const struct holding *h = v;

	if (v == SEQ_START_TOKEN) {
		show_host(seq);
		return 0;
	}
	if (!h->kind) {
		/* It went before it could be told. */
		if (r->inst)
			show_instance(seq, r->inst);
		return 0;
	}

	seq_printf(seq, "%s domain=%u reference=%u count=%u state=%s", h->kind,
		   h->first.domid, h->first.ref, h->count, h->state);
	if (h->name)
		seq_printf(seq, " instance=%llu %s=%llu", r->instance, h->name,
			   h->number);
	show_holder(seq, &h->holder);

	return 0;
}

static const struct seq_operations holdings_ops = {
	.start = holdings_start,
	.next = holdings_next,
	.stop = holdings_stop,
	.show = holdings_show,
};

/* Without /proc, or a place in it, the device works as well. */
void __init gntdev_holdings_init(void)
{
	mutex_init(&all.lock);
	INIT_LIST_HEAD(&all.instances);
	all.last = 0;
	if (!proc_create_seq_private(PROC_FILE, 0400, NULL, &holdings_ops,
				     sizeof(struct reader), NULL))
		pr_notice("there is no /proc/" PROC_FILE "\n");
}

/* No instance is left; whoever reads the file is waited for. */
void gntdev_holdings_exit(void)
{
	remove_proc_entry(PROC_FILE, NULL);
	mutex_destroy(&all.lock);
}
