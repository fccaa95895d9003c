// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An instance of ftrace's own: what others trace is not disturbed. Another
 * process, the keeper, takes it away when we are gone, however we went.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holdings.h"
#include "tool.h"
#include "trace.h"

static const char *const places[] = {
	"/sys/kernel/tracing",
	"/sys/kernel/debug/tracing",
};

/* Those that make a line, or a part of one. */
static const char *const events[] = {
	"gntdev_request", "gntdev_mmap",     "gntdev_munmap",
	"gntdev_refused", "gntdev_released", "gntdev_defer",
};

static const char *find_tracing(void)
{
	char path[128];
	int error = ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/instances", places[i]);
		if (!access(path, W_OK))
			return places[i];
		if (errno != ENOENT)
			error = errno;
	}
	if (error == ENOENT && geteuid())
		error = EACCES;
	if (error == ENOENT)
		die(STATUS_FAILED,
		    "%s/instances: is not there: mount -t tracefs tracefs %s",
		    places[0], places[0]);
	die(STATUS_FAILED, "%s: %s%s", places[0], strerror(error),
	    error == EACCES ? ": only root may trace" : "");
}

/* A write into a file of the instance; false with errno. */
static bool write_file(const struct session *session, const char *name,
		       const char *text)
{
	char path[256];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", session->folder, name);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text));
	close(fd);

	return written >= 0;
}

static void must_write(const struct session *session, const char *name,
		       const char *text)
{
	if (!write_file(session, name, text))
		die(STATUS_FAILED, "%s/%s: %s: %s", session->folder, name, text,
		    strerror(errno));
}

/* All of it stops, and the instance goes; somebody may be about to close it. */
static void take_away(const struct session *session)
{
	write_file(session, "tracing_on", "0");
	for (int tries = 0; tries < 200; tries++) {
		if (!rmdir(session->folder) || errno == ENOENT)
			return;
		usleep(10000);
	}
}

static void keep(const struct session *session, int alive)
{
	char byte;

	/* Ctrl-C is not for us: when the other end goes, our work begins. */
	setsid();
	for (int number = 1; number < 32; number++)
		signal(number, SIG_IGN);
	for (int fd = 0; fd < 1024; fd++) {
		if (fd != alive)
			close(fd);
	}
	while (read(alive, &byte, 1) < 0 && errno == EINTR)
		;
	take_away(session);
	_exit(0);
}

static void start_keeper(struct session *session)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		die(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	session->keeper = fork();
	if (session->keeper < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (!session->keeper) {
		close(ends[1]);
		keep(session, ends[0]);
	}
	close(ends[0]);
	session->alive = ends[1];
}

static void check_events(const char *tracing)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/events/gntdev/gntdev_request",
		 tracing);
	if (access(path, F_OK))
		holdings_explain(path, errno);
}

void session_begin(struct session *session, int domain)
{
	char text[64], name[256];
	const char *tracing;

	if (!host_is_xen())
		die(STATUS_FAILED,
		    "this system does not run on Xen; --machine DIR looks at a machine of gntdev run");
	tracing = find_tracing();
	check_events(tracing);
	snprintf(session->folder, sizeof(session->folder),
		 "%s/instances/gntdev-%d", tracing, (int)getpid());
	/* The keeper is there first: at no time is the folder nobody's. */
	start_keeper(session);
	if (mkdir(session->folder, 0700))
		die(STATUS_FAILED, "%s: %s", session->folder, strerror(errno));

	must_write(session, "tracing_on", "0");
	snprintf(text, sizeof(text), "domid==%d", domain);
	for (size_t i = 0; domain >= 0 && i < sizeof(events) / sizeof(*events);
	     i++) {
		snprintf(name, sizeof(name), "events/gntdev/%s/filter",
			 events[i]);
		must_write(session, name, text);
	}
	snprintf(name, sizeof(name), "%s/trace_pipe", session->folder);
	session->pipe = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (session->pipe < 0)
		die(STATUS_FAILED, "%s: %s", name, strerror(errno));
}

void session_follow(struct session *session, int process)
{
	const struct dirent *entry;
	char path[64];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", process);
	threads = opendir(path);
	if (!threads)
		die(STATUS_FAILED, "process %d: %s", process,
		    errno == ENOENT ? "there is none" : strerror(errno));
	must_write(session, "options/event-fork", "1");
	while ((entry = readdir(threads))) {
		if (*entry->d_name != '.')
			must_write(session, "set_event_pid", entry->d_name);
	}
	closedir(threads);
}

void session_go(struct session *session)
{
	char name[128];

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		snprintf(name, sizeof(name), "events/gntdev/%s/enable",
			 events[i]);
		must_write(session, name, "1");
	}
	must_write(session, "tracing_on", "1");
}

void session_end(struct session *session)
{
	close(session->pipe);
	close(session->alive);
	waitpid(session->keeper, NULL, 0);
}
