// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * compat/frames.h, as a kernel builds it, on page tables that are made up: what it
 * takes for a page, and in which order it lets go of a table that may be freed as
 * soon as interrupts are enabled.
 */
#include <stdint.h>
#include <string.h>

#include "tap.h"

#define CONFIG_X86
#define PAGE_SHIFT 12
#define TASK_SIZE_MAX 0x7ffffffff000UL
#define _PAGE_PRESENT 1UL
#define _PAGE_RW 2UL
#define _PAGE_USER 4UL
#define _PAGE_DIRTY 0x40UL
#define _PAGE_LARGE 0x80UL
#define _PAGE_SPECIAL 0x200UL
#define _PAGE_PKEY_MASK (15UL << 59)
#define FRAME_MASK 0xffffffffff000UL
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

typedef uint32_t u32;
typedef unsigned long pteval_t;
typedef struct {
	pteval_t value;
} pte_t;
typedef pte_t pmd_t, pud_t, p4d_t, pgd_t;
typedef struct {
	bool held;
} spinlock_t;

enum {
	ENTRIES = 512,
	WRITTEN = _PAGE_PRESENT | _PAGE_USER | _PAGE_RW | _PAGE_DIRTY,
};

/* A program with one page table, at address 0. */
static struct mm_struct {
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte[ENTRIES];
	spinlock_t lock;
	bool taken_out; /* by another processor, which waits for this one */
	bool freed;
} mm;
static struct {
	struct mm_struct *mm;
} task = {&mm}, *const current = &task;
static bool disabled, key_allows;

static void local_irq_disable(void)
{
	CHECK(!disabled);
	disabled = true;
}

/* What waits for that goes on; but who has entries to end needs the lock. */
static void local_irq_enable(void)
{
	CHECK(disabled);
	disabled = false;
	mm.freed = mm.taken_out;
}

/* While it is tried, the other processor takes the table out. */
static bool goes_meanwhile;

static bool spin_trylock(spinlock_t *lock)
{
	CHECK(disabled && !mm.freed);
	if (lock->held)
		return false;
	lock->held = true;
	if (goes_meanwhile) {
		memset(mm.pte, 0, sizeof(mm.pte));
		mm.pmd.value = 0;
		mm.taken_out = true;
	}
	return true;
}

static void spin_unlock(spinlock_t *lock)
{
	CHECK(lock->held && !mm.freed);
	lock->held = false;
}

static bool __pkru_allows_pkey(int key, bool write)
{
	return key_allows;
}

#define pte_flags(entry) ((entry).value & ~FRAME_MASK)
#define pte_mfn(entry) (((entry).value & FRAME_MASK) >> PAGE_SHIFT)
#define is_none(entry) (!(entry).value)
#define is_bad(entry) (((entry).value & _PAGE_LARGE) != 0)
#define pgd_none is_none
#define p4d_none is_none
#define pud_none is_none
#define pmd_none is_none
#define pgd_bad is_bad
#define p4d_bad is_bad
#define pud_bad is_bad
#define pmd_bad is_bad
#define pgd_offset(mm, addr) (&(mm)->pgd)
#define p4d_offset_lockless(pgdp, pgd, addr) (&mm->p4d)
#define pud_offset_lockless(p4dp, p4d, addr) (&mm->pud)
#define pmd_offset_lockless(pudp, pud, addr) (&mm->pmd)
#define pmd_same(a, b) ((a).value == (b).value)
#define pte_lockptr(mm, pmd) (&(mm)->lock)
#define pte_index(addr) ((addr) >> PAGE_SHIFT & (ENTRIES - 1))
#define pte_offset_kernel(pmd, addr) (&mm->pte[(addr) >> PAGE_SHIFT])

#include "../../compat/frames.h"

static unsigned long frames[MOST_FRAMES];
static unsigned int used;

/* Interrupts are enabled by then, and the pages stay. */
static void use(void *data)
{
	CHECK(data == &used);
	CHECK(!disabled && mm.lock.held && !mm.freed);
	used++;
}

static void set(unsigned int i, pteval_t flags)
{
	mm.pte[i].value = flags | (pteval_t)(1000 + i) << PAGE_SHIFT;
}

static void set_all(void)
{
	unsigned int i;

	memset(&mm, 0, sizeof(mm));
	mm.pgd.value = mm.p4d.value = mm.pud.value = mm.pmd.value = 1;
	for (i = 0; i < ENTRIES; i++)
		set(i, WRITTEN);
	key_allows = true;
	goes_meanwhile = false;
	used = 0;
}

