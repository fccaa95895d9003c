// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Failures on purpose: the sites that a call passes, and which of them fail. */
#include <pthread.h>
#include <stdlib.h>

#include "context.h"
#include "faults.h"
#include "vm.h"

static const struct {
	const char *name;
	unsigned int variants;
} sites[SITES] = {
	[SITE_KMALLOC] = {"kmalloc", 1},
	[SITE_KZALLOC] = {"kzalloc", 1},
	[SITE_VMALLOC] = {"vmalloc", 1},
	[SITE_KVMALLOC] = {"kvmalloc", 1},
	[SITE_KVCALLOC] = {"kvcalloc", 1},
	[SITE_COPY_FROM_USER] = {"copy_from_user", 1},
	[SITE_COPY_TO_USER] = {"copy_to_user", 1},
	[SITE_PUT_USER] = {"put_user", 1},
	[SITE_GET_USER] = {"get_user", 1},
	[SITE_ALLOC_PAGES] = {"gnttab_alloc_pages", 1},
	/* -EFAULT, -ENOMEM, no page, too few pages */
	[SITE_PIN] = {"pin_user_pages_fast", 4},
	[SITE_FRAMES] = {"with_frames", 1},
	/* -ENOMEM, -EINTR */
	[SITE_NOTIFIER] = {"mmu_interval_notifier_insert_locked", 2},
	/* at the first page, half-way */
	[SITE_PAGE_TABLES] = {"apply_to_page_range", 2},
	[SITE_INSERT_PAGES] = {"vm_insert_pages", 2},
	[SITE_EVTCHN_GET] = {"evtchn_get", 1},
	[SITE_MISC_REGISTER] = {"misc_register", 1},
	[SITE_LOCKED_VM] = {"account_locked_vm", 1},
	/* -ENOMEM, -ENFILE */
	[SITE_ANON_FILE] = {"anon_inode_getfile", 2},
	[SITE_PROC] = {"proc_create", 1},
	[SITE_WORKQUEUE] = {"alloc_workqueue", 1},
	[SITE_SIGNAL] = {"fatal_signal", 1},
	[SITE_P2M] = {"set_foreign_p2m_mapping", 1},
	[SITE_DEVICE] = {"root_device_register", 1},
	[SITE_PLATFORM_DRIVER] = {"platform_driver_register", 1},
	[SITE_PLATFORM_DEVICE] = {"platform_device_register_simple", 1},
	[SITE_DMA_MASK] = {"dma_coerce_mask_and_coherent", 1},
	[SITE_DMA_ALLOC] = {"dma_alloc_attrs", 1},
	[SITE_DMA_SGTABLE] = {"dma_get_sgtable_attrs", 1},
	/* -ENOMEM, -EIO */
	[SITE_DMA_MAP] = {"dma_map_sgtable", 2},
	[SITE_SG_ALLOC] = {"sg_alloc_table", 1},
	[SITE_ALLOC_PAGE] = {"alloc_page", 1},
	[SITE_VMAP] = {"vmap", 1},
	[SITE_SET_PRIVATE] = {"gnttab_pages_set_private", 1},
	[SITE_INCREASE] = {"xenmem_reservation_increase", 1},
	[SITE_DECREASE] = {"xenmem_reservation_decrease", 1},
	[SITE_REFERENCES] = {"gnttab_alloc_grant_references", 1},
	/* -EMFILE */
	[SITE_DESCRIPTOR] = {"get_unused_fd_flags", 1},
	/* -ENOMEM, -ENFILE */
	[SITE_DMABUF_EXPORT] = {"dma_buf_export", 2},
	[SITE_DMABUF_ATTACH] = {"dma_buf_attach", 1},
	/* -ENOMEM, -EINTR */
	[SITE_DMABUF_MAP] = {"dma_buf_map_attachment", 2},
	/* an error at once, an error half-way, preempted half-way */
	[SITE_MAP_CALL] = {"map_call", 3},
	[SITE_UNMAP_CALL] = {"unmap_call", 3},
	[SITE_COPY_CALL] = {"copy_call", 3},
	[SITE_QUERY_CALL] = {"query_call", 2},
	[SITE_MAP_STATUS] = {"map_status", 6},
	[SITE_UNMAP_STATUS] = {"unmap_status", 4},
	[SITE_COPY_STATUS] = {"copy_status", 6},
	[SITE_OVERFLOW] = {"evtchn-overflow", 1},
};

