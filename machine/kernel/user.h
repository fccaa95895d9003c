/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * User memory: models. It is the real memory of a real process, so what cannot
 * be read or written fails as it does in the kernel. A copy with a lock held,
 * in a notifier or where nothing may sleep is a hard failure.
 */
#ifndef MACHINE_KERNEL_USER_H
#define MACHINE_KERNEL_USER_H

#include <sys/uio.h>

#include "base.h"

struct task;

typedef u32 compat_uptr_t;

static inline void __user *compat_ptr(compat_uptr_t ptr)
{
	return (void __user *)(unsigned long)ptr;
}

unsigned long copy_from_user(void *to, const void __user *from,
			     unsigned long n);
unsigned long copy_to_user(void __user *to, const void *from, unsigned long n);

/* A pin costs the machine nothing, and what is pinned the caller copies. */
#define bytes_not_worth_a_pin() machine_no_pin
#define bytes_worth_an_entry() XEN_PAGE_SIZE
#define bytes_worth_an_entry_each() 1024

#define put_user(x, ptr)                                                     \
	({                                                                   \
		__typeof__(*(ptr)) put_ = (x);                               \
		machine_put_user((void __user *)(ptr), &put_, sizeof(put_)); \
	})
#define get_user(x, ptr)                                                   \
	({                                                                 \
		u64 got_ = 0;                                              \
		int err_ = machine_get_user(&got_, (ptr), sizeof(*(ptr))); \
		(x) = (__typeof__(*(ptr)))got_;                            \
		err_;                                                      \
	})
int machine_get_user(void *value, const void __user *from, size_t size);
/* Where nothing but values is written, the kernel need not look each time. */
#define user_write_access_begin(ptr, size) ((void)(ptr), (void)(size), true)
#define user_write_access_end() ((void)0)
/* Nothing is at 0; a sanitizer would find fault with members of what is there. */
#define user_read_access_begin(ptr, size) ((void)(size), (ptr) != NULL)
#define user_read_access_end() ((void)0)
#define unsafe_get_user(x, ptr, label) \
	do {                           \
		if (get_user(x, ptr))  \
			goto label;    \
	} while (0)
#define unsafe_put_user(x, ptr, label) \
	do {                           \
		if (put_user(x, ptr))  \
			goto label;    \
	} while (0)
int machine_put_user(void __user *to, const void *value, size_t size);

/* ---- of the machine alone ---- */

/* The task whose memory may be touched here, and now; or a hard failure. */
struct task *user_of(const char *what, const void __user *at);

/*
 * A value that was put near another one is written with the others, when the
 * call returns or anything else looks. False if one could not be; then the
 * program took its memory away at that very time.
 */
bool user_flush(void);
/* Also what the caller was to do: somebody else may look at it now. */
void user_settle(void);

/* Copies by the model itself, with no rules and no sites. */
bool user_read(struct task *task, void *to, u64 from, size_t size);
bool user_write(struct task *task, u64 to, const void *from, size_t size);
/* Many pieces at once, at most USER_PIECES; what is out of reach is left out. */
#define USER_PIECES 64
void user_copyv(struct task *task, const struct iovec *local,
		const struct iovec *user, unsigned int count, bool write);

/* How many of the pages from @addr on the task may read or write. */
int user_pages(struct task *task, unsigned long addr, int pages, bool write);

/* What a call has learned of the task's address space. */
struct user_maps;
void user_maps_free(struct user_maps *maps);
/* Its address space is another one, or gone. */
void user_maps_forget(struct task *task);

#define u64_to_user_ptr(value) ((void __user *)(uintptr_t)(value))

#endif /* MACHINE_KERNEL_USER_H */
