// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The models of the kernel catch misuse: each test does what a driver must not,
 * and has to end the process with a message that names it.
 */
#include "../../machine/kernel/outside.h"

#include <fcntl.h>
#include <unistd.h>

#include "../../machine/kernel/calls.h"
#include "world.h"

static struct context kernel;
static struct mutex outer, inner;
static char word[64];

/* In the kernel, as the world's task; a hard failure is all that ends it. */
static void enter(void)
{
	world_start();
	call_begin(&kernel, world.task, NULL);
	mutex_init(&outer);
	mutex_init(&inner);
}

static void user_copy_under_a_lock(void)
{
	enter();
	mutex_lock(&outer);
	(void)copy_from_user(word, (void __user *)word, 8);
}

static void user_copy_to_under_a_lock(void)
{
	enter();
	mutex_lock(&outer);
	(void)copy_to_user((void __user *)word, word, 8);
}

static void put_user_under_a_lock(void)
{
	enter();
	mutex_lock(&outer);
	(void)put_user((u32)1, (u32 __user *)word);
}

static void pin_under_a_lock(void)
{
	struct page *page;

	enter();
	mutex_lock(&outer);
	pin_user_pages_fast((unsigned long)word, 1, 0, &page);
}

static void locks_in_both_orders(void)
{
	enter();
	mutex_lock(&outer);
	mutex_lock(&inner);
	mutex_unlock(&inner);
	mutex_unlock(&outer);
	mutex_lock(&inner);
	mutex_lock(&outer);
}

static void a_lock_taken_by_its_holder(void)
{
	enter();
	mutex_lock(&outer);
	mutex_lock(&outer);
}

static void a_lock_released_by_another(void)
{
	struct context other;

	enter();
	mutex_lock(&outer);
	call_begin(&other, world.task, NULL);
	mutex_unlock(&outer);
}

static void a_lock_held_on_return(void)
{
	enter();
	mutex_lock(&outer);
	call_end(&kernel);
}

static void a_lock_not_initialised(void)
{
	static struct mutex none;

	enter();
	mutex_lock(&none);
}

static void a_lock_destroyed_while_held(void)
{
	enter();
	mutex_lock(&outer);
	mutex_destroy(&outer);
}

static void a_lock_not_held_where_it_must_be(void)
{
	enter();
	lockdep_assert_held(&outer);
}

static void sleep_under_a_spinlock(void)
{
	spinlock_t lock;

	enter();
	spin_lock_init(&lock);
	spin_lock(&lock);
	mutex_lock(&outer);
}

static void allocation_under_a_spinlock(void)
{
	spinlock_t lock;

	enter();
	spin_lock_init(&lock);
	spin_lock(&lock);
	(void)kzalloc(8, GFP_KERNEL);
}

/* Memory reclaim calls notifiers, which take this lock. */
static void allocation_under_a_notifiers_lock(void)
{
	enter();
	lock_acquired(&class_notifier, &class_notifier, true);
	mutex_lock(&outer);
	mutex_unlock(&outer);
	lock_released(&class_notifier);
	mutex_lock(&outer);
	(void)kvmalloc(8, GFP_KERNEL);
}

/* Somebody else's fault holds mmap_lock and waits for this lock. */
static void mmap_lock_under_a_faults_lock(void)
{
	enter();
	mmap_read_lock(current->mm);
	mutex_lock(&outer);
	mutex_unlock(&outer);
	mmap_read_unlock(current->mm);
	mutex_lock(&outer);
	mmap_read_lock(current->mm);
}

static bool takes_a_lock(struct mmu_interval_notifier *sub,
			 const struct mmu_notifier_range *range,
			 unsigned long seq)
{
	mmu_interval_set_seq(sub, seq);
	mutex_lock(&outer);
	mutex_unlock(&outer);
	return true;
}

static bool refuses(struct mmu_interval_notifier *sub,
		    const struct mmu_notifier_range *range, unsigned long seq)
{
	return false;
}

static bool forgets(struct mmu_interval_notifier *sub,
		    const struct mmu_notifier_range *range, unsigned long seq)
{
	return true;
}

