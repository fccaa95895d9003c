/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel says while a test runs. */
#ifndef ABI_KERNEL_LOG_H
#define ABI_KERNEL_LOG_H

#include <stdbool.h>

/* Forget what was said until now. */
void kernel_log_begin(void);
/* Show each warning or worse since then, and return how many there were. */
unsigned int kernel_log_complaints(void);

/* What it says from now on; whether there was a line with this in it. */
int kernel_log_watch(void);
bool kernel_log_said(int watch, const char *text);

#endif
