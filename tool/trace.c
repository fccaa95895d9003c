// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* gntdev trace: requests as they are made. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holdings.h"
#include "tool.h"
#include "trace.h"

static const char usage[] =
	"usage: gntdev trace [OPTION]... [-p PID]\n"
	"       gntdev trace [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	"\n"
	"Shows the requests that programs make of the Xen grant device: arguments,\n"
	"result, time, and what the hypervisor refused. Needs root on a Xen host.\n"
	"\n"
	"  -p, --process PID  only of that process, and of those that it starts\n"
	"  --domain N         only those about grants of domain N, or to it\n"
	"  --output FILE      there; else to standard output, beside a PROGRAM\n"
	"                     to standard error\n"
	"  --help             show this\n"
	"\n"
	"It ends with PROGRAM, whose status it has, or with PID, or by Ctrl-C.\n";

struct trace {
	struct session session;
	struct decoder decoder;
	int domain; /* -1: all */
	int process; /* 0: none that it ends with */
	int signals;
	int end; /* a pidfd of the process; -1: none */
	bool ours; /* the process is a program that we start */
	char line[4096]; /* the beginning of one */
	size_t used;
};

static void decode(struct trace *trace, const char *bytes, ssize_t size)
{
	for (ssize_t i = 0; i < size; i++) {
		if (bytes[i] != '\n') {
			if (trace->used < sizeof(trace->line) - 1)
				trace->line[trace->used++] = bytes[i];
			continue;
		}
		trace->line[trace->used] = '\0';
		trace->used = 0;
		decode_line(&trace->decoder, trace->line);
	}
}

/* All that there is by now. */
static void drain(struct trace *trace)
{
	char bytes[16384];
	ssize_t size;

	while ((size = read(trace->session.pipe, bytes, sizeof(bytes))) > 0)
		decode(trace, bytes, size);
	fflush(trace->decoder.out);
}

static int open_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die(STATUS_FAILED, "signalfd: %s", strerror(errno));

	return fd;
}

/* Starts the program, which waits until @go is closed before it is one. */
static void start(struct trace *trace, char **program, int *go)
{
	sigset_t none;
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC))
		die(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	trace->process = fork();
	if (trace->process < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (trace->process) {
		close(ends[0]);
		*go = ends[1];
		return;
	}

	close(ends[1]);
	/* A byte says that all is ready; an end, that nothing will be. */
	if (read(ends[0], &byte, 1) != 1)
		_exit(STATUS_FAILED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(program[0], program);
	complain("%s: %s", program[0], strerror(errno));
	_exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN);
}

/* A signal for us; one that ends the watching, or is the program's. */
static int take_signal(struct trace *trace)
{
	struct signalfd_siginfo info;

	if (read(trace->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (!trace->ours)
		return info.ssi_signo;
	/* Those from the keyboard have reached it already. */
	if (info.ssi_signo != SIGINT && info.ssi_signo != SIGQUIT)
		kill(trace->process, info.ssi_signo);

	return 0;
}

/* Until the process ends, or a signal comes, which is returned. */
static int follow(struct trace *trace)
{
	struct pollfd pollers[] = {
		{.fd = trace->session.pipe, .events = POLLIN},
		{.fd = trace->signals, .events = POLLIN},
		{.fd = trace->end, .events = POLLIN},
	};
	int signal = 0;

	while (!signal) {
		/* The kernel wakes readers when much has come: look at times. */
		poll(pollers, 3, 200);
		drain(trace);
		if (pollers[1].revents)
			signal = take_signal(trace);
		if (pollers[2].revents)
			break;
	}
	drain(trace);

	return signal;
}

static int status_of(const struct trace *trace)
{
	int status = 0;

	if (!trace->ours)
		return 0;
	while (waitpid(trace->process, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static int run(struct trace *trace, char **program)
{
	int go = -1, signal, status;

	trace->signals = open_signals();
	session_begin(&trace->session, trace->domain);
	trace->ours = *program;
	trace->end = -1;
	if (trace->ours)
		start(trace, program, &go);
	if (trace->process) {
		session_follow(&trace->session, trace->process);
		trace->end = syscall(SYS_pidfd_open, trace->process, 0);
		if (trace->end < 0)
			die(STATUS_FAILED, "process %d: %s", trace->process,
			    strerror(errno));
	}
	session_go(&trace->session);
	if (trace->ours && write(go, "", 1) != 1)
		die(STATUS_FAILED, "%s: %s", *program, strerror(errno));

	signal = follow(trace);
	status = status_of(trace);
	session_end(&trace->session);
	if (trace->decoder.lost)
		complain("%lu events were lost: more came than could be kept",
			 trace->decoder.lost);
	/* Ctrl-C is how it is ended; others may want to know. */
	if (signal && signal != SIGINT)
		status = 128 + signal;

	return status;
}

static int parse_process(const char *text)
{
	double number = parse_number("--process", text, 4194304);

	if (number != (int)number)
		die(STATUS_FAILED, "--process %s: expected a whole number",
		    text);

	return number;
}

static void open_output(struct trace *trace, const char *path)
{
	trace->decoder.out = fopen(path, "we");
	if (!trace->decoder.out)
		die(STATUS_FAILED, "%s: %s", path, strerror(errno));
}

static void parse(struct trace *trace, int argc, char **argv)
{
	static const struct option known[] = {
		{"process", required_argument, NULL, 'p'},
		{"domain", required_argument, NULL, 'd'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	/* What follows the program is the program's. */
	while ((option = getopt_long(argc, argv, "+p:", known, NULL)) != -1) {
		switch (option) {
		case 'p':
			trace->process = parse_process(optarg);
			break;
		case 'd':
			trace->domain = parse_domain(optarg);
			break;
		case 'o':
			open_output(trace, optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			complain("see gntdev trace --help");
			exit(STATUS_FAILED);
		}
	}
	if (trace->process && argv[optind])
		die(STATUS_FAILED,
		    "a process or a program: %s is too much beside -p %d",
		    argv[optind], trace->process);
}

int trace_main(int argc, char **argv)
{
	static struct trace trace = {.domain = -1};

	parse(&trace, argc, argv);
	/* A program has standard output for itself. */
	if (!trace.decoder.out)
		trace.decoder.out = argv[optind] ? stderr : stdout;
	trace.decoder.terminal = is_terminal(fileno(trace.decoder.out));
	/* Whole lines, as a program may write there too. */
	setvbuf(trace.decoder.out, NULL, _IOFBF, BUFSIZ);

	return run(&trace, argv + optind);
}
