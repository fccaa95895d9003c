/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Memory of this program's that is granted, and the other side's look at it. */
#ifndef ABI_LENT_H
#define ABI_LENT_H

#include <stdint.h>

#include <xen/gntdev_more.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define WRITABLE GNTDEV_GRANT_WRITABLE
/* Pages at once, at most. */
#define LENT_MOST 64u

/* Memory, and by what it is granted. */
struct lent {
	uint8_t *at;
	unsigned int pages;
	uint64_t index;
	uint32_t refs[LENT_MOST];
};

/* 0 or -errno. */
int grant_memory(int fd, const void *at, unsigned int pages, unsigned int flags,
		 uint64_t *index, uint32_t *refs);
int ungrant_memory(int fd, uint64_t index, unsigned int pages);

/* These fail the test if they do not succeed; pages get contents of their own. */
struct lent lend(int fd, void *at, unsigned int pages, unsigned int flags);
void *anonymous(unsigned int pages);
/* The other side sees what is in the memory, and this one what it writes. */
void check_shared(const struct lent *lent);
/* The other side finds nothing granted any more. */
void check_gone(const struct lent *lent);

#endif /* ABI_LENT_H */
