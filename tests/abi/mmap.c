// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* mmap: what may be mapped, and what is then seen. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "dev.h"
#include "granter.h"
#include "process.h"
#include "tap.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

TEST(mapping_shows_the_granters_page)
{
	struct mapped range = map_some(dev_open(), 1, PROT_READ);
	uint8_t change = 0x5a;

	check_whole(&range);
	granter_write(range.refs[0], 4095, &change, 1);
	EQUAL(*(volatile uint8_t *)(range.at + 4095), 0x5a);
}

TEST(granter_sees_what_is_written)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	for (unsigned int i = 0; i < 3; i++)
		fill_page(range.at + i * PAGE, 10 + i);
	for (unsigned int i = 0; i < 3; i++)
		check_granters_page(range.refs[i], 10 + i);
}

TEST(mapped_grants_are_in_use_until_munmap)
{
	struct mapped range = map_some(dev_open(), 4, READ_WRITE);

	EQUAL(granter_busy(range.refs, 4), 4);
	must_munmap(range.at, 4);
	EQUAL(granter_wait_idle(range.refs, 4, 5000), 0);
}

TEST(every_range_of_an_instance_may_be_mapped)
{
	struct mapped ranges[8];
	int fd = dev_open();

	for (int i = 0; i < 8; i++)
		ranges[i] = map_some(fd, 1 + i % 3, READ_WRITE);
	for (int i = 0; i < 8; i++)
		check_whole(&ranges[i]);
	for (int i = 7; i >= 0; i--)
		unmap_some(&ranges[i]);
}

TEST(ranges_of_two_instances_are_separate)
{
	struct mapped one = map_some(dev_open(), 2, READ_WRITE);
	struct mapped other = map_some(dev_open(), 2, READ_WRITE);

	EQUAL(one.index, other.index);
	fill_page(one.at, 20);
	check_page(other.at, 0);
	unmap_some(&one);
	check_page(other.at, 0);
}

TEST(mmap_of_no_range_is_einval)
{
	int fd = dev_open();

	EXPECT(dev_try_mmap(fd, 0, PAGE, PROT_READ, MAP_SHARED), -EINVAL);
	EXPECT(dev_try_mmap(fd, 17 * PAGE, PAGE, PROT_READ, MAP_SHARED),
	       -EINVAL);
}

TEST(mmap_of_a_part_is_einval)
{
	struct mapped range = map_some(dev_open(), 4, PROT_NONE);
	int fd = range.fd;

	for (unsigned int first = 0; first < 4; first++)
		for (unsigned int pages = 1; pages <= 4 - first; pages++)
			if (pages < 4)
				EXPECT(dev_try_mmap(fd,
						    range.index + first * PAGE,
						    pages * PAGE, READ_WRITE,
						    MAP_SHARED),
				       -EINVAL);
	EXPECT(dev_try_mmap(fd, range.index, 4 * PAGE, READ_WRITE, MAP_SHARED),
	       0);
}

TEST(mmap_of_more_than_a_range_is_einval)
{
	int fd = dev_open();
	struct mapped one = map_some(fd, 2, PROT_NONE);
	struct mapped other = map_some(fd, 2, PROT_NONE);
	uint64_t first = one.index < other.index ? one.index : other.index;

	EXPECT(dev_try_mmap(fd, first, 3 * PAGE, PROT_READ, MAP_SHARED),
	       -EINVAL);
	EXPECT(dev_try_mmap(fd, first, 4 * PAGE, PROT_READ, MAP_SHARED),
	       -EINVAL);
	EXPECT(dev_try_mmap(fd, first + PAGE, 2 * PAGE, PROT_READ, MAP_SHARED),
	       -EINVAL);
	EQUAL(granter_busy(one.refs, 2) + granter_busy(other.refs, 2), 0);
}

TEST(private_mapping_is_einval)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_WRITE,
				    READ_WRITE, PROT_READ | PROT_EXEC};
	struct mapped range = map_some(dev_open(), 1, PROT_NONE);

	for (unsigned int i = 0; i < sizeof(prots) / sizeof(*prots); i++)
		EXPECT(dev_try_mmap(range.fd, range.index, PAGE, prots[i],
				    MAP_PRIVATE),
		       -EINVAL);
	EQUAL(granter_busy(range.refs, 1), 0);
}

/* The mapping that is there must not suffer. */
TEST(second_mmap_is_einval)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	EXPECT(dev_try_mmap(range.fd, range.index, 2 * PAGE, READ_WRITE,
			    MAP_SHARED),
	       -EINVAL);
	EXPECT(dev_try_mmap(range.fd, range.index, 2 * PAGE, PROT_READ,
			    MAP_SHARED),
	       -EINVAL);
	check_whole(&range);
	unmap_some(&range);
}

