/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* gntdev trace: what its parts know of each other. */
#ifndef TOOL_TRACE_H
#define TOOL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- decode.c: a line of the kernel's trace, as people read it ---- */

/* Kinds of lines; those without one go with others. */
enum kind {
	KIND_ANY = 0,
	KIND_REQUEST = 1,
	KIND_MAPPING = 2,
	KIND_HYPERCALL = 4, /* and the next: on a machine alone */
	KIND_EVENT = 8,
};
#define KINDS "request, mapping, hypercall or event"

struct decoder {
	FILE *out;
	bool terminal;
	unsigned int kinds; /* 0: all */
	/* Of a machine: the rest is chosen here, on a host by the kernel. */
	bool machine;
	int domain; /* -1: all */
	int process; /* 0: all; else that one, and what it starts */
	uint32_t run; /* 0: all; else that one's programs */
	struct family *family; /* who is one of these; record.c's */
	char line[4096]; /* the beginning of one */
	size_t used;
	unsigned long lost; /* events that the kernel had no room for */
	/* The first refusal of a thread's request, which is told with that. */
	struct refusal {
		int thread;
		uint32_t domain, reference;
		int status;
		bool known;
	} refusals[64];
};

/* trace.c: where it goes; NULL: where it does not meet a program's own output. */
void trace_open(struct decoder *decoder, const char *path, bool program);
/* Or dies with a reason. */
unsigned int parse_kinds(const char *option, const char *text);

/* Prints what lines say, if anything; one may come in parts. */
void decode_bytes(struct decoder *decoder, const char *bytes, size_t size);
/* Of names with commas between them; 0 if one is none. */
unsigned int decode_kinds(const char *text);

/* ---- record.c: a machine's trace, as long as somebody wants it ---- */

struct machine;
/* Dies with a reason where that cannot be. */
int record_begin(const struct machine *machine);
/* What there is by now; false if it has ended. */
bool record_read(int fd, struct decoder *decoder);
/* What was told until now is read, and no more. */
void record_end(int fd, struct decoder *decoder);
/* Whether a process is one that is asked for. */
bool record_is_wanted(const struct decoder *decoder, int process);
/* A process has come. */
void record_process(struct decoder *decoder, int process, int parent,
		    uint32_t run);
void record_forget(struct decoder *decoder);

/* ---- request.c: requests' arguments by name ---- */

/* Added to the number of an event channel's. */
#define REQUEST_EVTCHN 128U

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
