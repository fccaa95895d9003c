// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mappings: what a program may do to them, and what they are afterwards. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "buffers.h"

#define RW (PROT_READ | PROT_WRITE)

/* Starts with @count grants mapped at AT(0). */
static void start_mapped(unsigned int count, int prot)
{
	world_start();
	grant(count, false);
	CHECK_EQ(map_at(AT(0), 0, count, prot, NULL), 0);
}

/* The pages are seen, may be written, and the granter sees that. */
static void check_whole(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		CHECK_EQ(peek(AT(0) + i * PAGE), granted(i)[0]);
		CHECK_EQ(poke(AT(0) + i * PAGE + 7, 'w'), 0);
		CHECK_EQ(granted(i)[7], 'w');
		CHECK_EQ(domain_ungrant(world.granter, world.refs[i]), -EBUSY);
	}
}

static void check_free(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		CHECK(!(domain_grant_flags(world.granter, world.refs[i]) &
			0x18));
}

static void one_page_is_mapped_and_seen(void)
{
	uint64_t index;

	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, &index), 0);
	CHECK_EQ(index, 0);
	check_whole(1);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(req_unmap(world.file, index, 1), 0);
	check_free(1);
	world_stop();
}

static void many_pages_are_mapped_and_seen(void)
{
	start_mapped(300, RW);
	check_whole(300);
	CHECK_EQ(task_munmap(world.task, AT(0), 300 * PAGE), 0);
	check_free(300);
	world_stop();
}

static void a_view_shows_the_granters_memory(void)
{
	struct view view;
	unsigned char *at;
	uint64_t index;

	world_start();
	grant(3, false);
	at = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	CHECK_EQ(req_map(world.file, 0, 3, &index), 0);
	CHECK_EQ(task_mmap(world.task, world.file, (unsigned long)at, 3 * PAGE,
			   RW, MAP_SHARED, index, &view),
		 0);
	CHECK_EQ(view.count, 3);
	CHECK_EQ(view_show(&view), 0);
	CHECK_EQ(at[2 * PAGE], 'C');
	at[PAGE] = 'x';
	CHECK_EQ(granted(1)[0], 'x');
	view_free(&view);
	CHECK_EQ(task_view(world.task, (unsigned long)at + PAGE, &view), 0);
	CHECK_EQ(view.addr, (unsigned long)at);
	CHECK(view.pages[0].present && view.pages[0].writable);
	view_free(&view);
	CHECK_EQ(task_view(world.task, (unsigned long)at + 3 * PAGE, &view),
		 -ENOENT);
	world_stop();
}

static void a_second_range_is_mapped_too(void)
{
	uint64_t index;

	start_mapped(2, RW);
	grant(3, false);
	CHECK_EQ(map_at(AT(1), 2, 3, RW, &index), 0);
	CHECK_EQ(index, 2 * PAGE);
	CHECK_EQ(peek(AT(1)), 'C');
	CHECK_EQ(peek(AT(1) + 2 * PAGE), 'E');
	world_stop();
}

static void mmap_takes_exactly_one_range(void)
{
	uint64_t index;

	world_start();
	grant(4, false);
	CHECK_EQ(req_map(world.file, 0, 4, &index), 0);
	CHECK_EQ(map_index(AT(0), index, 3, RW), -EINVAL);
	CHECK_EQ(map_index(AT(0), index, 5, RW), -EINVAL);
	CHECK_EQ(map_index(AT(0), index + PAGE, 3, RW), -EINVAL);
	CHECK_EQ(map_index(AT(0), index + (1ULL << 44), 4, RW), -EINVAL);
	CHECK_EQ(map_index(AT(0), index, 4, RW), 0);
	CHECK_EQ(map_index(AT(1), index, 4, RW), -EINVAL);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(map_index(AT(1), index, 4, RW), 0);
	world_stop();
}

static void a_private_mapping_is_refused(void)
{
	uint64_t index;

	world_start();
	grant(1, false);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	CHECK_EQ(task_mmap(world.task, world.file, AT(0), PAGE, PROT_READ,
			   MAP_PRIVATE, index, NULL),
		 -EINVAL);
	world_stop();
}

