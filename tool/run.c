// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A program on a machine. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../machine/program.h"
#include "tool.h"
#include "trace.h"

static const char library_name[] = "libgntdev-preload.so";
static const char loader_name[] = "gntdev-loader";

static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		die(STATUS_FAILED, "%s: %s", name, strerror(errno));
}

/* Puts something before or behind what the environment has already. */
static void extend(const char *name, const char *before, const char *after)
{
	const char *old = getenv(name);
	char *value;

	if (asprintf(&value, "%s%s%s%s%s", before,
		     old && *old && *before ? ":" : "", old ?: "",
		     old && *old && *after ? ":" : "", after) < 0)
		die(STATUS_FAILED, "no memory");
	set(name, value);
	free(value);
}

static void set_path(const char *name, const struct machine *machine,
		     const char *file)
{
	char *path;

	if (asprintf(&path, "%s/%s", machine->folder, file) < 0)
		die(STATUS_FAILED, "no memory");
	set(name, path);
	free(path);
}

static void set_library(void)
{
	char *library = folder_part(library_name);

	if (strpbrk(library, " :"))
		die(STATUS_FAILED,
		    "%s: the loader takes no library with a space or colon in its path",
		    library);
	extend("LD_PRELOAD", library, "");
	/* Otherwise this sanitizer refuses to be loaded after another one. */
	extend("ASAN_OPTIONS", "", "verify_asan_link_order=0");
	free(library);
}

/* The loader takes it out again. */
static void set_program(const char *path)
{
	char *wish;

	if (asprintf(&wish, "0:-1:-1::%s", path) < 0)
		die(STATUS_FAILED, "no memory");
	set(ENV_LOADER, wish);
	free(wish);
}

static void set_environment(const struct machine *machine,
			    const struct options *options)
{
	char number[16];

	if (options->how)
		set(ENV_HOW, options->how);
	if (!options->path)
		set_library();

	set(ENV_MACHINE, machine->folder);
	snprintf(number, sizeof(number), "%u", options->domain);
	set(ENV_DOMAIN, number);
	snprintf(number, sizeof(number), "%u", machine->run);
	set(ENV_RUN, number);

	/* Where libxenstore and a xenstored look. */
	set_path("XENSTORED_PATH", machine, XENSTORE_FILE);
	set_path("XENSTORED_RUNDIR", machine, XENSTORED_FOLDER);
	set_path("XENSTORED_ROOTDIR", machine, XENSTORED_FOLDER);
	if (options->path)
		set_program(options->path);
}

/* The file that execvp() would run. */
static bool find_program(const char *name, char *path, size_t size)
{
	const char *place = getenv("PATH") ?: "/bin:/usr/bin";
	struct stat status;
	size_t length;

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		return !stat(path, &status);
	}
	for (; *place; place += length + (place[length] == ':')) {
		length = strcspn(place, ":");
		snprintf(path, size, "%.*s/%s", length ? (int)length : 1,
			 length ? place : ".", name);
		if (!stat(path, &status) && S_ISREG(status.st_mode) &&
		    !access(path, X_OK))
			return true;
	}

	return false;
}

/* Whether the loader starts it; if it cannot be started by what is wanted, why. */
static bool is_for_loader(const char *how, enum program_kind kind)
{
	if (!PROGRAM_HAS_LOADER || (how && !strcmp(how, "preload")))
		return false;
	if (how)
		return kind == PROGRAM_GOOD || program_is_for_loader(kind);

	return program_is_for_loader(kind);
}

void run_check(struct options *options)
{
	const char *name = options->program[0];
	enum program_kind kind;
	char path[4096], script[4096];

	if (!find_program(name, path, sizeof(path)))
		die(STATUS_NOT_FOUND, "%s: no such program",
		    *name ? name : "''");
	strcpy(script, path);
	kind = program_look(path, sizeof(path));
	if (is_for_loader(options->how, kind)) {
		options->path = strdup(script);
		return;
	}
	if (program_is_for_preload(kind))
		return;
	if (strcmp(script, path))
		die(STATUS_CANNOT_RUN, "%s: its interpreter %s %s", name, path,
		    program_why(kind));
	die(STATUS_CANNOT_RUN, "%s %s", name, program_why(kind));
}

/* What the program is to find as gntdev did. */
static struct {
	sigset_t mask;
	struct sigaction child;
} inherited;

static void restore_signals(void)
{
	sigaction(SIGCHLD, &inherited.child, NULL);
	sigprocmask(SIG_SETMASK, &inherited.mask, NULL);
}

/*
 * If gntdev is killed, nobody waits for the program any more, nor has its
 * report: it is killed too. This thread is the only one, so its end is gntdev's.
 * A program that changes its user is not told: the kernel forgets it then.
 */
static void end_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		raise(SIGKILL);
}

static pid_t start(struct machine *machine, const struct options *options)
{
	char *loader = options->path ? folder_part(loader_name) : NULL;
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		die(STATUS_FAILED, "cannot start %s: fork: %s",
		    options->program[0], strerror(errno));
	if (child) {
		free(loader);
		return child;
	}

	end_with(parent);
	set_environment(machine, options);
	restore_signals();
	if (options->path)
		execv(loader, options->program);
	else
		execvp(options->program[0], options->program);
	complain("%s: %s", options->program[0], strerror(errno));
	_exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN);
}

/* The server has a line for the user, or is gone. */
static void hear(struct machine *machine)
{
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	if (server_receive(machine->fd, &answer, text, sizeof(text))) {
		complain("%s", text);
		return;
	}
	server_explain(machine);
	close(machine->fd);
	machine->fd = -1;
}