/* Whether so many pages are found; either way nothing is held after that. */
static bool finds_at(unsigned long addr, unsigned int n, bool write)
{
	bool held = mm.lock.held;
	unsigned int i;

	for (i = 0; i < n; i++)
		frames[i] = addr + ((unsigned long)i << PAGE_SHIFT);
	used = 0;
	with_frames(frames, n, write, use, &used);
	CHECK(!disabled);
	CHECK_EQ(mm.lock.held, held);
	CHECK(used < 2);
	return used;
}

static bool finds(unsigned int first, unsigned int n, bool write)
{
	return finds_at((unsigned long)first << PAGE_SHIFT, n, write);
}

static void frames_are_those_of_the_pages(void)
{
	unsigned int i;

	set_all();
	CHECK(finds(ENTRIES - MOST_FRAMES, MOST_FRAMES, true));
	for (i = 0; i < MOST_FRAMES; i++)
		CHECK_EQ(frames[i], 1000 + ENTRIES - MOST_FRAMES + i);
	CHECK(finds(3, 1, false));
	CHECK_EQ(frames[0], 1003);
}

static void pages_of_one_table_may_be_in_any_order(void)
{
	const unsigned int order[] = {200, 7, ENTRIES - 1, 0, 7};
	const unsigned int n = sizeof(order) / sizeof(order[0]);
	unsigned int i;

	set_all();
	for (i = 0; i < n; i++)
		frames[i] = (unsigned long)order[i] << PAGE_SHIFT;
	with_frames(frames, n, true, use, &used);
	CHECK_EQ(used, 1);
	for (i = 0; i < n; i++)
		CHECK_EQ(frames[i], 1000 + order[i]);
}

static void pages_that_may_not_be_used_so_are_not_found(void)
{
	static const struct {
		pteval_t flags;
		bool may_be_read;
	} kinds[] = {
		{0, false},
		{WRITTEN & ~_PAGE_PRESENT, false},
		{WRITTEN & ~_PAGE_USER, false},
		{WRITTEN | _PAGE_SPECIAL, false},
		{WRITTEN | 1UL << 59, false},
		{WRITTEN & ~_PAGE_RW, true},
		{WRITTEN & ~_PAGE_DIRTY, true},
	};
	unsigned int i;

	set_all();
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		set(7, kinds[i].flags);
		CHECK(!finds(5, 3, true));
		CHECK_EQ(finds(5, 3, false), kinds[i].may_be_read);
		CHECK(finds(5, 2, true));
	}
}

static void tables_that_are_none_are_not_read(void)
{
	pte_t *const above[] = {&mm.pgd, &mm.p4d, &mm.pud, &mm.pmd};
	unsigned int i;

	for (i = 0; i < 4; i++) {
		set_all();
		above[i]->value = 0;
		CHECK(!finds(0, 1, false));
		above[i]->value = _PAGE_LARGE;
		CHECK(!finds(0, 1, false));
	}
	set_all();
	CHECK(!finds_at(TASK_SIZE_MAX, 1, false));
	CHECK(!finds_at(-4096UL, 1, false));
	key_allows = false;
	CHECK(!finds(0, 1, false));
}

static void a_lock_that_is_another_ones_is_not_waited_for(void)
{
	set_all();
	mm.lock.held = true;
	CHECK(!finds(0, 1, false));
}

/* Its lock is in memory that goes with it. */
static void a_table_that_goes_is_let_go_of_before_it_has_gone(void)
{
	set_all();
	goes_meanwhile = true;
	CHECK(!finds(0, 1, false));
	CHECK(mm.freed);

	/* Emptied, and found before it was taken out. */
	set_all();
	memset(mm.pte, 0, sizeof(mm.pte));
	mm.taken_out = true;
	CHECK(!finds(0, 1, false));
	CHECK(mm.freed);
}

static const struct test tests[] = {
	TEST_IN(IN_ANY, frames_are_those_of_the_pages),
	TEST_IN(IN_ANY, pages_of_one_table_may_be_in_any_order),
	TEST_IN(IN_ANY, pages_that_may_not_be_used_so_are_not_found),
	TEST_IN(IN_ANY, tables_that_are_none_are_not_read),
	TEST_IN(IN_ANY, a_lock_that_is_another_ones_is_not_waited_for),
	TEST_IN(IN_ANY, a_table_that_goes_is_let_go_of_before_it_has_gone),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