static void one_bad_reference_maps_nothing(void)
{
	world_start();
	grant(3, false);
	domain_revoke(world.granter, world.refs[1]);
	CHECK_EQ(map_at(AT(0), 0, 3, RW, NULL), -EINVAL);
	check_free(3);
	CHECK_EQ(peek(AT(0)), -1);
	world_stop();
}

static void a_readonly_grant_is_mapped_readonly_only(void)
{
	world_start();
	grant(1, true);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), -EINVAL);
	CHECK_EQ(map_at(AT(0), 0, 1, PROT_READ, NULL), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(poke(AT(0), 'x'), -EFAULT);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGE, RW), -EACCES);
	CHECK_EQ(poke(AT(0), 'x'), -EFAULT);
	CHECK_EQ(peek(AT(0)), 'A');
	world_stop();
}

static void mprotect_keeps_the_data(void)
{
	start_mapped(3, RW);
	CHECK_EQ(task_mprotect(world.task, AT(0), 3 * PAGE, PROT_READ), 0);
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(poke(AT(0), 'x'), -EFAULT);
	CHECK_EQ(task_mprotect(world.task, AT(0), 3 * PAGE, PROT_NONE), 0);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(task_mprotect(world.task, AT(0), 3 * PAGE, RW), 0);
	check_whole(3);
	CHECK_EQ(task_mprotect(world.task, AT(0), PAGE, PROT_READ), -EINVAL);
	check_whole(3);
	world_stop();
}

static void a_mapping_without_access_has_no_entries(void)
{
	start_mapped(2, PROT_NONE);
	CHECK_EQ(peek(AT(0)), -1);
	CHECK_EQ(task_mprotect(world.task, AT(0), 2 * PAGE, PROT_READ), 0);
	CHECK_EQ(peek(AT(0) + PAGE), 'B');
	world_stop();
}

static void advice_keeps_the_data(void)
{
	static const int advice[] = {
		MADV_NORMAL,	 MADV_DONTNEED, MADV_WILLNEED,
		MADV_COLD,	 MADV_PAGEOUT,	MADV_POPULATE_READ,
		MADV_DONTFORK,	 MADV_DOFORK,	MADV_DONTDUMP,
		MADV_DODUMP,	 MADV_REMOVE,	MADV_FREE,
		MADV_MERGEABLE,	 MADV_HUGEPAGE, MADV_SEQUENTIAL,
		MADV_WIPEONFORK, MADV_RANDOM,
	};
	size_t i;

	start_mapped(3, RW);
	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		task_madvise(world.task, AT(0), 3 * PAGE, advice[i]);
		check_whole(3);
		task_madvise(world.task, AT(0) + PAGE, PAGE, advice[i]);
		check_whole(3);
	}
	world_stop();
}

static void soft_dirty_tracking_keeps_the_data(void)
{
	start_mapped(3, RW);
	CHECK_EQ(task_clear_refs(world.task, 4), 0);
	check_whole(3);
	CHECK_EQ(task_clear_refs(world.task, 1), 0);
	CHECK_EQ(task_clear_refs(world.task, 9), -EINVAL);
	check_whole(3);
	world_stop();
}

static void the_reaper_takes_entries_and_data_stays(void)
{
	start_mapped(3, RW);
	CHECK_EQ(task_reap(world.task), 0);
	check_whole(3);
	world_stop();
}

static void munmap_of_a_part_is_refused(void)
{
	start_mapped(3, RW);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), -EINVAL);
	CHECK_EQ(task_munmap(world.task, AT(0) + PAGE, PAGE), -EINVAL);
	CHECK_EQ(task_munmap(world.task, AT(0) + 2 * PAGE, 2 * PAGE), -EINVAL);
	check_whole(3);
	CHECK_EQ(task_munmap(world.task, AT(0) - PAGE, 5 * PAGE), 0);
	check_free(3);
	world_stop();
}

