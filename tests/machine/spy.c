// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A library to preload: tells which process is permitted to trace this one,
 * which is what Linux's Yama module asks for.
 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_PTRACER)
		dprintf(STDERR_FILENO, "permits %lu\n", a[0]);

	return syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}