/* What a status site answers, by variant. */
static const s16 map_statuses[] = {
	GNTST_general_error,
	GNTST_no_device_space,
	GNTST_eagain,
	GNTST_permission_denied,
	-1000,
	7,
};
static const s16 unmap_statuses[] = {
	GNTST_general_error,
	GNTST_bad_handle,
	-1000,
	7,
};
static const s16 copy_statuses[] = {
	GNTST_general_error,
	GNTST_bad_gntref,
	GNTST_eagain,
	GNTST_bad_page,
	-1000,
	7,
};

/* All under the lock; @armed tells without it that there is nothing to do. */
static struct {
	pthread_mutex_t lock;
	int armed;
	u64 sites, failed, random;
	u64 nth;
	unsigned int variant;
	bool persistent;
	unsigned int of_million;
	int only; /* this site, or -1 */
	bool paused;
	pid_t spared; /* atomic: whose calls never fail */
	struct rule rules[MAX_RULES];
	unsigned int nrules;
	struct op_rule op_rules[MAX_RULES];
	unsigned int nop_rules;
	u64 ops[MACHINE_OPS];
	int last;
} plan = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = -1, .only = -1};

static bool chance(unsigned int of_million)
{
	plan.random ^= plan.random << 13;
	plan.random ^= plan.random >> 7;
	plan.random ^= plan.random << 17;
	return plan.random % 1000000 < of_million;
}

static bool rule_covers(const struct rule *rule, enum fault_site site)
{
	if (rule->site == ANY_SITE)
		return site != SITE_SIGNAL && site != SITE_OVERFLOW;
	if (rule->site == ALLOC_SITES)
		return site <= SITE_KVCALLOC || site == SITE_ALLOC_PAGES ||
		       site == SITE_DMA_ALLOC || site == SITE_SG_ALLOC ||
		       site == SITE_ALLOC_PAGE || site == SITE_VMAP;
	return rule->site == (int)site;
}

static bool rules_fail(enum fault_site site)
{
	struct rule *rule;
	bool fails = false;

	for (rule = plan.rules; rule < plan.rules + plan.nrules; rule++) {
		if (!rule_covers(rule, site))
			continue;
		rule->seen++;
		if (!rule->nth)
			fails |= chance(rule->of_million);
		else
			fails |= rule->seen == rule->nth ||
				 (rule->persistent && rule->seen > rule->nth);
	}

	return fails;
}

/*
 * What is asked millions of times is short, and a part of what asks: what is
 * behind it stays a function.
 */
static noinline bool planned(enum fault_site site, unsigned int *variant)
{
	bool fails;

	pthread_mutex_lock(&plan.lock);
	if (plan.only >= 0 && plan.only != (int)site) {
		pthread_mutex_unlock(&plan.lock);
		return false;
	}
	plan.sites++;
	fails = rules_fail(site);
	*variant = plan.variant;
	if (plan.nth)
		fails |= plan.sites == plan.nth ||
			 (plan.persistent && plan.sites > plan.nth);
	if (plan.of_million && chance(plan.of_million)) {
		fails = true;
		*variant = plan.random >> 32;
	}
	*variant %= sites[site].variants;
	if (fails) {
		plan.failed++;
		plan.last = site;
	}
	pthread_mutex_unlock(&plan.lock);

	return fails;
}

void machine_fail_never(pid_t pid)
{
	__atomic_store_n(&plan.spared, pid, __ATOMIC_RELAXED);
}

