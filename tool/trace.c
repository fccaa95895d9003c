// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* gntdev trace: requests as they are made. */
#include <errno.h>
#include <fcntl.h>
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
	"  --machine DIR      of the machine in DIR, where --domain N is also what\n"
	"                     programs of domain N do; it runs a PROGRAM in it\n"
	"  --only KIND,...    request, mapping; of a machine also hypercall, event\n"
	"  --output FILE      there; else to standard output, beside a PROGRAM\n"
	"                     to standard error\n"
	"  --help             show this\n"
	"\n"
	"It ends with PROGRAM, whose status it has, or with PID, or by Ctrl-C.\n";

struct trace {
	struct view view;
	struct session session; /* of a host */
	struct decoder decoder;
	const char *output; /* NULL: a stream that is there */
	int source; /* what to wait for: the session's, or a machine's */
	int process; /* 0: none that it ends with */
	int signals;
	int end; /* a pidfd of the process; -1: none */
	bool ours; /* the process is a program that we start */
};

/* All that there is by now; false if no more will come. */
static bool drain(struct trace *trace, bool ready)
{
	char bytes[16384];
	bool more = true;
	ssize_t size;

	if (trace->view.machine)
		more = !ready || record_read(trace->source, &trace->decoder);
	else
		while ((size = read(trace->source, bytes, sizeof(bytes))) > 0)
			decode_bytes(&trace->decoder, bytes, size);
	fflush(trace->decoder.out);

	return more;
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
		{.fd = trace->source, .events = POLLIN},
		{.fd = trace->signals, .events = POLLIN},
		{.fd = trace->end, .events = POLLIN},
	};
	int signal = 0;

	while (!signal) {
		/* The kernel wakes readers when much has come: look at times. */
		poll(pollers, 3, 200);
		if (!drain(trace, pollers[0].revents))
			break;
		if (pollers[1].revents)
			signal = take_signal(trace);
		if (pollers[2].revents)
			break;
	}
	drain(trace, false);

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

/* To be told of the process's end. */
static void watch_process(struct trace *trace)
{
	trace->end = syscall(SYS_pidfd_open, trace->process, 0);
	if (trace->end < 0)
		die(STATUS_FAILED, "process %d: %s", trace->process,
		    errno == ESRCH ? "there is none" : strerror(errno));
}

static void begin_on_host(struct trace *trace, char **program)
{
	const char *machine = getenv(ENV_MACHINE);
	int go = -1;

	/* What the kernel beneath traces is none of its programs' devices. */
	if (machine)
		die(STATUS_FAILED,
		    "trace: this is a machine of gntdev run: give --machine %s",
		    machine);
	session_begin(&trace->session, trace->view.domain);
	trace->source = trace->session.pipe;
	trace->ours = *program;
	if (trace->ours)
		start(trace, program, &go);
	if (trace->process) {
		session_follow(&trace->session, trace->process);
		watch_process(trace);
	}
	session_go(&trace->session);
	if (trace->ours && write(go, "", 1) != 1)
		die(STATUS_FAILED, "%s: %s", *program, strerror(errno));
}

static void begin_on_machine(struct trace *trace)
{
	struct options options = {.machine = trace->view.machine};
	struct machine machine = {.fd = -1};

	folder_choose(&machine, &options);
	trace->decoder.machine = true;
	trace->decoder.domain = trace->view.domain;
	trace->decoder.process = trace->process;
	if (trace->process)
		watch_process(trace);
	trace->source = record_begin(&machine);
}

static int run(struct trace *trace, char **program)
{
	int signal, status;

	trace->signals = open_signals();
	trace->end = -1;
	if (trace->view.machine)
		begin_on_machine(trace);
	else
		begin_on_host(trace, program);

	signal = follow(trace);
	status = status_of(trace);
	if (trace->view.machine)
		record_end(trace->source, &trace->decoder);
	else
		session_end(&trace->session);
	if (trace->decoder.lost)
		complain("%lu events were lost: more came than could be kept",
			 trace->decoder.lost);
	if (fflush(trace->decoder.out) || ferror(trace->decoder.out)) {
		complain("the trace could not be written as a whole");
		status = trace->ours ? status : STATUS_FAILED;
	}
	/* Ctrl-C is how it is ended; others may want to know. */
	if (signal && signal != SIGINT)
		status = 128 + signal;

	return status;
}

static void parse(struct trace *trace, int argc, char **argv)
{
	static const struct option known[] = {
		{"process", required_argument, NULL, 'p'},
		{"only", required_argument, NULL, 'k'},
		{"output", required_argument, NULL, 'o'},
		VIEW_OPTIONS,
	};
	int option;

	/* What follows the program is the program's. */
	while ((option = view_option(&trace->view, argc, argv, "+p:", known,
				     usage)) != -1) {
		if (option == 'p')
			trace->process =
				parse_whole("--process", optarg, 1, 4194304);
		else if (option == 'k')
			trace->decoder.kinds = parse_kinds("--only", optarg);
		else
			trace->output = parse_file("--output", optarg);
	}
	if (trace->process && argv[optind])
		die(STATUS_FAILED,
		    "a process or a program: %s is too much beside -p %d",
		    argv[optind], trace->process);
}

unsigned int parse_kinds(const char *option, const char *text)
{
	unsigned int kinds = decode_kinds(text);

	if (!kinds)
		die(STATUS_FAILED,
		    "%s %s: expected " KINDS
		    ", or some with commas between them",
		    option, text);

	return kinds;
}

/* A program has standard output for itself. */
void trace_open(struct decoder *decoder, const char *path, bool program)
{
	if (!path)
		decoder->out = program ? stderr : stdout;
	else
		decoder->out = fopen(path, "we");
	if (!decoder->out)
		die(STATUS_FAILED, "%s: %s", path, strerror(errno));
	decoder->terminal = is_terminal(fileno(decoder->out));
	/* Whole lines, as a program may write there too. */
	setvbuf(decoder->out, NULL, _IOFBF, BUFSIZ);
}

int trace_main(int argc, char **argv)
{
	static struct trace trace = {
		.view = {.command = "trace", .domain = -1},
		/* What requests are made of only who asks for it sees. */
		.decoder.kinds = KIND_REQUEST | KIND_MAPPING,
	};

	parse(&trace, argc, argv);
	if (trace.view.machine && argv[optind])
		return run_traced(trace.view.machine, trace.view.domain,
				  trace.decoder.kinds, trace.output,
				  argv + optind);
	trace_open(&trace.decoder, trace.output, argv[optind]);

	return run(&trace, argv + optind);
}
