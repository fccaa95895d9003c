// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What of a C library the client's files call. There is no thread-local storage
 * here, as that register is the program's: errno lies at the foot of the stack
 * that a call was given (trap.c). Locks wait by futex; signals are blocked as
 * long as anything here runs.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "loader.h"
#include "stacks.h"

char *program_invocation_short_name = "";

/* ---- errno ---- */

static int startup_errno;

int *__errno_location(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (here - (uintptr_t)stacks >= sizeof(stacks))
		return &startup_errno;

	return &stacks[(here - (uintptr_t)stacks) / STACK_BYTES].error;
}

/* ---- memory and strings ---- */

void *memcpy(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

#ifdef __x86_64__
	__asm__ volatile("rep movsb"
			 : "+D"(t), "+S"(f), "+c"(size)
			 :
			 : "memory");
#else
	for (; size; size--)
		*t++ = *f++;
#endif

	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + size)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];

	return to;
}

void *memset(void *at, int byte, size_t size)
{
	char *to = at;

#ifdef __x86_64__
	__asm__ volatile("rep stosb"
			 : "+D"(to), "+c"(size)
			 : "a"(byte)
			 : "memory");
#else
	for (; size; size--)
		*to++ = byte;
#endif

	return at;
}

int memcmp(const void *one, const void *other, size_t size)
{
	const unsigned char *a = one, *b = other;

	for (; size; size--, a++, b++) {
		if (*a != *b)
			return *a - *b;
	}

	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;

	return length;
}

int strncmp(const char *one, const char *other, size_t size)
{
	for (; size; size--, one++, other++) {
		if (*one != *other || !*one)
			return (unsigned char)*one - (unsigned char)*other;
	}

	return 0;
}

int strcmp(const char *one, const char *other)
{
	return strncmp(one, other, SIZE_MAX);
}

char *strcpy(char *to, const char *from)
{
	return memcpy(to, from, strlen(from) + 1);
}

char *strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}

char *strncpy(char *to, const char *from, size_t size)
{
	size_t length = strlen(from);

	if (length > size)
		length = size;
	memset(to + length, 0, size - length);

	return memcpy(to, from, length);
}

char *strchr(const char *text, int wanted)
{
	for (; *text != (char)wanted; text++) {
		if (!*text)
			return NULL;
	}

	return (char *)text;
}

char *strrchr(const char *text, int wanted)
{
	const char *found = NULL;

	do {
		if (*text == (char)wanted)
			found = text;
	} while (*text++);

	return (char *)found;
}

char *strstr(const char *text, const char *wanted)
{
	size_t length = strlen(wanted);

	for (; *text; text++) {
		if (!strncmp(text, wanted, length))
			return (char *)text;
	}

	return length ? NULL : (char *)text;
}

long parse_long(const char *text, const char **end)
{
	bool negative = *text == '-';
	long value = 0;

	text += negative;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (*text - '0');
	if (end)
		*end = text;

	return negative ? -value : value;
}

/* Of decimal digits. */
unsigned long strtoul(const char *text, char **end, int base)
{
	(void)base;
	return parse_long(text, (const char **)end);
}

/* ---- text for people: %s, %d, %u, %x, with or without l ---- */

struct text {
	char *at;
	size_t size, length;
};

static void put(struct text *text, char byte)
{
	if (text->length + 1 < text->size)
		text->at[text->length] = byte;
	text->length++;
}

static void put_number(struct text *text, unsigned long value,
		       unsigned int base)
{
	char digits[24];
	int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(text, digits[--count]);
}

static void put_signed(struct text *text, long value)
{
	if (value < 0)
		put(text, '-');
	put_number(text,
		   value < 0 ? 0 - (unsigned long)value : (unsigned long)value,
		   10);
}

static void put_value(struct text *text, char kind, bool is_long, va_list *list)
{
	const char *string;

	switch (kind) {
	case 's':
		string = va_arg(*list, const char *);
		while (*string)
			put(text, *string++);
		break;
	case 'd':
		put_signed(text,
			   is_long ? va_arg(*list, long) : va_arg(*list, int));
		break;
	case 'u':
	case 'x':
		put_number(text,
			   is_long ? va_arg(*list, unsigned long)
				   : va_arg(*list, unsigned int),
			   kind == 'x' ? 16 : 10);
		break;
	default:
		put(text, kind);
	}
}

