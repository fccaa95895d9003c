/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the parts of the fuzzer know of each other: the state of a sequence. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../include/xen/gntdev.h"
#include "../../machine/machine.h"

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)
#define AT(n) (0x700000000000UL + (n) * 0x100000UL)
#define GRANTS 24
#define FILES 3
#define TASKS 3
#define SLOTS 6
#define HOLDS 4
#define USERS 3
#define IMPORTED 4
#define LENT 3
#define BUFFER (8 * PAGE)
#define MAX_OPS 64

#define EXPECT(cond)                                                  \
	do {                                                          \
		if (!(cond)) {                                        \
			fprintf(stderr, "fuzz: %s:%d: expected %s\n", \
				__FILE__, __LINE__, #cond);           \
			abort();                                      \
		}                                                     \
	} while (0)

extern struct fuzz {
	const uint8_t *data;
	size_t left;
	struct domain *granter, *mapper;
	long refs[GRANTS];
	unsigned long pfns[GRANTS];
	struct task *tasks[TASKS];
	struct file *files[FILES];
	struct file *evtchn;
	uint32_t port; /* of the tasks', or 0 */
	long peer_port;
	/* What was mapped at AT(n), by which task. */
	struct slot {
		bool used;
		unsigned int task, first, count;
		uint64_t area; /* 1 above its index; else 0 */
		unsigned int file; /* the area's */
	} slots[SLOTS];
	/* Ranges that were inserted; they may be gone. */
	struct range {
		unsigned int file, first, count;
		uint64_t index;
		bool area;
	} ranges[8];
	unsigned int nranges;
	/* Own memory that was granted; it may be taken back. */
	struct lent {
		unsigned int file, count;
		uint64_t index;
	} lent[LENT];
	struct page *holds[HOLDS];
	/* Other drivers that use a dma-buf, and one that it is vmapped for. */
	struct dmabuf_user *users[USERS];
	struct file *vmapped;
	/* What was imported, and a program of the granter's that maps it. */
	uint32_t imported[IMPORTED];
	struct task *peer;
	struct file *peer_file;
} f;

/* User memory for structures, and for what is copied. */
extern unsigned char *buffer;

/* Of the input: 0 when there is no more. */
unsigned int byte(void);
unsigned int below(unsigned int n);
struct task *some_task(unsigned int *n);
struct slot *some_slot(unsigned long *at);
long request(struct task *task, struct file *file, unsigned int cmd, void *arg);
/* What a program sees there is the granter's. */
void check_slot(const struct slot *s, unsigned long at);

/* areas.c */
void op_area(void);
void op_operate(void);

/* lent.c */
void op_lend(void);
void op_restrict_or_tell(void);

/* buffers.c */
void op_export(void);
void op_use_buffer(void);
void op_share_buffer(void);
void op_import(void);
void buffers_end(void);

#endif /* FUZZ_H */