TEST(range_may_be_mapped_again_after_munmap)
{
	struct mapped range = map_some(dev_open(), 3, READ_WRITE);

	for (int i = 0; i < 20; i++) {
		check_whole(&range);
		must_munmap(range.at, 3);
		range.at = must_mmap(range.fd, range.index, 3, READ_WRITE);
	}
	check_whole(&range);
}

/* A bad reference at each place among good ones. */
TEST(one_bad_reference_fails_the_whole_mmap)
{
	static const uint32_t bad[] = {BAD_REF, FAR_REF};
	int fd = dev_open();
	uint32_t refs[5], good;

	granter_alloc(refs, 5, true);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t index;

		good = refs[i / 2];
		refs[i / 2] = bad[i % 2];
		index = must_insert(fd, refs, 5);
		EXPECT(dev_try_mmap(fd, index, 5 * PAGE, READ_WRITE,
				    MAP_SHARED),
		       -EINVAL);
		refs[i / 2] = good;
		EXPECT(dev_remove(fd, index, 5), 0);
		EQUAL(granter_wait_idle(refs, 5, 2000), 0);
	}
}

TEST(failed_mmap_gives_everything_back_at_once)
{
	int fd = dev_open();
	uint32_t refs[4];
	uint64_t index;

	granter_alloc(refs, 3, true);
	refs[3] = BAD_REF;
	index = must_insert(fd, refs, 4);
	EXPECT(dev_try_mmap(fd, index, 4 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	/* Neither close nor removal is needed for it. */
	EQUAL(granter_wait_idle(refs, 3, 2000), 0);
}

TEST(failed_mmap_leaves_no_addresses_mapped)
{
	uint8_t *place = mmap(NULL, 4 * PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = dev_open();
	uint32_t refs[4];
	uint64_t index;

	munmap(place, 4 * PAGE);
	granter_alloc(refs, 3, true);
	refs[3] = BAD_REF;
	index = must_insert(fd, refs, 4);
	CHECK(mmap(place, 4 * PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, fd,
		   index) == MAP_FAILED,
	      "mmap with a bad reference succeeded");
	EQUAL(errno, EINVAL);
	CHECK(is_unmapped(place, 4), "something is mapped at %p", place);
}

/* The reference is bad at first, then the granter makes it good. */
TEST(range_may_be_mapped_again_after_a_failed_mmap)
{
	uint32_t refs[3], spare;
	int fd = dev_open();
	uint64_t index;
	uint8_t *at;

	granter_alloc(refs, 2, true);
	granter_alloc(&spare, 1, true);
	granter_fill(&spare, 1, 7);
	refs[2] = BAD_REF;
	index = must_insert(fd, refs, 3);
	for (int i = 0; i < 3; i++)
		EXPECT(dev_try_mmap(fd, index, 3 * PAGE, READ_WRITE,
				    MAP_SHARED),
		       -EINVAL);
	EQUAL(granter_wait_idle(refs, 2, 2000), 0);
	CHECK(granter_swap(spare, BAD_REF), "cannot exchange references");
	at = must_mmap(fd, index, 3, READ_WRITE);
	check_page(at + 2 * PAGE, 7);
	must_munmap(at, 3);
	EQUAL(granter_wait_idle(refs, 3, 2000), 0);
	CHECK(granter_swap(spare, BAD_REF), "cannot exchange references");
}

TEST(grant_of_a_domain_that_does_not_exist_is_einval)
{
	struct ioctl_gntdev_grant_ref grant = {32000, 8};
	int fd = dev_open();
	uint64_t index;

	EXPECT(dev_insert_refs(fd, &grant, 1, &index), 0);
	EXPECT(dev_try_mmap(fd, index, PAGE, PROT_READ, MAP_SHARED), -EINVAL);
	EXPECT(dev_remove(fd, index, 1), 0);
}

/* The granter takes the grant back between the two calls. */
TEST(grant_revoked_before_mmap_is_einval)
{
	int fd = dev_open();
	uint32_t refs[3];
	uint64_t index;

	granter_alloc(refs, 3, true);
	index = must_insert(fd, refs, 3);
	granter_free(&refs[1], 1);
	EXPECT(dev_try_mmap(fd, index, 3 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	refs[1] = refs[2];
	EQUAL(granter_wait_idle(refs, 2, 2000), 0);
	EXPECT(dev_remove(fd, index, 3), 0);
}

TEST(page_of_a_granter_that_is_gone_stays_readable)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	granter_free(range.refs, 2);
	check_page(range.at, 0);
	check_page(range.at + PAGE, 1);
	EQUAL(write_fault(range.at, 1), 0);
	must_munmap(range.at, 2);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

/* As hostile a granter as a program can make it: all kinds in one range. */
TEST(good_bad_and_revoked_grants_are_told_apart)
{
	uint32_t refs[12], good[4];
	int fd = dev_open();
	uint64_t index;

	granter_alloc(refs, 12, true);
	memcpy(good, refs, sizeof(good));
	granter_free(&refs[4], 4);
	granter_free(&refs[8], 4);
	granter_alloc(&refs[8], 4, false);
	index = must_insert(fd, refs, 12);
	EXPECT(dev_try_mmap(fd, index, 12 * PAGE, READ_WRITE, MAP_SHARED),
	       -EINVAL);
	EQUAL(granter_wait_idle(good, 4, 2000), 0);
	EQUAL(granter_wait_idle(&refs[8], 4, 2000), 0);
	EXPECT(dev_remove(fd, index, 12), 0);
	index = must_insert(fd, good, 4);
	EXPECT(dev_try_mmap(fd, index, 4 * PAGE, READ_WRITE, MAP_SHARED), 0);
}

TEST(same_grant_may_be_mapped_many_times)
{
	int fd = dev_open();
	uint32_t refs[4];
	uint8_t *at, *more;

	granter_alloc(refs, 1, true);
	granter_fill(refs, 1, 3);
	refs[1] = refs[2] = refs[3] = refs[0];
	at = must_mmap(fd, must_insert(fd, refs, 4), 4, READ_WRITE);
	more = must_mmap(fd, must_insert(fd, refs, 1), 1, PROT_READ);
	at[2 * PAGE + 9] = 0x77;
	for (unsigned int i = 0; i < 4; i++)
		EQUAL(((volatile uint8_t *)at)[i * PAGE + 9], 0x77);
	EQUAL(*(volatile uint8_t *)(more + 9), 0x77);
	must_munmap(at, 4);
	EQUAL(granter_wait_idle(refs, 1, 500), 1);
	EQUAL(*(volatile uint8_t *)(more + 9), 0x77);
	must_munmap(more, 1);
	EQUAL(granter_wait_idle(refs, 1, 5000), 0);
}

static volatile long alarm_us;

static void set_alarm(void)
{
	struct itimerval once = {.it_value.tv_usec = alarm_us};

	setitimer(ITIMER_REAL, &once, NULL);
}

/*
 * Later each time: on a machine so slow that the next signal always comes
 * before anything is done, nothing would ever be done.
 */
static void on_alarm(int number)
{
	(void)number;
	alarm_us += alarm_us / 4;
	if (alarm_us < 200000)
		set_alarm();
}

/* The first mapping of a process is where the kernel has most to do. */
static void map_under_signals(void *argument)
{
	struct sigaction action = {.sa_handler = on_alarm};
	uint32_t *refs = argument;
	int fd = dev_open();

	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < 4; i++) {
		uint64_t index = must_insert(fd, refs, 4);

		alarm_us = 40 + 20 * i;
		set_alarm();
		EXPECT(dev_try_mmap(fd, index, 4 * PAGE, READ_WRITE,
				    MAP_SHARED),
		       0);
		EXPECT(dev_remove(fd, index, 4), 0);
	}
}

/*
 * libxengnttab tries again for ever on EAGAIN, and neither it nor anybody else
 * expects EINTR.
 */
TEST(mmap_under_signals_just_works)
{
	uint32_t refs[4];

	granter_alloc(refs, 4, true);
	for (int i = 0; i < 40; i++)
		in_child(map_under_signals, refs);
}

TEST(mmap_may_choose_the_address)
{
	uint8_t *place = mmap(NULL, 8 * PAGE, READ_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	range.at = mmap(place + 3 * PAGE, 2 * PAGE, READ_WRITE,
			MAP_SHARED | MAP_FIXED, range.fd, range.index);
	CHECK(range.at == place + 3 * PAGE, "mmap: %s", error_name(errno));
	check_whole(&range);
	EQUAL(place[2 * PAGE] + place[5 * PAGE], 0);
	unmap_some(&range);
}

TEST(mmap_over_a_whole_mapping_unmaps_it)
{
	struct mapped range = map_some(dev_open(), 2, READ_WRITE);

	CHECK(mmap(range.at, 2 * PAGE, READ_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == range.at,
	      "mmap: %s", error_name(errno));
	EQUAL(range.at[0], 0);
	EQUAL(granter_wait_idle(range.refs, 2, 5000), 0);
	EXPECT(dev_remove(range.fd, range.index, 2), 0);
}

/* Length is counted in pages by the kernel, as for any file. */
TEST(last_page_may_be_asked_for_in_part)
{
	struct mapped range = map_some(dev_open(), 2, PROT_NONE);

	EXPECT(dev_try_mmap(range.fd, range.index, PAGE + 1, PROT_READ,
			    MAP_SHARED),
	       0);
}
