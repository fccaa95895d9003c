/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The log, and the end of a process that has done what must not be done. */
#ifndef MACHINE_BASE_LOG_H
#define MACHINE_BASE_LOG_H

/*
 * A hard failure: the driver did what would be wrong in a kernel, or a caller what
 * the machine is not made for.
 */
_Noreturn void machine_fatal(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* Told the message first; it must not return. NULL: the process aborts. */
void machine_fatal_to(void (*told)(const char *message));

/* A line of the log; a test reads it with machine_log(). */
void machine_printk(const char *level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif
#define pr_err(fmt, ...) machine_printk("err", pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...) machine_printk("warn", pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...) machine_printk("info", pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice(fmt, ...) machine_printk("notice", pr_fmt(fmt), ##__VA_ARGS__)
/* Not limited: a test counts the lines. */
#define pr_warn_ratelimited pr_warn
#define pr_notice_ratelimited pr_notice

#endif /* MACHINE_BASE_LOG_H */
