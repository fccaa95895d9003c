/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The gntdev command: what its parts know of each other. */
#ifndef TOOL_H
#define TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../machine/protocol.h"

/* Exit statuses; others are the program's own. */
enum status {
	STATUS_LEFT = 123, /* with --report: something was left */
	STATUS_FAILED = 125, /* gntdev or the machine, not the program */
	STATUS_CANNOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
};

struct options {
	unsigned int domain;
	const char *mode; /* NULL: any, or pv */
	const char *machine; /* NULL: one of its own */
	const char *fail; /* NULL: nothing fails */
	const char *waits[8]; /* for these, in order */
	unsigned int wait_count;
	bool traced;
	const char *trace; /* where a trace goes; NULL: to standard error */
	unsigned int trace_kinds; /* of what; 0: of all */
	int trace_domain; /* -1: of all */
	const char *how; /* preload or loader; NULL: as the program is */
	bool report;
	bool list;
	char **program;
	char *path; /* where that is, for the loader; NULL: it is not wanted */
};

/* main.c */
unsigned long parse_whole(const char *option, const char *text,
			  unsigned long least, unsigned long most);
unsigned int parse_domain(const char *option, const char *text);
/* Not an empty one. */
const char *parse_file(const char *option, const char *text);
/* A positive number up to @most. */
double parse_number(const char *option, const char *text, double most);
/* Dies if what was printed has not come out; @what names it. */
void output_end(const char *what);
/* Prints it, as a whole; 0. */
int print(const char *text);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(enum status status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* folder.c: the machine's directory */
struct machine {
	char *folder; /* absolute */
	int directory; /* it, open */
	bool private; /* made for this run */
	pid_t server; /* 0: somebody else started it */
	int fd; /* the run's connection */
	uint32_t run;
};

void folder_choose(struct machine *machine, const struct options *options);
void folder_remove(const struct machine *machine);
/* The path of a part of gntdev that lies beside it or is installed. */
char *folder_part(const char *name);

/*
 * A connection to the socket of that name in it, or -1 if nobody listens; other
 * failures end it. Nothing on it takes for ever.
 */
int folder_connect(const struct machine *machine, const char *name, int type);

/* server.c: getting at the machine's server, and talking to it */
void server_join(struct machine *machine, const struct options *options);
/* What the machine holds, for people; or what the driver in it says of that. */
void server_list(struct machine *machine, bool holdings, FILE *out);
/* How long a server may take to come up, and to answer. */
#define PATIENCE_MS 20000
/* From here on an answer that does not come in time counts as an end. */
void server_hurry(int fd);
/* And from here on it may take as long as it likes. */
void server_wait(int fd);
/* One packet, with text behind it; false if the server is gone. */
bool server_receive(int fd, struct answer *answer, char *text, size_t size);
/* Says what became of a server that is gone. */
void server_explain(const struct machine *machine);

/* view.c: what list, top and trace are asked alike */
struct view {
	const char *command;
	const char *machine; /* its directory; NULL: this host */
	int domain; /* -1: all */
};

#define VIEW_OPTIONS                                       \
	{"domain", required_argument, NULL, 'd'},          \
		{"machine", required_argument, NULL, 'M'}, \
		{"help", no_argument, NULL, 'h'}, {0}
/* The next option that is the command's own, or -1. */
int view_option(struct view *view, int argc, char **argv, const char *letters,
		const struct option *known, const char *usage);
/* Dies if there is anything behind the options. */
void view_no_more(const struct view *view, int argc, char **argv);

/* wait.c */
/* Whether it says what to wait for. */
bool wait_is_good(const char *what);
/* Ends it with a line if that does not come. */
void wait_for_other(struct machine *machine, const char *what);
/* list.c, top.c, trace.c: commands, with their names as argv[0]; the status */
int list_main(int argc, char **argv);
int top_main(int argc, char **argv);
int trace_main(int argc, char **argv);

/* run.c */
/* Ends it with a line if the program cannot be given the devices. */
void run_check(struct options *options);
int run_program(struct machine *machine, const struct options *options);
/* main.c: a program on a machine, for gntdev trace; -1: of all domains. */
int run_traced(const char *machine, int domain, unsigned int kinds,
	       const char *output, char **program);

#endif /* TOOL_H */
