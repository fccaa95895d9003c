// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The kernel log's last lines, and how a hard failure ends the process. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "log.h"

#define LOG_SIZE 8192

static struct {
	pthread_mutex_t lock;
	char text[LOG_SIZE];
	size_t used;
	FILE *out;
} log_ = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void (*fatal)(const char *message);

void machine_printk(const char *level, const char *format, ...)
{
	char line[512];
	va_list args;
	size_t len;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	len = strlen(line);

	pthread_mutex_lock(&log_.lock);
	/* The oldest goes, as in the kernel's own. */
	if (log_.used + len >= LOG_SIZE)
		log_.used = 0;
	memcpy(log_.text + log_.used, line, len + 1);
	log_.used += len;
	if (log_.out)
		fprintf(log_.out, "%s: %s", level, line);
	pthread_mutex_unlock(&log_.lock);
}

const char *machine_log(void)
{
	return log_.text;
}

void machine_log_clear(void)
{
	pthread_mutex_lock(&log_.lock);
	log_.used = 0;
	log_.text[0] = 0;
	pthread_mutex_unlock(&log_.lock);
}

void machine_log_to(FILE *out)
{
	pthread_mutex_lock(&log_.lock);
	log_.out = out;
	pthread_mutex_unlock(&log_.lock);
}

void machine_fatal_to(void (*told)(const char *message))
{
	fatal = told;
}

void machine_fatal(const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (fatal)
		fatal(message);
	fprintf(stderr, "machine: hard failure: %s\n", message);
	abort();
}