int vsnprintf(char *at, size_t size, const char *format, va_list arguments)
{
	struct text text = {at, size, 0};
	bool is_long;
	va_list list;

	va_copy(list, arguments);
	for (; *format; format++) {
		if (*format != '%') {
			put(&text, *format);
			continue;
		}
		for (is_long = false; *++format == 'l' || *format == 'z';)
			is_long = true;
		put_value(&text, *format, is_long, &list);
	}
	va_end(list);
	if (size)
		at[text.length < size ? text.length : size - 1] = '\0';

	return text.length;
}

int snprintf(char *at, size_t size, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(at, size, format, list);
	va_end(list);

	return length;
}

int dprintf(int fd, const char *format, ...)
{
	char line[2048];
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	if (length >= (int)sizeof(line))
		length = sizeof(line) - 1;

	return raw(SYS_write, fd, line, length);
}

void say_line(const char *first, ...)
{
	char line[2048] = "gntdev: ";
	const char *part;
	va_list list;

	va_start(list, first);
	for (part = first; part; part = va_arg(list, const char *)) {
		if (strlen(line) + strlen(part) + 2 < sizeof(line))
			strcat(line, part);
	}
	va_end(list);
	strcat(line, "\n");
	raw(SYS_write, 2, line, strlen(line));
}

static const struct {
	int error;
	const char *text;
} errors[] = {
	{EPERM, "Operation not permitted"},
	{ENOENT, "No such file or directory"},
	{EACCES, "Permission denied"},
	{ENOMEM, "Cannot allocate memory"},
	{EMFILE, "Too many open files"},
	{ENFILE, "Too many open files in system"},
	{ECONNREFUSED, "Connection refused"},
	{EPROTO, "Protocol error"},
	{EAFNOSUPPORT, "Address family not supported by protocol"},
};

char *strerror(int error)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (errors[i].error == error)
			return (char *)errors[i].text;
	}

	return "it failed";
}

/* ---- signals and locks ---- */

int sigfillset(sigset_t *set)
{
	memset(set, 0xff, sizeof(*set));
	return 0;
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof(*set));
	return 0;
}

/* They are blocked already, all but those of faults. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *former)
{
	(void)how;
	(void)set;
	if (former)
		sigemptyset(former);
	return 0;
}

/* 0: free, 1: held, 2: held, and others wait. */
static atomic_int *word_of(pthread_mutex_t *mutex)
{
	return (atomic_int *)mutex;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *how)
{
	(void)how;
	*word_of(mutex) = 0;
	return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	atomic_int *word = word_of(mutex);
	int is = 0;

	if (atomic_compare_exchange_strong(word, &is, 1))
		return 0;
	while (atomic_exchange(word, 2))
		raw_ask(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0);

	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	atomic_int *word = word_of(mutex);

	if (atomic_exchange(word, 0) == 2)
		raw_ask(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);

	return 0;
}

/* ---- system calls that are functions there ---- */

pid_t getpid(void)
{
	return raw(SYS_getpid);
}

uid_t getuid(void)
{
	return raw(SYS_getuid);
}

uid_t geteuid(void)
{
	return raw(SYS_geteuid);
}

gid_t getegid(void)
{
	return raw(SYS_getegid);
}

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);

	return raw(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

void _exit(int status)
{
	for (;;)
		raw(SYS_exit_group, status);
}

struct cmsghdr *__cmsg_nxthdr(struct msghdr *message, struct cmsghdr *part)
{
	uintptr_t next = (uintptr_t)part + CMSG_ALIGN(part->cmsg_len);
	uintptr_t end =
		(uintptr_t)message->msg_control + message->msg_controllen;

	if (part->cmsg_len < sizeof(*part) || next + sizeof(*part) > end)
		return NULL;

	return (struct cmsghdr *)next;
}
