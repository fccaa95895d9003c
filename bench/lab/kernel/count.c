// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Counts this kernel's hypercalls, whoever makes them.
 *
 * On x86 all go through one static call, which is led through a few
 * instructions of our own here; probes are not allowed there. On arm64 each has
 * a function of its own, which is probed. For measurements alone: a kernel that
 * is not the lab's has no business with this.
 */
#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#include "count.h"

static bool counting;

#ifdef CONFIG_X86

#include <linux/static_call.h>
#include <asm/nospec-branch.h>
#include <asm/xen/hypercall.h>

unsigned long count_calls;
void *count_target;
void count_pass(void);

asm(".pushsection .text, \"ax\"\n"
    ".globl count_pass\n"
    ".type count_pass, @function\n"
    "count_pass:\n"
    "	lock incq count_calls(%rip)\n" ANNOTATE_RETPOLINE_SAFE
    "	jmp *count_target(%rip)\n"
    ".size count_pass, . - count_pass\n"
    ".popsection\n");

/* The kernel's own name for an address is found by a probe alone. */
static void *find_symbol(const char *name)
{
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	unsigned long (*lookup)(const char *name);

	if (register_kprobe(&probe))
		return NULL;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);

	return (void *)lookup(name);
}

static struct static_call_key *key;

int count_start(void)
{
	if (counting)
		return 0;
	key = find_symbol("__SCK__xen_hypercall");
	if (!key)
		return -ENOENT;
	count_target = key->func;
	__static_call_update(key, STATIC_CALL_TRAMP_ADDR(xen_hypercall),
			     count_pass);
	counting = true;

	return 0;
}

void count_stop(void)
{
	if (counting)
		__static_call_update(key, STATIC_CALL_TRAMP_ADDR(xen_hypercall),
				     count_target);
	counting = false;
}

u64 count_read(void)
{
	return READ_ONCE(count_calls);
}

#else

static atomic64_t calls;

static int count_one(struct kprobe *probe, struct pt_regs *regs)
{
	atomic64_inc(&calls);
	return 0;
}

#define PROBE(name) {.symbol_name = name, .pre_handler = count_one}

static struct kprobe probes[] = {
	PROBE("HYPERVISOR_xen_version"),
	PROBE("HYPERVISOR_console_io"),
	PROBE("HYPERVISOR_grant_table_op"),
	PROBE("HYPERVISOR_sched_op"),
	PROBE("HYPERVISOR_memory_op"),
	PROBE("HYPERVISOR_event_channel_op"),
	PROBE("HYPERVISOR_physdev_op"),
	PROBE("HYPERVISOR_vcpu_op"),
	PROBE("HYPERVISOR_multicall"),
	PROBE("HYPERVISOR_vm_assist"),
	PROBE("privcmd_call"),
};

int count_start(void)
{
	int i, err;

	if (counting)
		return 0;
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		err = register_kprobe(&probes[i]);
		if (err) {
			pr_err("gntdev-floor: probe of %s: %d\n",
			       probes[i].symbol_name, err);
			while (i--)
				unregister_kprobe(&probes[i]);
			return err;
		}
	}
	counting = true;

	return 0;
}

void count_stop(void)
{
	int i;

	for (i = 0; counting && i < ARRAY_SIZE(probes); i++)
		unregister_kprobe(&probes[i]);
	counting = false;
}

u64 count_read(void)
{
	return atomic64_read(&calls);
}

#endif
