// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* gntdev: the grant device's driver in userspace, for programs. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../include/gntdev_version.h"
#include "tool.h"
#include "trace.h"

/* The highest domain number; those above it mean something else to Xen. */
#define LAST_DOMAIN 0x7fef

static const char commands[] =
	"usage: gntdev list [OPTION]...    who maps, exports and grants what\n"
	"       gntdev top [OPTION]...     the same, live, with rates\n"
	"       gntdev trace [OPTION]...   requests as they are made\n"
	"       gntdev run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	"                                  a program on a machine without Xen\n"
	"\n"
	"gntdev COMMAND --help says more, and gntdev(1).\n";

static const char usage[] =
	"usage: gntdev run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	"       gntdev run --machine DIR --list\n"
	"       gntdev --version\n"
	"\n"
	"Runs PROGRAM on a machine that has the Xen grant device, without Xen.\n"
	"\n"
	"  --domain N       in domain N (0)\n"
	"  --mode pv|xlat|pvh  on a PV machine or an auto-translated one (pv)\n"
	"  --machine DIR    on the machine in DIR, started if nobody is there;\n"
	"                   without it, on a machine of its own\n"
	"  --how preload|loader  by the library that is preloaded, or by the loader\n"
	"                   (as PROGRAM is: preload if it is dynamic, of glibc)\n"
	"  --wait-for WHAT  start when there is a file PATH, or a node of xenstore,\n"
	"                   xenstore:KEY or xenstore:KEY=VALUE\n"
	"  --report         list what is left mapped, granted or bound at the end;\n"
	"                   if anything is, the status is 123\n"
	"  --fail SPEC      make calls fail, as map:3=-1 or any%0.5,seed=7\n"
	"  --trace FILE     a line there for each request, mapping, hypercall and\n"
	"                   event of the program and of those that it starts\n"
	"  --trace-only KIND,...  of these alone: request, mapping, hypercall, event\n"
	"  --trace-domain N of all programs of the machine, what is domain N's\n"
	"  --list           show what the machine in DIR holds now\n"
	"  --help           show this\n"
	"\n"
	"The status is PROGRAM's, or 125 if gntdev fails, 126 if PROGRAM cannot\n"
	"be run, 127 if there is none. See gntdev(1).\n";

static void say(const char *format, va_list list)
{
	char *line = NULL;

	/* In one piece, as others may write there too, and whole: what is wrong
	 * stands at its end, behind a name that may be long. */
	if (vasprintf(&line, format, list) >= 0)
		fprintf(stderr, "gntdev: %s\n", line);
	free(line);
	/* A trace may have made it wait for more. */
	fflush(stderr);
}

void complain(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
}

void die(enum status status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
	exit(status);
}

/* Digits alone: strto*() take blanks, signs and more before them, too. */
unsigned long parse_whole(const char *option, const char *text,
			  unsigned long least, unsigned long most)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || number < least ||
	    number > most)
		die(STATUS_FAILED, "%s %s: expected a number from %lu to %lu",
		    option, text, least, most);

	return number;
}

unsigned int parse_domain(const char *option, const char *text)
{
	return parse_whole(option, text, 0, LAST_DOMAIN);
}

const char *parse_file(const char *option, const char *text)
{
	if (!*text)
		die(STATUS_FAILED, "%s: expected a file", option);

	return text;
}

static void parse_wait(struct options *options)
{
	const size_t most = sizeof(options->waits) / sizeof(*options->waits);

	if (!wait_is_good(optarg))
		die(STATUS_FAILED,
		    "--wait-for %s: expected a path with a slash in it, xenstore:/KEY or xenstore:/KEY=VALUE",
		    optarg);
	if (options->wait_count == most)
		die(STATUS_FAILED, "--wait-for: given more than %zu times",
		    most);
	options->waits[options->wait_count++] = optarg;
}

double parse_number(const char *option, const char *text, double most)
{
	double number;
	char *end;

	errno = 0;
	number = strtod(text, &end);
	if (errno || !strchr(".0123456789", *text) || end == text || *end ||
	    !(number > 0) || number > most)
		die(STATUS_FAILED,
		    "%s %s: expected a number above 0, up to %.0f", option,
		    text, most);

	return number;
}

void output_end(const char *what)
{
	if (fflush(stdout) || ferror(stdout))
		die(STATUS_FAILED, "cannot write %s to standard output", what);
}

int print(const char *text)
{
	fputs(text, stdout);
	output_end("that");

	return 0;
}

static const char *parse_how(const char *text)
{
	if (strcmp(text, "preload") && strcmp(text, "loader"))
		die(STATUS_FAILED, "--how %s: expected preload or loader",
		    text);

	return text;
}

