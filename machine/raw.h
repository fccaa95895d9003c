/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * System calls without the C library: no cancellation points, and no function
 * that a program or another library may have put itself before. They return -1
 * and set errno as the C library's do.
 */
#ifndef MACHINE_RAW_H
#define MACHINE_RAW_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)

static inline long raw_ask(long number, long a, long b, long c, long d, long e,
			   long f)
{
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	register long sixth __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth),
			   "r"(fifth), "r"(sixth)
			 : "rcx", "r11", "memory");

	return result;
}

#elif defined(__aarch64__)

static inline long raw_ask(long number, long a, long b, long c, long d, long e,
			   long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");

	return x0;
}

#else

static inline long raw_ask(long number, long a, long b, long c, long d, long e,
			   long f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result == -1 ? -errno : result;
}

#endif

static inline long raw_call(long number, long a, long b, long c, long d, long e,
			    long f)
{
	long result = raw_ask(number, a, b, c, d, e, f);

	if ((unsigned long)result <= -4096UL)
		return result;
	errno = -result;

	return -1;
}

#define raw(...) RAW_PAD(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_PAD(number, a, b, c, d, e, f, ...)                       \
	raw_call(number, (long)(a), (long)(b), (long)(c), (long)(d), \
		 (long)(e), (long)(f))

#endif /* MACHINE_RAW_H */