static void mremap_is_refused_or_does_nothing(void)
{
	start_mapped(3, RW);
	CHECK_EQ(task_mremap(world.task, AT(0), 3 * PAGE, 4 * PAGE,
			     MREMAP_MAYMOVE, 0),
		 -EFAULT);
	CHECK_EQ(task_mremap(world.task, AT(0), 3 * PAGE, 2 * PAGE, 0, 0),
		 -EINVAL);
	CHECK_EQ(task_mremap(world.task, AT(0), 3 * PAGE, 3 * PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, AT(2)),
		 -EINVAL);
	CHECK_EQ(task_mremap(world.task, AT(0), PAGE, PAGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, AT(2)),
		 -EINVAL);
	CHECK_EQ(task_mremap(world.task, AT(0), 0, 3 * PAGE, MREMAP_MAYMOVE, 0),
		 -EFAULT);
	CHECK_EQ(task_mremap(world.task, AT(0), 3 * PAGE, 3 * PAGE,
			     MREMAP_MAYMOVE, 0),
		 AT(0));
	check_whole(3);
	world_stop();
}

static void mmap_over_a_mapping_unmaps_it(void)
{
	start_mapped(2, RW);
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 2, 2, RW, NULL), 0);
	CHECK_EQ(peek(AT(0)), 'C');
	check_free(2);
	world_stop();
}

static void a_child_shares_or_lacks_the_mapping(void)
{
	struct task *child;
	unsigned char byte;
	int err;

	start_mapped(2, RW);
	CHECK_EQ(task_fork(world.task, getpid(), &child), 0);
	err = task_load(child, AT(0), &byte, 1);
	if (test_mode == MACHINE_PV)
		CHECK_EQ(err, -EFAULT);
	else
		CHECK_EQ(byte, 'A');
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	err = domain_ungrant(world.granter, world.refs[0]);
	CHECK_EQ(err, test_mode == MACHINE_PV ? 0 : -EBUSY);
	task_exit(child);
	check_free(2);
	world.grants = 0;
	world_stop();
}

static void a_child_that_is_made_to_inherit_has_no_access_in_pv(void)
{
	struct task *child;
	unsigned char byte;

	start_mapped(1, RW);
	CHECK_EQ(task_madvise(world.task, AT(0), PAGE, MADV_DOFORK), 0);
	CHECK_EQ(task_fork(world.task, getpid(), &child), 0);
	CHECK_EQ(task_load(child, AT(0), &byte, 1), -EFAULT);
	check_whole(1);
	task_exec(child);
	task_exit(child);
	check_whole(1);
	world_stop();
}

static void exit_unmaps(void)
{
	start_mapped(3, RW);
	task_exit(world.task);
	world.task = NULL;
	check_free(3);
	world_stop();
}

static void a_mapping_outlives_its_descriptor(void)
{
	uint64_t index;

	world_start();
	grant(2, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(req_map(world.file, 1, 1, &index), 0);
	file_close(world.task, world.file);
	world.file = NULL;
	CHECK_EQ(peek(AT(0)), 'A');
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	check_free(2);
	world_stop();
}

static void a_second_descriptor_keeps_the_table(void)
{
	uint64_t index;

	world_start();
	grant(1, false);
	CHECK_EQ(req_map(world.file, 0, 1, &index), 0);
	file_dup(world.file);
	file_close(world.task, world.file);
	CHECK_EQ(map_index(AT(0), index, 1, RW), 0);
	world_stop();
}

static void a_page_in_use_is_given_back_later(void)
{
	struct machine_counters n;
	struct page *page;
	uint64_t index;

	world_start();
	grant(3, false);
	CHECK_EQ(map_at(AT(0), 0, 3, RW, &index), 0);
	CHECK_EQ(page_hold(world.task, AT(0) + PAGE, true, &page), 0);
	CHECK_EQ(task_munmap(world.task, AT(0), 3 * PAGE), 0);
	machine_counters(&n);
	CHECK_EQ(n.mapped, 1);
	CHECK_EQ(n.deferred, 1);
	CHECK_EQ(req_unmap(world.file, index, 3), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[1]), -EBUSY);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	machine_advance(5000);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[1]), -EBUSY);
	page_release(page);
	machine_advance(300);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[1]), 0);
	machine_counters(&n);
	CHECK_EQ(n.mapped, 0);
	CHECK_EQ(n.deferred, 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[2]), 0);
	world.grants = 0;
	world_stop();
}