static bool is_spared(void)
{
	pid_t pid = __atomic_load_n(&plan.spared, __ATOMIC_RELAXED);

	return pid && context()->task && context()->task->pid == pid;
}

bool fault(enum fault_site site, unsigned int *variant)
{
	struct context *c = context();

	/* The task is being set up by a test, not in the kernel. */
	if (!c->locks.outer || __atomic_load_n(&plan.paused, __ATOMIC_RELAXED))
		return false;
	if (is_spared())
		return false;
	if (__atomic_load_n(&plan.armed, __ATOMIC_RELAXED))
		return planned(site, variant);
	c->sites++;

	return false;
}

void faults_passed(unsigned int count)
{
	if (count)
		__atomic_fetch_add(&plan.sites, count, __ATOMIC_RELAXED);
}

static bool op_rules_fail(enum machine_op op, s16 *status)
{
	unsigned int i;

	plan.ops[op]++;
	for (i = 0; i < plan.nop_rules; i++) {
		if (plan.op_rules[i].op != op ||
		    plan.op_rules[i].nth != plan.ops[op])
			continue;
		*status = plan.op_rules[i].status;
		plan.failed++;
		return true;
	}

	return false;
}

static noinline bool op_planned(enum machine_op op, bool user, s16 *status)
{
	bool fails;

	pthread_mutex_lock(&plan.lock);
	fails = op_rules_fail(op, status);
	if (op == MACHINE_OP_MAP && !fails)
		fails = op_rules_fail(user ? MACHINE_OP_UMAP : MACHINE_OP_KMAP,
				      status);
	pthread_mutex_unlock(&plan.lock);

	return fails;
}

bool fault_op(enum machine_op op, bool user, s16 *status)
{
	unsigned int variant;
	bool fails;

	if (__atomic_load_n(&plan.armed, __ATOMIC_RELAXED) &&
	    !__atomic_load_n(&plan.paused, __ATOMIC_RELAXED) &&
	    context()->locks.outer && !is_spared() &&
	    op_planned(op, user, status))
		return true;

	switch (op) {
	case MACHINE_OP_MAP:
		fails = fault(SITE_MAP_STATUS, &variant);
		*status = fails ? map_statuses[variant] : 0;
		break;
	case MACHINE_OP_UNMAP:
		fails = fault(SITE_UNMAP_STATUS, &variant);
		*status = fails ? unmap_statuses[variant] : 0;
		break;
	default:
		fails = fault(SITE_COPY_STATUS, &variant);
		*status = fails ? copy_statuses[variant] : 0;
		break;
	}

	return fails;
}

