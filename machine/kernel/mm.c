// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Address spaces: who keeps one from going, what counts as locked in it; and what
 * of entries is done from elsewhere than by their own task's mmap and munmap.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "faults.h"
#include "files.h"
#include "pages.h"
#include "vm.h"
#include "../xen/xen.h"

/* ---- who keeps an address space, and what counts as locked in it ---- */

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

bool mmget_not_zero(struct mm_struct *mm)
{
	int users = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE);

	while (users &&
	       !__atomic_compare_exchange_n(&mm->active, &users, users + 1,
					    false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;

	return users;
}

/* The address space of a task ends with that, in mm_close(). */
void mmput(struct mm_struct *mm)
{
	might_sleep();
	if (__atomic_sub_fetch(&mm->active, 1, __ATOMIC_ACQ_REL) < 1)
		machine_fatal("mmput of an address space that nobody has");
}

void mm_close(struct mm_struct *mm)
{
	int one = 1;

	while (!__atomic_compare_exchange_n(&mm->active, &one, 0, false,
					    __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE)) {
		one = 1;
		sched_yield();
	}
}

void mm_reopen(struct mm_struct *mm)
{
	__atomic_store_n(&mm->active, 1, __ATOMIC_RELEASE);
}

/* ---- entries ---- */

pte_t *entry_at(u64 maddr)
{
	struct vm_area_struct *vma;
	pte_t *pte;

	hypervisor_lock();
	pte = pte_at(maddr, &vma);
	hypervisor_unlock();
	if (!pte)
		machine_fatal("%#llx is the address of no page-table entry",
			      maddr);

	return pte;
}

spinlock_t *entry_lock(struct mm_struct *mm, u64 maddr)
{
	struct vm_area_struct *vma = NULL;

	hypervisor_lock();
	(void)pte_at(maddr, &vma);
	hypervisor_unlock();
	if (!vma || vma->vm_mm != mm)
		machine_fatal("%#llx is no entry of that address space", maddr);

	return &mm->tables_lock;
}

pte_t ptep_get(pte_t *ptep)
{
	pte_t pte;

	hypervisor_lock();
	pte = *ptep;
	hypervisor_unlock();

	return pte;
}

void pte_clear(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	(void)addr;
	if (!lock_is_held(&mm->tables_lock))
		machine_fatal("an entry is cleared without its table's lock");
	hypervisor_lock();
	pte_changes(ptep, "clears");
	*ptep = (pte_t){.kind = PTE_NONE};
	hypervisor_unlock();
}

void address_space_init_once(struct address_space *mapping)
{
	memset(mapping, 0, sizeof(*mapping));
}

/* The first entry in those places that shows a page; it is cleared. */
static struct page *take_entry(struct address_space *mapping,
			       unsigned long first, unsigned long last)
{
	struct vm_area_struct *vma;
	unsigned long i, at;
	struct page *page;

	for (vma = tables_first(); vma; vma = tables_next(vma)) {
		if (!vma->linked || vma->vm_file->f_mapping != mapping)
			continue;
		for (i = 0; i < vma_pages(vma); i++) {
			at = vma->vm_pgoff + i;
			if (at < first || at > last ||
			    vma->ptes[i].kind == PTE_NONE)
				continue;
			pte_changes(&vma->ptes[i], "clears");
			page = vma->ptes[i].page;
			page->maps--;
			vma->ptes[i] = (pte_t){.kind = PTE_NONE};
			return page;
		}
	}

	return NULL;
}

void unmap_mapping_range(struct address_space *mapping, loff_t holebegin,
			 loff_t holelen, int even_cows)
{
	unsigned long first = holebegin >> PAGE_SHIFT;
	unsigned long last = (holebegin + holelen - 1) >> PAGE_SHIFT;
	struct page *page;

	(void)even_cows;
	might_sleep();
	if (machine_mode() == MACHINE_PV)
		machine_fatal("unmap_mapping_range in a PV domain");
	do {
		hypervisor_lock();
		page = take_entry(mapping, first, last);
		hypervisor_unlock();
		if (page)
			put_page(page);
	} while (page);
}

/* ---- first writes ---- */

/*
 * Asks a driver that wants to know of a first write. Returns whether the entry
 * may be made writable; *err if it may not, and not be tried again.
 */
bool ask_for_write(struct vm_area_struct *vma, unsigned long addr, pte_t *pte,
		   int *err)
{
	struct vm_fault vmf = {vma, addr & PAGE_MASK, NULL};
	vm_fault_t ret;

	hypervisor_lock();
	if (pte->kind == PTE_PAGE) {
		vmf.page = pte->page;
		get_page(vmf.page);
	}
	hypervisor_unlock();

	ret = vma->vm_ops->page_mkwrite(&vmf);
	if (ret & VM_FAULT_LOCKED) {
		hypervisor_lock();
		if (pte->kind == PTE_PAGE && pte->page == vmf.page)
			pte->writable = true;
		hypervisor_unlock();
		unlock_page(vmf.page);
	}
	if (vmf.page)
		put_page(vmf.page);
	if (ret & VM_FAULT_SIGBUS)
		*err = -EFAULT;

	return ret & VM_FAULT_LOCKED;
}

bool asks_for_write(const struct vm_area_struct *vma, const pte_t *pte,
		    bool write)
{
	bool asks;

	if (!write || !vma->vm_ops || !vma->vm_ops->page_mkwrite)
		return false;
	hypervisor_lock();
	asks = pte->kind != PTE_NONE && !pte->writable;
	hypervisor_unlock();

	return asks;
}

void lock_page(struct page *page)
{
	might_sleep();
	while (__atomic_exchange_n(&page->locked, true, __ATOMIC_ACQUIRE))
		sched_yield();
}

void unlock_page(struct page *page)
{
	if (!__atomic_exchange_n(&page->locked, false, __ATOMIC_RELEASE))
		machine_fatal("a page is unlocked that is not locked");
}
