/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Programs on a machine: what the tests of one process share. */
#ifndef BEHAVE_H
#define BEHAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#define PAGE 4096u

#define CHECK(condition, ...)                                           \
	do {                                                            \
		if (!(condition)) {                                     \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
			fprintf(stderr, __VA_ARGS__);                   \
			fprintf(stderr, "\n");                          \
			exit(1);                                        \
		}                                                       \
	} while (0)

struct behaviour {
	const char *name; /* what is so */
	void (*show)(void);
};

/*
 * Lists of behaviours, the last one NULL: those whose name has @only in it, or all.
 * What takes longer than @seconds has failed. The program's status.
 */
int show_all(const struct behaviour *const *all, const char *only,
	     unsigned int seconds);

extern const struct behaviour descriptor_behaviours[];
extern const struct behaviour buffer_behaviours[];
extern const struct behaviour process_behaviours[];
extern const struct behaviour memory_behaviours[];
extern const struct behaviour copy_behaviours[];
extern const struct behaviour path_behaviours[];
extern const struct behaviour hole_behaviours[];
extern const struct behaviour shortage_behaviours[];
extern const struct behaviour guest_behaviours[];

#define MOST_PAGES 64

/* Pages of this domain granted to itself, and mapped. */
struct pair {
	int alloc, dev;
	unsigned int pages;
	uint64_t alloc_index, index;
	uint32_t refs[MOST_PAGES];
	uint8_t *granted, *mapped;
};

struct pair pair_make(unsigned int pages);
/* Another mapping of the same grants, by another range. */
uint8_t *pair_map(struct pair *pair, uint64_t *index, int prot);
void pair_end(struct pair *pair);
/* A grant is in use as long as somebody maps it: asked by privcmd. */
bool is_busy(uint32_t ref);
int open_or_die(const char *path, int flags);
/* A descriptor through a socket. */
void send_fd(int to, int fd);
int receive_fd(int from);
/* Waits for a child that must exit with 0. */
void must_pass(int child);
/* The signal that reading a byte gets, or 0. */
int read_signal(const volatile uint8_t *at);

#endif /* BEHAVE_H */