/* What a key or the terminal sends it sends to the program too. */
static bool is_the_programs_already(const struct signalfd_siginfo *info)
{
	return info->ssi_code > 0 &&
	       (info->ssi_signo == SIGINT || info->ssi_signo == SIGQUIT ||
		info->ssi_signo == SIGWINCH);
}

/* Passes a signal on; or, when the child has ended, gets its status. */
static bool take_signal(int signals, pid_t child, int *status)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGCHLD)
		return waitpid(child, status, WNOHANG) == child;
	/* A broken pipe is of what gntdev itself has said. */
	if (info.ssi_signo != SIGPIPE && !is_the_programs_already(&info))
		kill(child, info.ssi_signo);

	return false;
}

/* The trace, if there is to be one; -1 when it has ended. */
static struct recording {
	int fd;
	struct decoder decoder;
} recording = {.fd = -1};

static void begin_trace(const struct machine *machine,
			const struct options *options)
{
	if (!options->traced)
		return;
	trace_open(&recording.decoder, options->trace, true);
	recording.decoder.machine = true;
	recording.decoder.kinds = options->trace_kinds;
	recording.decoder.domain = options->trace_domain;
	/* Of all programs what is a domain's, or what this run's do. */
	if (options->trace_domain < 0)
		recording.decoder.run = machine->run;
	recording.fd = record_begin(machine);
}

static void end_trace(void)
{
	if (recording.fd < 0)
		return;
	record_end(recording.fd, &recording.decoder);
	recording.fd = -1;
	if (recording.decoder.lost)
		complain("%lu lines of the trace were lost: more came than could be kept",
			 recording.decoder.lost);
	if (ferror(recording.decoder.out))
		complain("the trace could not be written as a whole");
}

static void hear_trace(void)
{
	if (record_read(recording.fd, &recording.decoder)) {
		fflush(recording.decoder.out);
		return;
	}
	close(recording.fd);
	recording.fd = -1;
}

static int wait_for(struct machine *machine, pid_t child, int signals)
{
	struct pollfd pollers[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = machine->fd, .events = POLLIN},
		{.events = POLLIN},
	};
	int status = 0;

	for (;;) {
		pollers[1].fd = machine->fd;
		pollers[2].fd = recording.fd;
		if (poll(pollers, 3, -1) < 0)
			continue;
		if (pollers[2].fd >= 0 && pollers[2].revents)
			hear_trace();
		if (pollers[1].fd >= 0 && pollers[1].revents)
			hear(machine);
		if (pollers[0].revents && take_signal(signals, child, &status))
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
						   : WEXITSTATUS(status);
	}
}

/* All that would end gntdev, but those that say that it is wrong itself. */
static int take_signals(void)
{
	static const int others[] = {
		SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGTRAP, SIGSYS,
		SIGABRT, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT,
	};
	sigset_t set;
	int fd;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		sigdelset(&set, others[i]);
	sigprocmask(SIG_BLOCK, &set, &inherited.mask);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die(STATUS_FAILED, "signalfd: %s", strerror(errno));

	return fd;
}

/* What was left at the end; whether the machine ends now. */
static bool read_report(struct machine *machine, bool print, unsigned int *left,
			bool *last)
{
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	do {
		if (!server_receive(machine->fd, &answer, text, sizeof(text)))
			return false;
		if (answer.flags & ANSWER_TEXT) {
			complain("%s", text);
			answer.flags = ANSWER_MORE;
			continue;
		}
		if (!*left && answer.value && print)
			complain("still mapped, granted or bound at the end:");
		*left = answer.value;
		if (print)
			fputs(text, stderr);
		*last = answer.flags & ANSWER_LAST;
	} while (answer.flags & ANSWER_MORE);

	return true;
}

/* The machine's own books at its end; what is left there is a defect. */
static bool read_leaks(struct machine *machine)
{
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	/* It has cleaned up by now; the process is about to go. */
	if (!server_receive(machine->fd, &answer, text, sizeof(text)) ||
	    !answer.value)
		return true;
	complain("the machine itself has lost %lld things, which is a defect of it or of the driver:",
		 (long long)answer.value);
	fputs(text, stderr);

	return false;
}

static int conclude(struct machine *machine, const struct options *options,
		    int status)
{
	struct request request = {.op = OP_END};
	unsigned int left = 0;
	bool last = false, good;

	server_hurry(machine->fd);
	if (machine->fd < 0) {
		end_trace();
		folder_remove(machine);
		return STATUS_FAILED;
	}
	good = send(machine->fd, &request, sizeof(request), MSG_NOSIGNAL) > 0 &&
	       read_report(machine, options->report, &left, &last);
	/* The machine may end now, but for whoever has not read all. */
	end_trace();
	if (!good) {
		server_explain(machine);
		folder_remove(machine);
		return STATUS_FAILED;
	}
	if (last && !read_leaks(machine))
		return STATUS_FAILED;
	if (!status && options->report && left)
		return STATUS_LEFT;

	return status;
}

/*
 * What is to fail is the program's: not what the other side does, or xenstored for
 * it, until both are ready.
 */
static void wait_for_others(struct machine *machine,
			    const struct options *options)
{
	struct options patient = *options;
	int fd;

	patient.fail = NULL;
	server_join(machine, &patient);
	for (unsigned int i = 0; i < options->wait_count; i++)
		wait_for_other(machine, options->waits[i]);
	if (!options->fail)
		return;
	fd = machine->fd;
	server_join(machine, options);
	close(fd);
}

int run_program(struct machine *machine, const struct options *options)
{
	int signals, status;

	/* Where it is ignored, the kernel tells of no child's end. */
	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL},
		  &inherited.child);
	if (options->wait_count)
		wait_for_others(machine, options);
	else
		server_join(machine, options);
	begin_trace(machine, options);
	signals = take_signals();
	status = wait_for(machine, start(machine, options), signals);

	return conclude(machine, options, status);
}