static void notified(bool (*invalidate)(struct mmu_interval_notifier *,
					const struct mmu_notifier_range *,
					unsigned long),
		     bool blockable)
{
	static struct mmu_interval_notifier_ops ops;
	static struct mmu_interval_notifier sub;

	enter();
	ops.invalidate = invalidate;
	down_write(&current->mm->mmap_lock);
	mmu_interval_notifier_insert_locked(&sub, current->mm, AT(0), PAGE,
					    &ops);
	notify_begin(current->mm, AT(0), AT(1), MMU_NOTIFY_CLEAR, blockable);
	notify_end(current->mm);
}

static void sleep_in_a_notifier_that_may_not(void)
{
	notified(takes_a_lock, false);
}

static void a_notifier_that_does_not_act(void)
{
	notified(refuses, true);
}

static void a_notifier_that_forgets_the_sequence(void)
{
	notified(forgets, true);
}

static void a_double_free(void)
{
	void *p;

	enter();
	p = kvmalloc(8, GFP_KERNEL);
	/* Under a sanitizer, that one sees it before the model does. */
	kvfree(p);
	kvfree(p);
}

static void kfree_of_kvmalloc(void)
{
	enter();
	kfree(kvmalloc(8, GFP_KERNEL));
}

static void a_huge_allocation(void)
{
	enter();
	(void)kvmalloc((size_t)INT_MAX + 1, GFP_KERNEL);
}

static void memory_freed_with_a_held_lock(void)
{
	struct mutex *m;

	enter();
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	mutex_init(m);
	mutex_lock(m);
	kfree(m);
}

static struct page *some_page(void)
{
	struct page *page;

	enter();
	CHECK_EQ(gnttab_alloc_pages(1, &page), 0);
	return page;
}

/* Maps a grant into the page, as the driver would. */
static struct gnttab_unmap_grant_ref map_into(struct page *page, bool readonly)
{
	struct gnttab_map_grant_ref map;
	struct gnttab_unmap_grant_ref unmap;
	u32 flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0);

	grant(1, false);
	gnttab_set_map_op(&map, (uintptr_t)page_address(page), flags,
			  world.refs[0], 1);
	CHECK_EQ(gnttab_map_refs(&map, NULL, &page, 1), 0);
	CHECK_EQ(map.status, 0);
	gnttab_set_unmap_op(&unmap, map.host_addr, flags, map.handle);
	unmap.host_addr = map.host_addr;

	return unmap;
}

static void a_mapped_page_given_back(void)
{
	struct page *page = some_page();

	map_into(page, false);
	gnttab_free_pages(1, &page);
}

static void a_page_in_use_given_back(void)
{
	struct page *page = some_page();

	get_page(page);
	gnttab_free_pages(1, &page);
}

static void a_page_given_back_twice(void)
{
	struct page *page = some_page();

	gnttab_free_pages(1, &page);
	gnttab_free_pages(1, &page);
}

static void a_reference_too_many_dropped(void)
{
	put_page(some_page());
}

static void a_page_in_use_unmapped(void)
{
	struct page *page = some_page();
	struct gnttab_unmap_grant_ref unmap = map_into(page, false);

	get_page(page);
	gnttab_unmap_refs(&unmap, NULL, &page, 1);
}

static void a_handle_unmapped_twice(void)
{
	struct page *page = some_page();
	struct gnttab_unmap_grant_ref unmap = map_into(page, false);

	CHECK_EQ(gnttab_unmap_refs(&unmap, NULL, &page, 1), 0);
	page->foreign = true;
	gnttab_unmap_refs(&unmap, NULL, &page, 1);
}

static void an_unmapping_with_another_address(void)
{
	struct page *page = some_page();
	struct gnttab_unmap_grant_ref unmap = map_into(page, false);

	unmap.host_addr += PAGE;
	gnttab_unmap_refs(&unmap, NULL, &page, 1);
}

static void a_mapping_over_another(void)
{
	struct page *page = some_page();

	map_into(page, false);
	map_into(page, false);
}

static void a_store_to_a_readonly_page(void)
{
	struct page *page = some_page();
	unsigned char *p = page_address(page);

	map_into(page, true);
	WRITE_ONCE(p[0], 0);
}

