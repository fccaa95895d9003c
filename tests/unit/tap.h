/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Tests in a table, each a process of its own: a hard failure of the machine
 * ends one test, not the program. Output is TAP.
 */
#ifndef UNIT_TAP_H
#define UNIT_TAP_H

#include <stdbool.h>
#include <stddef.h>

#include "../../machine/machine.h"

struct test {
	const char *name;
	void (*run)(void);
	unsigned int modes; /* IN_PV, IN_XLAT, or both */
	const char *dies; /* the hard failure that is expected, or NULL */
	const void *arg; /* put where tap_arg points */
};

#define IN_PV 1
#define IN_XLAT 2
#define IN_BOTH 3
#define IN_ANY 4 /* once, in no particular mode */

#define TEST(name) {#name, name, IN_BOTH, NULL, NULL}
#define TEST_IN(modes, name) {#name, name, modes, NULL, NULL}
#define TEST_DIES(name, message) {#name, name, IN_ANY, message, NULL}

/* The mode that the running test is for. */
extern enum machine_mode test_mode;
extern const void **tap_arg;

/* Runs all tests, or those whose names contain an argument. */
int tap_main(int argc, char **argv, const struct test *tests, size_t count);

/* Ends the test as failed. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define CHECK(cond)                                                 \
	do {                                                        \
		if (!(cond))                                        \
			test_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)
#define CHECK_EQ(a, b)                                                        \
	do {                                                                  \
		long long a_ = (long long)(a), b_ = (long long)(b);           \
		if (a_ != b_)                                                 \
			test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", \
				  #a, a_, b_);                                \
	} while (0)

#endif /* UNIT_TAP_H */