static void several_mappings_wait_for_their_pages(void)
{
	struct page *pages[4];
	int i;

	world_start();
	grant(8, false);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(map_at(AT(i), 2 * i, 2, RW, NULL), 0);
		CHECK_EQ(page_hold(world.task, AT(i) + PAGE, false, &pages[i]),
			 0);
	}
	for (i = 0; i < 4; i++)
		CHECK_EQ(task_munmap(world.task, AT(i), 2 * PAGE), 0);
	for (i = 0; i < 4; i++) {
		page_release(pages[3 - i]);
		machine_advance(600);
		CHECK(!(domain_grant_flags(world.granter,
					   world.refs[2 * (3 - i) + 1]) &
			0x18));
	}
	world_stop();
}

static void a_page_is_mapped_twice_and_freed_by_the_last(void)
{
	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	CHECK_EQ(map_at(AT(1), 0, 1, PROT_READ, NULL), 0);
	CHECK_EQ(poke(AT(0), 'q'), 0);
	CHECK_EQ(peek(AT(1)), 'q');
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), -EBUSY);
	CHECK_EQ(task_munmap(world.task, AT(1), PAGE), 0);
	check_free(1);
	world_stop();
}

static void a_domain_maps_its_own_grant_and_reference_zero(void)
{
	world_start();
	world.grants = 1;
	world.refs[0] = 0;
	world.pfns[0] = domain_page_alloc(world.granter);
	granted(0)[0] = 'A';
	CHECK_EQ(domain_grant_at(world.granter, 0, 0, world.pfns[0], false), 0);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	check_whole(1);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	world.granter = world.mapper;
	world.pfns[0] = domain_page_alloc(world.granter);
	granted(0)[0] = 'A';
	world.refs[0] = domain_grant(world.mapper, 0, world.pfns[0], false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	check_whole(1);
	world_stop();
}

/* The model would end it all if one were mapped. */
static void own_grants_are_refused_in_a_pvh_domain(void)
{
	world_prepare();
	world.config.mode = MACHINE_PVH;
	world_start();
	grant(1, false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), 0);
	check_whole(1);
	CHECK_EQ(task_munmap(world.task, AT(0), PAGE), 0);
	CHECK_EQ(domain_ungrant(world.granter, world.refs[0]), 0);
	world.granter = world.mapper;
	world.pfns[0] = domain_page_alloc(world.granter);
	world.refs[0] = domain_grant(world.mapper, 0, world.pfns[0], false);
	CHECK_EQ(map_at(AT(0), 0, 1, RW, NULL), -EINVAL);
	CHECK_EQ(req_export(world.file, 0, 0, 1), -EINVAL);
	CHECK_EQ(req_export(world.file, GNTDEV_DMA_FLAG_WC, 0, 1), -EINVAL);
	check_free(1);
	world_stop();
}

static void imports_for_oneself_are_refused_in_a_pvh_domain(void)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs op = {.count = 1};
	uint32_t ref;
	long fd;

	world_prepare();
	world.config.mode = MACHINE_PVH;
	world_start();
	fd = foreign_export(1);
	CHECK(fd >= 0);
	op.fd = fd;
	CHECK_EQ(file_ioctl(world.task, world.file,
			    IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, (unsigned long)&op,
			    false),
		 -EINVAL);
	CHECK_EQ(req_import(world.file, fd, 1, &ref), 0);
	CHECK_EQ(req_release(world.file, fd), 0);
	close_buffer(fd);
	world_stop();
}

static void the_offset_of_an_address_is_told(void)
{
	struct file *other;
	uint64_t index, offset;
	uint32_t count;

	world_start();
	grant(5, false);
	CHECK_EQ(map_at(AT(0), 0, 2, RW, NULL), 0);
	CHECK_EQ(map_at(AT(1), 2, 3, RW, &index), 0);
	CHECK_EQ(req_offset(world.file, AT(1), &offset, &count), 0);
	CHECK_EQ(offset, index);
	CHECK_EQ(count, 3);
	CHECK_EQ(req_offset(world.file, AT(1) + PAGE, &offset, &count),
		 -EINVAL);
	CHECK_EQ(req_offset(world.file, AT(1) - PAGE, &offset, &count),
		 -EINVAL);
	CHECK_EQ(req_offset(world.file, 0, &offset, &count), -EINVAL);
	CHECK_EQ(req_offset(world.file, ~0ULL, &offset, &count), -EINVAL);
	CHECK_EQ(file_open(world.task, "gntdev", O_RDWR, &other), 0);
	CHECK_EQ(req_offset(other, AT(1), &offset, &count), -EINVAL);
	file_close(world.task, other);
	world_stop();
}

