// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Address spaces: who keeps one from going, and what counts as locked in it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "context.h"
#include "faults.h"
#include "vm.h"

void mmgrab(struct mm_struct *mm)
{
	__atomic_fetch_add(&mm->users, 1, __ATOMIC_ACQ_REL);
}

void mmdrop(struct mm_struct *mm)
{
	if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL))
		return;
	if (mm->locked)
		machine_fatal(
			"%ld pages of a program count as locked at its end",
			mm->locked);
	machine_rwsem_destroy(&mm->mmap_lock);
	free(mm);
}

/* CAP_IPC_LOCK, which is bit 14. */
static bool task_may_lock(pid_t pid)
{
	unsigned long long caps = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	}
	if (file)
		fclose(file);

	return caps >> 14 & 1;
}

/* Pages, or -1 for any number; prlimit() would need rights. */
static long locked_limit(pid_t pid)
{
	long long bytes = -1;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	file = fopen(path, "re");
	/* One that is gone can lock nothing more. */
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Max locked memory %lld", &bytes) == 1)
			break;
	}
	if (file)
		fclose(file);

	return bytes < 0 ? -1 : (long)(bytes >> PAGE_SHIFT);
}

int account_locked_vm(struct mm_struct *mm, unsigned long pages, bool inc)
{
	long limit = locked_limit(mm->pid), now;
	unsigned int variant;

	might_sleep();
	if (lock_is_held(&mm->mmap_lock))
		machine_fatal("account_locked_vm with mmap_lock held");
	if (!pages)
		return 0;
	if (!inc) {
		now = __atomic_sub_fetch(&mm->locked, (long)pages,
					 __ATOMIC_ACQ_REL);
		if (now < 0)
			machine_fatal("fewer pages are locked than unlocked");
		return 0;
	}
	if (fault(SITE_LOCKED_VM, &variant))
		return -ENOMEM;
	now = __atomic_add_fetch(&mm->locked, (long)pages, __ATOMIC_ACQ_REL);
	if (limit >= 0 && now > limit && !task_may_lock(mm->pid)) {
		__atomic_sub_fetch(&mm->locked, (long)pages, __ATOMIC_ACQ_REL);
		return -ENOMEM;
	}

	return 0;
}
