// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a program may do to its address space with a mapping in it: data stays
 * whole, or the call is refused; and munmap takes whole ranges.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* The mapping is as it was, can be written, and is unmapped as ever. */
static void check_survived(const struct mapped *range)
{
	uint8_t byte = content(0, 10);

	check_whole(range);
	EQUAL(granter_busy(range->refs, range->pages), range->pages);
	EQUAL(write_fault(range->at + 10, byte ^ 0xff), 0);
	EQUAL(granter_byte(range->refs[0], 10), byte ^ 0xff);
	range->at[10] = byte;
	unmap_some(range);
	EQUAL(granter_wait_idle(range->refs, range->pages, 5000), 0);
}

TEST(munmap_of_a_part_is_einval)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);

	for (unsigned int first = 0; first < 4; first++)
		for (unsigned int pages = 1; pages <= 4 - first; pages++)
			if (pages < 4)
				EXPECT(dev_munmap(range.at + first * PAGE,
						  pages * PAGE),
				       -EINVAL);
	check_survived(&range);
}

TEST(mmap_over_a_part_is_refused)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	for (unsigned int i = 0; i < 3; i++)
		CHECK(mmap(range.at + i * PAGE, PAGE, READ_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == MAP_FAILED,
		      "page %u was mapped over", i);
	check_survived(&range);
}

TEST(munmap_of_more_than_a_range_takes_it_whole)
{
	uint8_t *place = mmap(NULL, 6 * PAGE, READ_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	range.at = mmap(place + 2 * PAGE, 2 * PAGE, READ_WRITE,
			MAP_SHARED | MAP_FIXED, range.fd, range.index);
	CHECK(range.at == place + 2 * PAGE, "mmap: %s", error_name(errno));
	must_munmap(place, 6);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

/* Side by side in the address space and in the table, they stay two. */
TEST(neighbouring_ranges_are_unmapped_one_by_one)
{
	uint8_t *place = mmap(NULL, 4 * PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = dev_open();
	struct mapped one = map_some(fd, 2, PROT_NONE);
	struct mapped other = map_some(fd, 2, PROT_NONE);
	unsigned int count;
	uint64_t index;

	one.at = mmap(place, 2 * PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, fd,
		      one.index);
	other.at = mmap(place + 2 * PAGE, 2 * PAGE, READ_WRITE,
			MAP_SHARED | MAP_FIXED, fd, other.index);
	CHECK(one.at == place && other.at == place + 2 * PAGE, "mmap: %s",
	      error_name(errno));
	EXPECT(dev_offset(fd, other.at, &index, &count), 0);
	EQUAL(index, other.index);
	EQUAL(count, 2);
	EXPECT(dev_munmap(place + PAGE, 2 * PAGE), -EINVAL);
	unmap_some(&one);
	check_whole(&other);
	unmap_some(&other);
}

TEST(mprotect_takes_writing_away_and_gives_it_back)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	EXPECT(mprotect(range.at, 3 * PAGE, PROT_READ) < 0 ? -errno : 0, 0);
	check_whole(&range);
	EQUAL(write_fault(range.at + PAGE, 1), SIGSEGV);
	EXPECT(mprotect(range.at, 3 * PAGE, READ_WRITE) < 0 ? -errno : 0, 0);
	check_survived(&range);
}

TEST(mprotect_takes_all_access_away_and_gives_it_back)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	if (!mprotect(range.at, 3 * PAGE, PROT_NONE))
		EQUAL(read_fault(range.at + PAGE), SIGSEGV);
	EQUAL(granter_busy(range.refs, 3), 3);
	EXPECT(mprotect(range.at, 3 * PAGE, READ_WRITE) < 0 ? -errno : 0, 0);
	check_survived(&range);
}

/* It would make two mappings of one; if the kernel takes it, data is whole. */
TEST(mprotect_of_a_part_tears_nothing)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);

	for (unsigned int first = 0; first < 4; first++)
		for (unsigned int pages = 1; pages <= 4 - first; pages++) {
			uint8_t *at = range.at + first * PAGE;

			if (mprotect(at, pages * PAGE, PROT_READ))
				continue;
			check_whole(&range);
			EQUAL(mprotect(at, pages * PAGE, READ_WRITE), 0);
		}
	check_survived(&range);
}

