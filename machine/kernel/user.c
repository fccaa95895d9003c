// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Reads and writes of programs' memory, a system call for as many as possible. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "context.h"
#include "delegated.h"
#include "faults.h"
#include "maps.h"
#include "user.h"
#include "vm.h"
#include "../xen/xen.h"

/* Of values that wait, and of pieces that are copied at once. */
#define MAX_PUTS USER_PIECES

u16 machine_no_pin = 256;

/* Values of put_user() that wait to be written together, into one page. */
static _Thread_local struct {
	unsigned long page; /* was written to, so it can be; 0: none */
	struct task *task;
	unsigned int count;
	bool lost;
	struct {
		u16 offset, size;
		u64 value;
	} all[MAX_PUTS];
} puts_;

bool user_read(struct task *task, void *to, u64 from, size_t size)
{
	struct iovec local = {to, size};
	struct iovec user = {(void *)(uintptr_t)from, size};

	if (delegated_read(task, to, from, size))
		return true;
	delegated_stop();

	return !size ||
	       process_vm_readv(task->pid, &local, 1, &user, 1, 0) ==
		       (ssize_t)size ||
	       (task->here && vm_access(task->mm, from, to, size, false));
}

bool user_write(struct task *task, u64 to, const void *from, size_t size)
{
	struct iovec local = {(void *)from, size};
	struct iovec user = {(void *)(uintptr_t)to, size};

	delegated_stop();

	return !size ||
	       process_vm_writev(task->pid, &local, 1, &user, 1, 0) ==
		       (ssize_t)size ||
	       (task->here &&
		vm_access(task->mm, to, (void *)from, size, true));
}

/* Neighbours become one: the kernel's cost is mostly that of a piece. */
static unsigned int merge(const struct iovec *from, struct iovec *to,
			  unsigned int count)
{
	unsigned int i, n = 0;

	for (i = 0; i < count; i++) {
		if (n && (char *)to[n - 1].iov_base + to[n - 1].iov_len ==
				 from[i].iov_base)
			to[n - 1].iov_len += from[i].iov_len;
		else
			to[n++] = from[i];
	}

	return n;
}

void user_copyv(struct task *task, const struct iovec *local,
		const struct iovec *user, unsigned int count, bool write)
{
	struct iovec l[MAX_PUTS], u[MAX_PUTS];
	unsigned int i, nl, nu;
	ssize_t done;
	size_t size = 0;

	delegated_stop();
	for (i = 0; i < count; i++)
		size += local[i].iov_len;
	nl = merge(local, l, count);
	nu = merge(user, u, count);
	if (write)
		done = process_vm_writev(task->pid, l, nl, u, nu, 0);
	else
		done = process_vm_readv(task->pid, l, nl, u, nu, 0);
	if (done == (ssize_t)size)
		return;
	/* A kernel's pin would have held it: the request is not a success. */
	if (count == 1) {
		context()->lost = true;
		return;
	}

	/* One is out of reach: the others are not to suffer. */
	for (i = 0; i < count; i++)
		user_copyv(task, local + i, user + i, 1, write);
}

/*
 * Writes what waits, from the first to the last byte at once; what lies between
 * is read a moment before. It is the rest of an array of the request's, which
 * its program has no business to change just now.
 */
static bool write_puts(void)
{
	unsigned int i, first = PAGE_SIZE, last = 0;
	unsigned char bytes[PAGE_SIZE];

	for (i = 0; i < puts_.count; i++) {
		first = min(first, (unsigned int)puts_.all[i].offset);
		last = max(last, (unsigned int)puts_.all[i].offset +
					 puts_.all[i].size);
	}
	if (puts_.count > 1 && !user_read(puts_.task, bytes + first,
					  puts_.page + first, last - first))
		return false;
	for (i = 0; i < puts_.count; i++)
		memcpy(bytes + puts_.all[i].offset, &puts_.all[i].value,
		       puts_.all[i].size);

	return user_write(puts_.task, puts_.page + first, bytes + first,
			  last - first);
}

bool user_flush(void)
{
	bool good = (!puts_.count || write_puts()) && !puts_.lost;

	puts_.lost = false;
	puts_.count = 0;
	puts_.page = 0;

	return good;
}

void user_settle(void)
{
	user_flush();
	delegated_stop();
}

struct task *user_of(const char *what, const void __user *at)
{
	struct context *c = context();
	const struct lock_class *class = lock_any_held();

