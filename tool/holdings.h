/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the driver says of all that is held, on a Xen host or a machine. */
#ifndef TOOL_HOLDINGS_H
#define TOOL_HOLDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLDINGS_FILE "/proc/driver/xen-gntdev"

/* What Xen allows a domain unless it is told otherwise. */
#define USUAL_HANDLES 262144

struct thing {
	char kind[16]; /* range, area, export, deferred, memory, import, departed */
	char state[16];
	char command[32];
	uint32_t domain, reference, age;
	uint64_t pages;
	int process;
	uint64_t instance; /* 0: of none any more */
	uint64_t number; /* a range's index, a dma-buf's descriptor */
	bool is_index; /* which of these */
};

struct user {
	uint64_t instance;
	char command[32];
	uint32_t owner, age;
	int process;
	bool closed; /* no descriptor is left */
	uint64_t grants, maps, unmaps, copies, bytes;
};

struct holdings {
	char mode[24];
	long mapped, deferred, kept, leaked, handles;
	unsigned long frames, max_frames;
	struct thing *things;
	size_t thing_count;
	struct user *users;
	size_t user_count;
};

/* @machine: its directory, or NULL for this host. Dies with a reason. */
void holdings_read(struct holdings *holdings, const char *machine);
void holdings_free(struct holdings *holdings);
bool host_is_xen(void);
/* Why the driver of this host does not tell, as one line. */
void holdings_explain(const char *path, int error) __attribute__((noreturn));
const struct user *holdings_user(const struct holdings *holdings,
				 uint64_t instance);
/* Whether it is the domain's memory that is held; else it may use ours. */
bool thing_is_mapped(const struct thing *thing);

/* ---- for people: format.c ---- */

#define TEXT 32
/*
 * What a program calls itself may move a terminal's cursor, or be no text at all: all
 * but printable ASCII becomes a question mark. (Of holdings, the driver does that.)
 */
void printable(char *text);
/* 1234567 as 1,234,567. */
const char *with_commas(uint64_t number, char text[TEXT]);
/* At most six characters: 12.3k, 42M. */
const char *short_number(double number, char text[TEXT]);
/* 42s, 12m, 3h, 5d. */
const char *short_age(uint32_t seconds, char text[TEXT]);
const char *user_name(uint32_t uid, char text[TEXT]);
/* What a terminal understands, or nothing: only for terminals. */
const char *colour(bool terminal, const char *code);
bool is_terminal(int fd);
/* 80 where nobody says. */
int terminal_columns(int fd);
int terminal_rows(int fd);

#endif /* TOOL_HOLDINGS_H */