static void a_store_to_an_unmapped_page(void)
{
	unsigned char *p = page_address(some_page());

	WRITE_ONCE(p[0], 0);
}

static void the_kernel_clears_a_grant_entry(void)
{
	struct vm_area_struct *vma;

	enter();
	grant(1, false);
	call_end(&kernel);
	CHECK_EQ(map_at(AT(0), 0, 1, PROT_READ, NULL), 0);
	call_begin(&kernel, world.task, NULL);
	down_write(&current->mm->mmap_lock);
	vma = find_vma(current->mm, AT(0));
	zap(vma, vma->vm_start, vma->vm_end);
}

static void a_page_written_and_not_dirty(void)
{
	struct page *page;

	enter();
	CHECK_EQ(pin_user_pages_fast((unsigned long)word, 1, FOLL_WRITE, &page),
		 1);
	page->written = true;
	unpin_user_pages_dirty_lock(&page, 1, false);
}

static void a_page_unpinned_twice(void)
{
	struct page *page;

	enter();
	CHECK_EQ(pin_user_pages_fast((unsigned long)word, 1, 0, &page), 1);
	unpin_user_pages_dirty_lock(&page, 1, false);
	unpin_user_pages_dirty_lock(&page, 1, false);
}

static void an_unknown_hypercall(void)
{
	enter();
	HYPERVISOR_grant_table_op(4, word, 1);
}

static void a_port_nobody_holds(void)
{
	enter();
	evtchn_put(3);
}

static void an_event_on_a_closed_port(void)
{
	enter();
	notify_remote_via_evtchn(3);
}

static void a_list_entry_taken_out_twice(void)
{
	struct list_head entry;
	LIST_HEAD(list);

	enter();
	list_add_tail(&entry, &list);
	list_del(&entry);
	list_del(&entry);
}

static void work_not_initialised(void)
{
	static struct delayed_work w;

	enter();
	queue_delayed_work(alloc_workqueue("test", WQ_UNBOUND, 0), &w, 1);
}

static void a_warning(void)
{
	enter();
	WARN_ON_ONCE(world.task);
}

static void user_memory_of_no_task(void)
{
	struct context none;

	enter();
	call_begin(&none, NULL, world.mapper);
	(void)copy_from_user(word, (void __user *)word, 8);
}

/* As the hypervisor's byte for it is: at 128 it is full, and frees again. */
static void a_grant_is_mapped_so_often_and_no_more(void)
{
	uint64_t index[130];
	int i;

	world_start();
	grant(1, false);
	for (i = 0; i < 130; i++)
		CHECK_EQ(req_map(world.file, 0, 1, &index[i]), 0);
	for (i = 0; i < 128; i++)
		CHECK_EQ(map_index(AT(i), index[i], 1, PROT_READ | PROT_WRITE),
			 0);
	CHECK_EQ(map_index(AT(128), index[128], 1, PROT_READ | PROT_WRITE),
		 -EINVAL);
	CHECK_EQ(map_index(AT(128), index[128], 1, PROT_READ), -EINVAL);
	CHECK_EQ(task_munmap(world.task, AT(7), PAGE_SIZE), 0);
	CHECK_EQ(map_index(AT(128), index[128], 1, PROT_READ), 0);
	CHECK_EQ(map_index(AT(129), index[129], 1, PROT_READ | PROT_WRITE), 0);
	world_stop();
}

/* What is left at the end is counted and named. */
static void leaks_are_counted(void)
{
	struct page *page = some_page();
	char text[4096];
	FILE *out;

	map_into(page, false);
	CHECK(kvmalloc(77, GFP_KERNEL));
	call_end(&kernel);
	task_exit(world.task);
	file_close(NULL, world.file);
	out = fmemopen(text, sizeof(text), "w");
	CHECK_EQ(machine_stop(out), 3);
	fclose(out);
	CHECK(strstr(text, "77 bytes from "));
	CHECK(strstr(text, "a page was not given back"));
	CHECK(strstr(text, "domain 0 still maps grant 8 of domain 1"));
}