	if (!c->task)
		machine_fatal("%s in a thread of the kernel's own", what);
	if (class)
		machine_fatal(
			"%s with %s (%s:%d) held: a fault would take mmap_lock",
			what, class->name, class->file, class->line);
	if (c->invalidating)
		machine_fatal("%s in an MMU notifier", what);
	might_sleep_in(what);
	if (event_wanted())
		event_emit(&(struct machine_event){
			.kind = MACHINE_EVENT_USER,
			.address = (uintptr_t)at,
		});

	return c->task;
}

unsigned long copy_from_user(void *to, const void __user *from, unsigned long n)
{
	struct task *task = user_of("copy_from_user", from);
	unsigned int variant;

	puts_.lost = !user_flush();
	if (!fault(SITE_COPY_FROM_USER, &variant) &&
	    user_read(task, to, (uintptr_t)from, n))
		return 0;

	/* As the kernel does: nothing of old memory gets out. */
	memset(to, 0, n);
	return n;
}

unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)
{
	struct task *task = user_of("copy_to_user", to);
	unsigned int variant;

	puts_.lost = !user_flush();
	if (fault(SITE_COPY_TO_USER, &variant))
		return n;
	return user_write(task, (uintptr_t)to, from, n) ? 0 : n;
}

int machine_get_user(void *value, const void __user *from, size_t size)
{
	struct task *task = user_of("get_user", from);
	unsigned int variant;

	puts_.lost = !user_flush();
	if (!fault(SITE_GET_USER, &variant) &&
	    user_read(task, value, (uintptr_t)from, size))
		return 0;

	memset(value, 0, size);
	return -EFAULT;
}

int machine_put_user(void __user *to, const void *value, size_t size)
{
	struct task *task = user_of("put_user", to);
	unsigned long offset = (unsigned long)to & ~PAGE_MASK;
	unsigned long page = (unsigned long)to & PAGE_MASK;
	unsigned int variant;

	if (fault(SITE_PUT_USER, &variant))
		return -EFAULT;
	if (delegated_put(task, (uintptr_t)to, value, size))
		return 0;
	if (!page || page != puts_.page || puts_.count == MAX_PUTS ||
	    offset + size > PAGE_SIZE) {
		/* Shows that the page can be written. */
		puts_.lost = !user_flush();
		if (!user_write(task, (uintptr_t)to, value, size))
			return -EFAULT;
		puts_.page = page;
		puts_.task = task;
		return 0;
	}

	puts_.all[puts_.count].offset = offset;
	puts_.all[puts_.count].size = size;
	memcpy(&puts_.all[puts_.count].value, value, size);
	puts_.count++;

	return 0;
}

/* Pages that may be read by their protection, but have nothing behind them. */
static int pages_by_touch(struct task *task, unsigned long addr, int pages)
{
	char byte[MAX_PUTS];
	struct iovec local = {byte, 0};
	struct iovec user[MAX_PUTS];
	int done, i, n;
	ssize_t got;

	for (done = 0; done < pages; done += n) {
		n = min(pages - done, MAX_PUTS);
		for (i = 0; i < n; i++) {
			user[i].iov_base =
				(void *)(addr + (done + i) * PAGE_SIZE);
			user[i].iov_len = 1;
		}
		local.iov_len = n;
		got = process_vm_readv(task->pid, &local, 1, user, n, 0);
		if (got != n)
			return done + max((int)got, 0);
	}

	return done;
}

/* Stretch by stretch, as far as the protection lets one go. */
static int pages_by_maps(struct task *task, unsigned long addr, int pages,
			 bool write)
{
	unsigned long end = addr + pages * PAGE_SIZE, at = addr, next;
	const struct stretch *s;
	int some;

	while (at < end) {
		s = maps_find(task, at);
		if (!s || !(write ? s->write : s->read))
			break;
		next = min(s->end, end);
		if (!s->plain) {
			some = pages_by_touch(task, at,
					      (next - at) / PAGE_SIZE);
			if (some * PAGE_SIZE < next - at)
				return (at - addr) / PAGE_SIZE + some;
		}
		at = next;
	}

	return (at - addr) / PAGE_SIZE;
}

int user_pages(struct task *task, unsigned long addr, int pages, bool write)
{
	int advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	int done;

	puts_.lost = !user_flush();
	if (task->here) {
		if (!madvise((void *)addr, pages * PAGE_SIZE, advice))
			return pages;
		/* A kernel before 5.14 has no such advice. */
		if (errno != EINVAL) {
			for (done = 0; done < pages; done++) {
				if (madvise((void *)(addr + done * PAGE_SIZE),
					    PAGE_SIZE, advice))
					break;
			}
			return done;
		}
	}

	return pages_by_maps(task, addr, pages, write);
}