static void parse_option(struct options *options, int option)
{
	switch (option) {
	case 'd':
		options->domain = parse_domain("--domain", optarg);
		break;
	case 'm':
		if (strcmp(optarg, "pv") && strcmp(optarg, "xlat") &&
		    strcmp(optarg, "pvh"))
			die(STATUS_FAILED,
			    "--mode %s: expected pv, xlat or pvh", optarg);
		options->mode = optarg;
		break;
	case 'H':
		options->how = parse_how(optarg);
		break;
	case 'M':
		if (!*optarg)
			die(STATUS_FAILED, "--machine: expected a directory");
		options->machine = optarg;
		break;
	case 'r':
		options->report = true;
		break;
	case 'f':
		if (!*optarg)
			die(STATUS_FAILED, "--fail: expected what is to fail");
		if (options->fail)
			die(STATUS_FAILED,
			    "--fail %s: given before; separate failures by commas",
			    optarg);
		if (strlen(optarg) >= HELLO_TEXT)
			die(STATUS_FAILED,
			    "--fail: %zu characters, expected at most %d",
			    strlen(optarg), HELLO_TEXT - 1);
		options->fail = optarg;
		break;
	case 'w':
		parse_wait(options);
		break;
	case 'l':
		options->list = true;
		break;
	case 't':
		options->traced = true;
		options->trace = parse_file("--trace", optarg);
		break;
	case 'k':
		options->trace_kinds = parse_kinds("--trace-only", optarg);
		break;
	case 'D':
		options->trace_domain = parse_domain("--trace-domain", optarg);
		break;
	case 'h':
		exit(print(usage));
	default:
		complain("see gntdev run --help");
		exit(STATUS_FAILED);
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"domain", required_argument, NULL, 'd'},
		{"mode", required_argument, NULL, 'm'},
		{"how", required_argument, NULL, 'H'},
		{"machine", required_argument, NULL, 'M'},
		{"wait-for", required_argument, NULL, 'w'},
		{"report", no_argument, NULL, 'r'},
		{"fail", required_argument, NULL, 'f'},
		{"list", no_argument, NULL, 'l'},
		{"trace", required_argument, NULL, 't'},
		{"trace-only", required_argument, NULL, 'k'},
		{"trace-domain", required_argument, NULL, 'D'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	/* What follows the program is the program's. */
	while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1)
		parse_option(options, option);
	options->program = argv + optind;

	if (options->list && !options->machine)
		die(STATUS_FAILED,
		    "--list: of which machine? Give --machine DIR");
	if (options->list && *options->program)
		die(STATUS_FAILED, "--list runs no program: %s is too much",
		    *options->program);
	if (!options->traced &&
	    (options->trace_kinds || options->trace_domain >= 0))
		die(STATUS_FAILED, "%s: of what? Give --trace FILE",
		    options->trace_kinds ? "--trace-only" : "--trace-domain");
	if (!options->list && !*options->program)
		die(STATUS_FAILED, "no program to run; see gntdev run --help");
}

/*
 * One of 0, 1 and 2 that is closed would be the next thing that is opened: a
 * pipe, the machine. They are closed again for the program. Nothing can be written
 * there either way, and whoever wants to is told.
 */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int run_traced(const char *folder, int domain, unsigned int kinds,
	       const char *output, char **program)
{
	struct machine machine = {.fd = -1};
	struct options options = {
		.machine = folder,
		/* What it is to see is what that domain does. */
		.domain = domain < 0 ? 0 : domain,
		.traced = true,
		.trace = output,
		.trace_kinds = kinds,
		.trace_domain = -1,
		.program = program,
	};

	run_check(&options);
	folder_choose(&machine, &options);

	return run_program(&machine, &options);
}

static int run_main(int argc, char **argv)
{
	struct machine machine = {.fd = -1};
	struct options options = {.trace_domain = -1};

	parse(&options, argc, argv);

	if (options.list) {
		folder_choose(&machine, &options);
		server_list(&machine, false, stdout);
		output_end("the list");
		return 0;
	}

	run_check(&options);
	folder_choose(&machine, &options);

	return run_program(&machine, &options);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*main)(int argc, char **argv);
	} known[] = {
		{"run", run_main},
		{"list", list_main},
		{"top", top_main},
		{"trace", trace_main},
	};
	const char *name = argc > 1 ? argv[1] : "";

	fill_standard_descriptors();
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		return print(commands);
	}
	if (!strcmp(name, "--version")) {
		if (argc > 2)
			die(STATUS_FAILED, "--version: %s is too much",
			    argv[2]);
		return print("gntdev " GNTDEV_VERSION "\n");
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(name, known[i].name))
			continue;
		/* getopt's own complaints begin with it. */
		argv[1] = "gntdev";
		return known[i].main(argc - 1, argv + 1);
	}
	if (argc > 1)
		complain("%s: expected list, top, trace, run, --help or --version",
			 *name ? name : "''");
	fputs(commands, stderr);

	return STATUS_FAILED;
}