static void tasks_and_files_left_are_counted(void)
{
	char text[4096];
	FILE *out;

	world_start();
	out = fmemopen(text, sizeof(text), "w");
	CHECK_EQ(machine_stop(out), 2);
	fclose(out);
	CHECK(strstr(text, "never exited"));
	CHECK(strstr(text, "an open gntdev was never closed"));
}

static const struct test tests[] = {
	TEST_DIES(user_copy_under_a_lock, "copy_from_user with &outer"),
	TEST_DIES(user_copy_to_under_a_lock, "copy_to_user with &outer"),
	TEST_DIES(put_user_under_a_lock, "put_user with &outer"),
	TEST_DIES(pin_under_a_lock, "pin_user_pages_fast with &outer"),
	TEST_DIES(locks_in_both_orders, "lock order: &outer"),
	TEST_DIES(a_lock_taken_by_its_holder, "taken by its own holder"),
	TEST_DIES(a_lock_released_by_another, "by another than its owner"),
	TEST_DIES(a_lock_held_on_return, "&outer is still held on return"),
	TEST_DIES(a_lock_not_initialised, "that is not initialised"),
	TEST_DIES(a_lock_destroyed_while_held, "&outer is held"),
	TEST_DIES(a_lock_not_held_where_it_must_be, "&outer is not held"),
	TEST_DIES(sleep_under_a_spinlock, "mutex_lock may sleep, but"),
	TEST_DIES(allocation_under_a_spinlock, "GFP_KERNEL may sleep, but"),
	TEST_DIES(allocation_under_a_notifiers_lock,
		  "memory reclaim (the kernel:0) is taken inside &outer"),
	TEST_DIES(mmap_lock_under_a_faults_lock, "lock order: mmap_lock"),
	TEST_DIES(sleep_in_a_notifier_that_may_not, "that may not sleep"),
	TEST_DIES(a_notifier_that_does_not_act, "did not act"),
	TEST_DIES(a_notifier_that_forgets_the_sequence, "take the sequence"),
	TEST_DIES(a_double_free, "free"),
	TEST_DIES(kfree_of_kvmalloc, "which takes kvfree"),
	TEST_DIES(a_huge_allocation, "more than there may be"),
	TEST_DIES(memory_freed_with_a_held_lock, "in it, held"),
	TEST_DIES(a_mapped_page_given_back, "goes to the allocator with grant"),
	TEST_DIES(a_page_in_use_given_back, "with 2 references goes"),
	TEST_DIES(a_page_given_back_twice, "that was given back"),
	TEST_DIES(a_reference_too_many_dropped, "goes to the allocator"),
	TEST_DIES(a_page_in_use_unmapped, "a page with 2 references"),
	TEST_DIES(a_handle_unmapped_twice, "which is not mapped"),
	TEST_DIES(an_unmapping_with_another_address, "but mapped at"),
	TEST_DIES(a_mapping_over_another, "over another in the same page"),
	TEST_DIES(a_store_to_a_readonly_page, "mapped read-only"),
	TEST_DIES(a_store_to_an_unmapped_page, "with nothing behind it"),
	TEST_DIES(the_kernel_clears_a_grant_entry, "would crash the domain"),
	TEST_DIES(a_page_written_and_not_dirty, "not marked dirty"),
	TEST_DIES(a_page_unpinned_twice, "that was given back"),
	TEST_DIES(an_unknown_hypercall, "operation 4 is not modelled"),
	TEST_DIES(a_port_nobody_holds, "which nobody holds"),
	TEST_DIES(an_event_on_a_closed_port, "which is closed"),
	TEST_DIES(a_list_entry_taken_out_twice, "taken out before"),
	TEST_DIES(work_not_initialised, "that is not initialised"),
	TEST_DIES(a_warning, "WARN_ON(world.task)"),
	TEST_DIES(user_memory_of_no_task, "a thread of the kernel's own"),
	TEST(a_grant_is_mapped_so_often_and_no_more),
	TEST_IN(IN_ANY, leaks_are_counted),
	TEST_IN(IN_ANY, tasks_and_files_left_are_counted),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