static void advise(const struct mapped *range, int advice)
{
	/* Refused or not, whole or in part. */
	madvise(range->at, range->pages * PAGE, advice);
	check_whole(range);
	madvise(range->at + PAGE, PAGE, advice);
	check_whole(range);
}

static void check_advice(int advice)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	advise(&range, advice);
	check_survived(&range);
}

TEST(madvise_dontneed_keeps_the_data)
{
	check_advice(MADV_DONTNEED);
}

TEST(madvise_pageout_keeps_the_data)
{
	check_advice(MADV_COLD);
	check_advice(MADV_PAGEOUT);
}

TEST(madvise_free_and_remove_keep_the_data)
{
	check_advice(MADV_FREE);
	check_advice(MADV_REMOVE);
	check_advice(24); /* MADV_DONTNEED_LOCKED */
}

TEST(no_other_advice_tears_the_mapping)
{
	static const int advices[] = {
		MADV_NORMAL,
		MADV_RANDOM,
		MADV_SEQUENTIAL,
		MADV_WILLNEED,
		MADV_DONTFORK,
		MADV_DOFORK,
		MADV_MERGEABLE,
		MADV_UNMERGEABLE,
		MADV_HUGEPAGE,
		MADV_NOHUGEPAGE,
		MADV_DONTDUMP,
		MADV_DODUMP,
		MADV_WIPEONFORK,
		MADV_KEEPONFORK,
		22 /* POPULATE_READ */,
		23 /* POPULATE_WRITE */,
		25 /* COLLAPSE */,
	};
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	for (unsigned int i = 0; i < sizeof(advices) / sizeof(*advices); i++)
		advise(&range, advices[i]);
	check_survived(&range);
}

TEST(clearing_soft_dirty_bits_keeps_the_data)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	EXPECT(write_line("/proc/self/clear_refs", "4"), 0);
	check_survived(&range);
}

TEST(clearing_referenced_bits_keeps_the_data)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	for (int i = 0; i < 3; i++) {
		static const char *const what[] = {"1", "2", "3"};

		EXPECT(write_line("/proc/self/clear_refs", what[i]), 0);
		check_whole(&range);
	}
	check_survived(&range);
}

TEST(read_only_mapping_survives_it_all)
{
	struct mapped range = map_some(dev_open(), 3, PROT_READ);

	EXPECT(write_line("/proc/self/clear_refs", "4"), 0);
	check_whole(&range);
	advise(&range, MADV_DONTNEED);
	EXPECT(mprotect(range.at, 3 * PAGE, PROT_NONE) < 0 ? -errno : 0, 0);
	EXPECT(mprotect(range.at, 3 * PAGE, PROT_READ) < 0 ? -errno : 0, 0);
	check_whole(&range);
	EQUAL(write_fault(range.at, 1), SIGSEGV);
	unmap_some(&range);
}

TEST(walks_of_the_page_tables_keep_the_data)
{
	static const char *const files[] = {
		"/proc/self/smaps",
		"/proc/self/smaps_rollup",
		"/proc/self/numa_maps",
		"/proc/self/maps",
	};
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[3];
	char line[256];

	for (unsigned int i = 0; i < 4; i++) {
		FILE *file = fopen(files[i], "re");

		while (file && fgets(line, sizeof(line), file))
			;
		if (file)
			fclose(file);
	}
	EQUAL(pread(pagemap, entries, sizeof(entries),
		    (uintptr_t)range.at / PAGE * 8),
	      sizeof(entries));
	check_survived(&range);
}

TEST(moving_pages_between_nodes_keeps_the_data)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);
	void *pages[3] = {range.at, range.at + PAGE, range.at + 2 * PAGE};
	unsigned long node = 1;
	int nodes[3] = {0}, status[3];

	/* MPOL_MF_MOVE; MPOL_BIND with MPOL_MF_MOVE | MPOL_MF_STRICT. */
	syscall(SYS_move_pages, 0, 3UL, pages, nodes, status, 2);
	check_whole(&range);
	syscall(SYS_mbind, range.at, 3UL * PAGE, 2, &node, 64UL, 3);
	check_whole(&range);
	write_line("/proc/sys/vm/compact_memory", "1");
	check_survived(&range);
}