bool fault_overflow(void)
{
	bool fails;

	if (!__atomic_load_n(&plan.armed, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&plan.lock);
	fails = rules_fail(SITE_OVERFLOW);
	plan.failed += fails;
	pthread_mutex_unlock(&plan.lock);

	return fails;
}

bool machine_may_overflow(void)
{
	bool may = false;

	pthread_mutex_lock(&plan.lock);
	for (unsigned int i = 0; i < plan.nrules; i++)
		may |= plan.rules[i].site == SITE_OVERFLOW;
	pthread_mutex_unlock(&plan.lock);

	return may;
}

void machine_fail_none(void)
{
	pthread_mutex_lock(&plan.lock);
	__atomic_store_n(&plan.armed, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&plan.sites, 0, __ATOMIC_RELAXED);
	plan.failed = 0;
	plan.nth = 0;
	plan.of_million = 0;
	plan.nrules = 0;
	plan.nop_rules = 0;
	plan.last = -1;
	plan.only = -1;
	__atomic_store_n(&plan.paused, false, __ATOMIC_RELAXED);
	memset(plan.ops, 0, sizeof(plan.ops));
	pthread_mutex_unlock(&plan.lock);
}

void machine_fail_pause(bool on)
{
	__atomic_store_n(&plan.paused, on, __ATOMIC_RELAXED);
}

void faults_seed(u64 seed)
{
	plan.random = seed * 0x9e3779b97f4a7c15ULL | 1;
}

static void arm(void)
{
	__atomic_store_n(&plan.armed, 1, __ATOMIC_RELAXED);
}

void machine_fail_nth(uint64_t nth, unsigned int variant, bool persistent)
{
	machine_fail_none();
	pthread_mutex_lock(&plan.lock);
	plan.nth = nth;
	plan.variant = variant;
	plan.persistent = persistent;
	arm();
	pthread_mutex_unlock(&plan.lock);
}

void machine_fail_random(unsigned int of_million)
{
	pthread_mutex_lock(&plan.lock);
	plan.of_million = of_million;
	arm();
	pthread_mutex_unlock(&plan.lock);
}

int machine_fail_op(enum machine_op op, uint64_t nth, int16_t status)
{
	int err = 0;

	pthread_mutex_lock(&plan.lock);
	if (plan.nop_rules == MAX_RULES)
		err = -ENOSPC;
	else
		plan.op_rules[plan.nop_rules++] =
			(struct op_rule){op, plan.ops[op] + nth, status};
	arm();
	pthread_mutex_unlock(&plan.lock);

	return err;
}

uint64_t machine_sites(void)
{
	return __atomic_load_n(&plan.sites, __ATOMIC_RELAXED);
}

uint64_t machine_failed(void)
{
	return plan.failed;
}

const char *machine_failed_name(void)
{
	return plan.last < 0 ? NULL : sites[plan.last].name;
}

unsigned int machine_failed_variants(void)
{
	return plan.last < 0 ? 0 : sites[plan.last].variants;
}

int fault_site_by_name(const char *name, size_t len)
{
	int i;

	for (i = 0; i < SITES; i++) {
		if (strlen(sites[i].name) == len &&
		    !strncmp(sites[i].name, name, len))
			return i;
	}
	if (len == 3 && !strncmp(name, "any", len))
		return ANY_SITE;
	if (len == 5 && !strncmp(name, "alloc", len))
		return ALLOC_SITES;

	return -1;
}

int fault_op_by_name(const char *name, size_t len)
{
	static const char *const names[MACHINE_OPS] = {
		[MACHINE_OP_MAP] = "map",   [MACHINE_OP_KMAP] = "kmap",
		[MACHINE_OP_UMAP] = "umap", [MACHINE_OP_UNMAP] = "unmap",
		[MACHINE_OP_COPY] = "copy",
	};
	int i;

	for (i = 0; i < MACHINE_OPS; i++) {
		if (strlen(names[i]) == len && !strncmp(names[i], name, len))
			return i;
	}

	return -1;
}

void machine_fail_only(const char *name)
{
	pthread_mutex_lock(&plan.lock);
	plan.only = fault_site_by_name(name, strlen(name));
	arm();
	pthread_mutex_unlock(&plan.lock);
}

const char *fault_site_name(int site)
{
	return sites[site].name;
}

bool faults_add(const struct fault_spec *spec)
{
	bool fits;
	unsigned int i;

	pthread_mutex_lock(&plan.lock);
	fits = plan.nrules + spec->nrules <= MAX_RULES &&
	       plan.nop_rules + spec->nop_rules <= MAX_RULES;
	for (i = 0; fits && i < spec->nrules; i++)
		plan.rules[plan.nrules++] = spec->rules[i];
	for (i = 0; fits && i < spec->nop_rules; i++) {
		plan.op_rules[plan.nop_rules] = spec->op_rules[i];
		plan.op_rules[plan.nop_rules++].nth +=
			plan.ops[spec->op_rules[i].op];
	}
	if (fits)
		arm();
	pthread_mutex_unlock(&plan.lock);
	if (fits && spec->seeded)
		faults_seed(spec->seed);

	return fits;
}
