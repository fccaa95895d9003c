/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The harness: a program is a set of tests, each of which runs in a child of
 * its own and is reported as a line of TAP. See tap.c.
 */
#ifndef ABI_TAP_H
#define ABI_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util.h"

struct test {
	const char *name;
	void (*run)(void);
	/* Seconds until the test is killed and has failed; 0: the usual. */
	unsigned int timeout;
	/* How often it is run, as long as it passes, each time with that time. */
	unsigned int rounds; /* 0: once */
};

/*
 * TEST(what_is_true) { ... } is a test of that name. TEST(name, .timeout = 60)
 * sets other members of struct test.
 */
#define TEST(test_name, ...)                                                 \
	static void test_name(void);                                         \
	static const struct test test_##test_name = {                        \
		.name = #test_name, .run = test_name, __VA_ARGS__};          \
	static const struct test *const listed_##test_name                   \
		__attribute__((used, section("tests"))) = &test_##test_name; \
	static void test_name(void)

/* Fail the test: say what was found and what was expected. */
#define FAIL(...) tap_fail(__FILE__, __LINE__, __VA_ARGS__)

/* The condition is to hold; the rest says what is wrong if it does not. */
#define CHECK(condition, ...)              \
	do {                               \
		if (!(condition))          \
			FAIL(__VA_ARGS__); \
	} while (0)

/* A call that returns 0 or -errno is to return exactly this. */
#define EXPECT(call, expected) \
	tap_expect(__FILE__, __LINE__, #call, (call), (expected))

/* Two numbers are to be equal. */
#define EQUAL(found, expected)                                    \
	tap_equal(__FILE__, __LINE__, #found, (long long)(found), \
		  (long long)(expected))

/* The test cannot be done here: say why, and end it. */
#define SKIP(...) tap_skip(__VA_ARGS__)

void tap_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void tap_expect(const char *file, int line, const char *call, int found,
		int expected);
void tap_equal(const char *file, int line, const char *what, long long found,
	       long long expected);
void tap_skip(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The name under which the program was started, without folders. */
extern const char *program_name;

/*
 * What is known of a test on the distribution's driver, in this kind of domain,
 * or on the machine; see differences.c.
 */
struct difference {
	unsigned int where;
	/* The rule of the contract that stands behind the test. */
	const char *rule;
};

/* It fails in these kinds of domains, on the distribution's driver. */
#define DIFFERS_PV 1u
#define DIFFERS_AUTO 2u
#define DIFFERS (DIFFERS_PV | DIFFERS_AUTO)
/* Not run unless asked for by name: the kernel is the worse for it. */
#define TAKES_DOWN 4u
/* May pass or fail, by luck. */
#define SOMETIMES 8u
/* It fails, or cannot be done, on the machine. */
#define ON_MACHINE 16u

/* Tests that differ for the same reason. */
#define DIFFERENCES 32
struct difference_group {
	unsigned int where;
	const char *rule;
	const char *tests[DIFFERENCES];
};
extern const struct difference_group dmabuf_differences[];
extern const size_t dmabuf_difference_count;
extern const struct difference_group more_differences[];
extern const size_t more_difference_count;

bool difference_of(const char *test, struct difference *found);

#endif
