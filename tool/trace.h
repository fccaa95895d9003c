/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* gntdev trace: what its parts know of each other. */
#ifndef TOOL_TRACE_H
#define TOOL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- decode.c: a line of the kernel's trace, as people read it ---- */

struct decoder {
	FILE *out;
	bool terminal;
	unsigned long lost; /* events that the kernel had no room for */
	/* The first refusal of a thread's request, which is told with that. */
	struct refusal {
		int thread;
		uint32_t domain, reference;
		int status;
		bool known;
	} refusals[64];
};

/* Prints what it says, if anything. */
void decode_line(struct decoder *decoder, char *line);

/* ---- request.c: requests' arguments by name ---- */

/* Where a request's structure is, with what it points to behind it. */
struct argument {
	unsigned int number; /* of the request */
	const uint8_t *bytes;
	size_t size;
	bool done; /* it succeeded: outputs are there */
};

/* Writes NAME(argument, ...), and after that its outputs into @out. */
void request_print(FILE *file, const char *name, const struct argument *a,
		   char *out, size_t size);
/* GNTST_general_error for -1. */
const char *status_name(int status);

/* ---- session.c: the kernel's tracing, as long as we are there ---- */

struct session {
	char folder[128]; /* of an instance of ftrace's own */
	int pipe; /* where lines come from */
	int alive; /* as long as it is open, the keeper leaves the folder */
	int keeper; /* the process that takes it away in the end */
};

/* Dies with a reason where that cannot be. @domain: -1 is all. */
void session_begin(struct session *session, int domain);
/* Only this process and those that it starts. */
void session_follow(struct session *session, int process);
void session_go(struct session *session);
void session_end(struct session *session);

#endif /* TOOL_TRACE_H */
