/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The frames of a program's pages, by which the hypervisor knows them: a page table's
 * entry has the machine's number in a PV domain, the kernel's in all others, and
 * either is what the hypervisor asks for there.
 *
 * The table is looked for as the kernel does it where it takes no lock of the
 * program's memory (mm/gup.c): tables are freed when all processors have had
 * interrupts enabled since they were taken out. Its own lock is only tried, as who
 * holds that may wait for this processor to answer an interrupt. With it, and with
 * an entry that says that a page is there, all of it stays: who takes pages away,
 * moves, shares or cleans them needs that lock, and so does who frees a table that
 * has entries.
 */
#ifndef GNTDEV_FRAMES_H
#define GNTDEV_FRAMES_H

/* Pages whose entries are read, and with which something is done then. */
#define MOST_FRAMES 16U

#ifdef CONFIG_X86
/* Keys keep a program from its own pages, by other means than entries. */
static inline bool keys_allow(bool write)
{
	return __pkru_allows_pkey(0, write);
}

/*
 * Whether an entry says of a page all that there is to know. One that may be
 * written, and has been written to, needs no telling of another store: not the
 * program, which may have it watched, nor the kernel, which may take it for clean.
 */
static inline bool entry_is_plain(pte_t entry, bool write)
{
	const pteval_t wanted = _PAGE_PRESENT | _PAGE_USER |
				(write ? _PAGE_RW | _PAGE_DIRTY : 0);

	return (pte_flags(entry) &
		(wanted | _PAGE_SPECIAL | _PAGE_PKEY_MASK)) == wanted;
}

static inline unsigned long entry_frame(pte_t entry)
{
	return pte_mfn(entry);
}
#else
static inline bool keys_allow(bool write)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return !system_supports_poe();
#else
	return true;
#endif
}

/* Of several that are one to the processor, another one may say the rest. */
static inline bool entry_is_plain(pte_t entry, bool write)
{
	const pteval_t wanted = PTE_VALID | PTE_USER;

	return (pte_val(entry) & (wanted | PTE_SPECIAL | PTE_CONT)) == wanted &&
	       (!write || (pte_write(entry) && pte_dirty(entry)));
}

static inline unsigned long entry_frame(pte_t entry)
{
	return pte_pfn(entry);
}
#endif

/* Interrupts are disabled. Entries above that are of large pages are bad ones. */
static inline pmd_t *entry_above(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgdp = pgd_offset(mm, addr), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;

	if (pgd_none(pgd) || pgd_bad(pgd))
		return NULL;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || p4d_bad(p4d))
		return NULL;
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud) || pud_bad(pud))
		return NULL;

	return pmd_offset_lockless(pudp, pud, addr);
}

/* What a page table's entries are found by. */
struct found_table {
	const pmd_t *above;
	pmd_t seen; /* there */
	spinlock_t *lock;
	const pte_t *pte;
};

/* The table that has the entry of @addr. */
static inline bool find_entry(unsigned long addr, struct found_table *found)
{
	struct mm_struct *mm = current->mm;

	found->above = entry_above(mm, addr);
	if (!found->above)
		return false;
	found->seen = READ_ONCE(*found->above);
	if (pmd_none(found->seen) || pmd_bad(found->seen))
		return false;
	found->lock = pte_lockptr(mm, &found->seen);
	found->pte = pte_offset_kernel(&found->seen, addr);

	return true;
}

/* Puts the frames where the pages' addresses stood, of which @found has the first. */
static inline bool read_frames(const struct found_table *found, u32 n,
			       bool write, unsigned long *frame)
{
	const pte_t *table = found->pte - pte_index(frame[0]);
	pte_t entry;
	u32 i;

	for (i = 0; i < n; i++) {
		entry = READ_ONCE(table[pte_index(frame[i])]);
		if (!entry_is_plain(entry, write))
			return false;
		frame[i] = entry_frame(entry);
	}

	return true;
}

/*
 * Has @use called when @frame has the frames of a program's pages, whose addresses
 * it had, @n of one page table; they stay where they are until it returns: it must
 * not sleep. Does nothing if they are not all there, and may not all be used so.
 */
static __always_inline void with_frames(unsigned long *frame, u32 n, bool write,
					void (*use)(void *data), void *data)
{
	struct found_table found;

	/* Beyond that a table has nothing of a program's. */
	if (frame[0] >= TASK_SIZE_MAX || !keys_allow(write))
		return;

	local_irq_disable();
	if (!find_entry(frame[0], &found) || !spin_trylock(found.lock)) {
		local_irq_enable();
		return;
	}

	/* It may have become another address's meanwhile, or none's. */
	if (!pmd_same(found.seen, READ_ONCE(*found.above)) ||
	    !read_frames(&found, n, write, frame)) {
		/* Where nothing was read, its lock goes with the table at once. */
		spin_unlock(found.lock);
		local_irq_enable();
		return;
	}

	local_irq_enable();
	use(data);
	spin_unlock(found.lock);
}

#endif /* GNTDEV_FRAMES_H */