TEST(mlock_and_msync_keep_the_data)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	mlock(range.at, 3 * PAGE);
	check_whole(&range);
	msync(range.at, 3 * PAGE, MS_SYNC);
	msync(range.at, 3 * PAGE, MS_ASYNC | MS_INVALIDATE);
	check_whole(&range);
	munlock(range.at, 3 * PAGE);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	check_whole(&range);
	munlockall();
	check_survived(&range);
}

TEST(mapping_may_be_populated_and_locked)
{
	struct mapped range = map_some(dev_open(), 3, PROT_NONE);

	range.at = mmap(NULL, 3 * PAGE, READ_WRITE,
			MAP_SHARED | MAP_POPULATE | MAP_LOCKED, range.fd,
			range.index);
	CHECK(range.at != MAP_FAILED, "mmap: %s", error_name(errno));
	check_survived(&range);
}

static void crash_with_core(void *argument)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	uint32_t *refs = argument;
	int fd = dev_open();
	uint8_t *at = must_mmap(fd, must_insert(fd, refs, 3), 3, READ_WRITE);

	setrlimit(RLIMIT_CORE, &all);
	EXPECT(chdir("/tmp") < 0 ? -errno : 0, 0);
	madvise(at, 3 * PAGE, MADV_DODUMP);
	EXPECT(write_line("/proc/self/coredump_filter", "0xff"), 0);
	signal(SIGQUIT, SIG_DFL);
	raise(SIGQUIT);
}

TEST(core_dump_of_a_mapping_does_no_harm)
{
	char pattern[256];
	uint32_t refs[3];

	if (!read_line("/proc/sys/kernel/core_pattern", pattern,
		       sizeof(pattern)) ||
	    write_line("/proc/sys/kernel/core_pattern", "abi.core"))
		SKIP("this kernel dumps no core");
	granter_alloc(refs, 3, true);
	EQUAL(child_signal(child_start(crash_with_core, refs)), SIGQUIT);
	write_line("/proc/sys/kernel/core_pattern", pattern);
	unlink("/tmp/abi.core");
	EQUAL(granter_wait_idle(refs, 3, 5000), 0);
}

struct look {
	const uint8_t *at;
	unsigned int pages;
};

/*
 * Some kernels from 6.12 on show what the program has no access to in its mem file
 * to whoever traces it, and to nobody else.
 */
static void look_as_debugger(void *argument)
{
	const struct look *look = argument;
	pid_t program = getppid();
	uint8_t page[PAGE];
	char path[32];
	int memory;

	CHECK(!ptrace(PTRACE_SEIZE, program, NULL, NULL), "ptrace: %s",
	      error_name(errno));
	snprintf(path, sizeof(path), "/proc/%d/mem", program);
	memory = open(path, O_RDWR | O_CLOEXEC);
	CHECK(memory >= 0, "%s: %s", path, error_name(errno));
	for (unsigned int i = 0; i < look->pages; i++) {
		EQUAL(pread(memory, page, PAGE,
			    (off_t)(uintptr_t)(look->at + i * PAGE)),
		      PAGE);
		check_page(page, i);
	}
	EQUAL(pwrite(memory, page, 1, (off_t)(uintptr_t)look->at), -1);
}

/* A debugger sees what is there; the program still does not. */
TEST(protected_mapping_stays_unreadable_for_a_debugger)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);
	struct look look = {.at = range.at, .pages = 2};

	CHECK(!mprotect(range.at, 2 * PAGE, PROT_NONE), "mprotect: %s",
	      error_name(errno));
	EQUAL(read_fault(range.at), SIGSEGV);
	child_must_pass(child_start(look_as_debugger, &look));
	EQUAL(read_fault(range.at), SIGSEGV);
	EQUAL(write_fault(range.at, 1), SIGSEGV);
	EQUAL(read_fault(range.at + PAGE), SIGSEGV);
	CHECK(!mprotect(range.at, 2 * PAGE, READ_WRITE), "mprotect: %s",
	      error_name(errno));
	check_survived(&range);
}

TEST(mapping_made_without_access_stays_unreadable_for_a_debugger)
{
	struct mapped range = map_some(dev_open(), 1, PROT_NONE);
	struct look look = {.pages = 1};

	range.at = must_mmap(range.fd, range.index, 1, PROT_NONE);
	look.at = range.at;
	child_must_pass(child_start(look_as_debugger, &look));
	EQUAL(read_fault(range.at), SIGSEGV);
	EQUAL(granter_busy(range.refs, 1), 1);
	unmap_some(&range);
}
