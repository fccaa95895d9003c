/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef ABI_UTIL_H
#define ABI_UTIL_H

/* "EINVAL" for 22 and -22, "0" for 0. */
const char *error_name(int error);

/* The monotonic clock. */
long long milliseconds(void);
void sleep_ms(unsigned int ms);

#endif