static void a_killed_task_maps_no_long_range(void)
{
	uint64_t index;

	world_start();
	grant(200, false);
	CHECK_EQ(req_map(world.file, 0, 200, &index), 0);
	task_kill(world.task);
	CHECK_EQ(map_index(AT(0), index, 200, RW), -EINTR);
	check_free(200);
	world_stop();
}

static void the_hypervisors_room_for_mappings_ends_and_comes_back(void)
{
	world_prepare();
	world.config.maptrack = 4;
	world_start();
	grant(5, false);
	CHECK_EQ(map_at(AT(0), 0, 5, RW, NULL), -ENOMEM);
	CHECK_EQ(map_at(AT(0), 0, 4, RW, NULL), 0);
	CHECK_EQ(map_at(AT(1), 4, 1, RW, NULL), -ENOMEM);
	CHECK_EQ(task_munmap(world.task, AT(0), 4 * PAGE), 0);
	CHECK_EQ(map_at(AT(1), 4, 1, RW, NULL), 0);
	world_stop();
}

static void what_is_mapped_is_reported(void)
{
	char text[4096];
	FILE *out;

	start_mapped(2, RW);
	out = fmemopen(text, sizeof(text), "w");
	CHECK_EQ(machine_report(out), 1);
	CHECK_EQ(task_report(world.task, out), 1);
	machine_list(out);
	fclose(out);
	CHECK(strstr(text, "range at 0, first grant 8 of domain 1"));
	CHECK(strstr(text, "instance: 1 ranges, 2 grants"));
	CHECK_EQ(task_munmap(world.task, AT(0), 2 * PAGE), 0);
	CHECK_EQ(machine_report(stderr), 0);
	world_stop();
}

static const struct test tests[] = {
	TEST(one_page_is_mapped_and_seen),
	TEST(many_pages_are_mapped_and_seen),
	TEST(a_view_shows_the_granters_memory),
	TEST(a_second_range_is_mapped_too),
	TEST(mmap_takes_exactly_one_range),
	TEST(a_private_mapping_is_refused),
	TEST(one_bad_reference_maps_nothing),
	TEST(a_readonly_grant_is_mapped_readonly_only),
	TEST(mprotect_keeps_the_data),
	TEST(a_mapping_without_access_has_no_entries),
	TEST(advice_keeps_the_data),
	TEST(soft_dirty_tracking_keeps_the_data),
	TEST(the_reaper_takes_entries_and_data_stays),
	TEST(munmap_of_a_part_is_refused),
	TEST(mremap_is_refused_or_does_nothing),
	TEST(mmap_over_a_mapping_unmaps_it),
	TEST(a_child_shares_or_lacks_the_mapping),
	TEST_IN(IN_PV, a_child_that_is_made_to_inherit_has_no_access_in_pv),
	TEST(exit_unmaps),
	TEST(a_mapping_outlives_its_descriptor),
	TEST(a_second_descriptor_keeps_the_table),
	TEST(a_page_in_use_is_given_back_later),
	TEST(several_mappings_wait_for_their_pages),
	TEST(a_page_is_mapped_twice_and_freed_by_the_last),
	TEST(a_domain_maps_its_own_grant_and_reference_zero),
	TEST_IN(IN_ANY, own_grants_are_refused_in_a_pvh_domain),
	TEST_IN(IN_ANY, imports_for_oneself_are_refused_in_a_pvh_domain),
	TEST(the_offset_of_an_address_is_told),
	TEST(a_killed_task_maps_no_long_range),
	TEST(the_hypervisors_room_for_mappings_ends_and_comes_back),
	TEST(what_is_mapped_is_reported),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
