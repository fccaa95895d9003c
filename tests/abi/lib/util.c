// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util.h"

const char *error_name(int error)
{
	static char number[16];
	const char *name;

	if (!error)
		return "0";
	name = strerrorname_np(error < 0 ? -error : error);
	if (name)
		return name;
	snprintf(number, sizeof(number), "%d", error);
	return number;
}

long long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}
