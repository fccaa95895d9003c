// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The server of a machine: gntdev-server FOLDER pv|xlat|pvh READY [private]
 *
 * Started by `gntdev run`, which reads "ready" or a line of complaint from the
 * descriptor READY. It ends by itself when nobody is there any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

/* How long the first to come may take, and others to go at the end. */
#define PATIENCE_MS 10000

#define THREAD_STACK (256 * 1024)

struct server server;
pthread_mutex_t state = PTHREAD_MUTEX_INITIALIZER;

static int ready = -1;
static struct watch listener, waker, signals;

void server_log(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

/* One line for whoever can do something about it, and the end. */
void server_fail(const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);

	fprintf(stderr, "%s\n", line);
	if (ready >= 0)
		dprintf(ready, "%s\n", line);
	else
		run_tell_all(line);
	exit(1);
}

void *must_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		server_fail("no memory for the machine's books");

	return memory;
}

/* The driver or the machine is wrong: nothing that is left can be trusted. */
static void on_fatal(const char *message)
{
	fprintf(stderr, "%s\n", message);
	if (ready >= 0)
		dprintf(ready, "%s\n", message);
	run_tell_all(message);
	abort();
}

void server_wake(void)
{
	uint64_t one = 1;

	(void)!write(waker.fd, &one, sizeof(one));
}

static void on_wake(struct watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	(void)!read(watch->fd, &count, sizeof(count));
	xenstore_spawn();
}

int server_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_mutex_lock(&state);
	server.threads++;
	pthread_mutex_unlock(&state);

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	error = pthread_create(&thread, &attributes, run, arg);
	pthread_attr_destroy(&attributes);
	if (error)
		server_thread_done();

	return limits_error(-error);
}

void server_thread_done(void)
{
	pthread_mutex_lock(&state);
	server.threads--;
	pthread_mutex_unlock(&state);
	server_wake();
}

void server_thread_helps(int change)
{
	pthread_mutex_lock(&state);
	server.helper_threads += change;
	pthread_mutex_unlock(&state);
}

static void on_listener(struct watch *watch, uint32_t events)
{
	bool refused;
	int fd = server_accept(watch, &refused);

	(void)events;
	if (fd < 0)
		return;
	server.used = true;
	if (!refused) {
		hello_take(fd);
		return;
	}
	hello_refuse(fd, limits_error(-ENFILE),
		     "the machine's server has no descriptor left for it");
	server_refused(fd);
}

static void on_signal(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		xenstore_reap();
	else
		server_fail(
			"the machine's server was stopped by signal %u of process %u",
			info.ssi_signo, info.ssi_pid);
}

/* A program has shortened a file, pages of which it had granted. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	if (!machine_repair(info->si_addr))
		signal(signal_number, SIG_DFL);
}

static void start_watching(void)
{
	sigset_t set;

	/* Where it is ignored, nobody is told of xenstored's end. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGBUS,
		  &(struct sigaction){.sa_sigaction = on_bus_error,
				      .sa_flags = SA_SIGINFO},
		  NULL);

	watch_init();
	listener.ready = on_listener;
	listener.fd = server_listen(SOCKET_FILE);
	waker.ready = on_wake;
	waker.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	signals.ready = on_signal;
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch_add(&listener, EPOLLIN) || watch_add(&waker, EPOLLIN) ||
	    watch_add(&signals, EPOLLIN))
		server_fail("cannot wait for descriptors: %s", strerror(errno));
}

static enum machine_mode mode_of(const char *name)
{
	if (!strcmp(name, "pv"))
		return MACHINE_PV;
	return strcmp(name, "pvh") ? MACHINE_XLAT : MACHINE_PVH;
}

static void start_machine(const char *mode)
{
	struct machine_config config = {
		.holds = process_holds,
		.descriptors = &reserved_fd_descriptors,
		.fatal = on_fatal,
	};
	int error;

	server.mode = mode_of(mode);
	config.mode = server.mode;
	error = machine_start(&config);
	if (error)
		server_fail("cannot start a machine: %s", strerror(-error));
	kmsg_start();
}

/*
 * What ThreadSanitizer is to pass over: memory of domains and programs is
 * theirs, and so are its races.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race:memory_copy\nrace:user_copyv\n";
}

static unsigned int threads_left(bool helpers)
{
	unsigned int threads;

	pthread_mutex_lock(&state);
	threads = server.threads - (helpers ? 0 : server.helper_threads);
	pthread_mutex_unlock(&state);

	return threads;
}

static bool is_idle(void)
{
	return !threads_left(false) && !run_count() && !process_count() &&
	       !device_count();
}

static void serve(void)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (!server.used) {
		watch_wait(PATIENCE_MS);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begun.tv_sec > PATIENCE_MS / 1000)
			return;
	}
	while (!is_idle())
		watch_wait(-1);
}

/* What the machine finds left in its own books is its defect or the driver's. */
static unsigned int stop_machine(bool private)
{
	int last = run_take_last();
	struct answer answer = {0};
	unsigned int left;
	char *lines = NULL;
	size_t size = 0;
	FILE *out;

	out = open_memstream(&lines, &size);
	if (!out)
		server_fail("no memory");
	left = machine_stop(out);
	fclose(out);
	fputs(lines, stderr);

	/* Whoever is told may end, and a container with it. */
	folder_clean(private);
	if (last >= 0) {
		answer.value = left;
		answer.bytes = size < ANSWER_BYTES ? size : ANSWER_BYTES;
		answer_send(last, &answer, lines, -1);
		close(last);
	}
	free(lines);

	return left;
}

int main(int argc, char **argv)
{
	bool private = argc > 4 && !strcmp(argv[4], "private");

	if (argc < 4 || (strcmp(argv[2], "pv") && strcmp(argv[2], "xlat") &&
			 strcmp(argv[2], "pvh"))) {
		fprintf(stderr,
			"usage: gntdev-server FOLDER pv|xlat|pvh READY [private]\n"
			"It is started by `gntdev run`.\n");
		return 2;
	}
	server.folder = argv[1];
	ready = atoi(argv[3]);
	fcntl(ready, F_SETFD, FD_CLOEXEC);

	umask(077);
	/* A limit of files' sizes is an error like others. */
	signal(SIGXFSZ, SIG_IGN);
	folder_take();
	limits_start();
	start_watching();
	xenstore_start();
	start_machine(argv[2]);
	dprintf(ready, "ready\n");
	close(ready);
	ready = -1;

	serve();

	watch_close(&listener);
	xenstore_stop();
	trace_stop();
	while (process_left() || device_left() || threads_left(true))
		watch_wait(PATIENCE_MS);
	view_forget();

	return stop_machine(private) ? 1 : 0;
}
