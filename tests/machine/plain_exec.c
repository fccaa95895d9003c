// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Programs that are started, and what cannot be. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain.h"

#define MANY 14 /* arguments of 128 KiB each, but for a byte */
#define LONG (128 * 1024 - 1)

/* ---- parts that are played by a program of its own ---- */

static void play_arguments(int argc, char **argv)
{
	CHECK(argc == MANY + 2, "%d arguments", argc);
	for (int i = 2; i < argc; i++)
		CHECK(strlen(argv[i]) == LONG && argv[i][LONG - 1] == 'a' + i,
		      "argument %d", i);
	exit(0);
}

/* What remains of signals. */
static void play_mask(void)
{
	sigset_t now;

	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1) == 1 &&
		      sigismember(&now, SIGUSR2) == 0,
	      "another mask");
	CHECK(signal(SIGHUP, SIG_DFL) == SIG_IGN, "it is not ignored");
	CHECK(signal(SIGTERM, SIG_DFL) == SIG_DFL, "a handler is left");
	exit(0);
}

static void play_script(int argc, char **argv)
{
	CHECK(argc == 5 && !strcmp(argv[2], "x y") &&
		      strstr(argv[3], "inner") && strstr(argv[4], "outer"),
	      "%d: %s %s %s", argc, argv[1], argc > 2 ? argv[2] : "",
	      argc > 3 ? argv[3] : "");
	exit(0);
}

void exec_play(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";

	if (!strcmp(part, "play-arguments"))
		play_arguments(argc, argv);
	if (!strcmp(part, "play-mask"))
		play_mask();
	if (!strcmp(part, "play-nothing")) {
		use_device();
		exit(0);
	}
	if (!strcmp(part, "play-closed"))
		exit(fcntl(atoi(argv[2]), F_GETFD) != -1);
	/* The script's argument is one, with a space in it. */
	if (!strncmp(part, "play-script ", 12)) {
		argv[1] += 12;
		memmove(argv + 2, argv + 1, argc * sizeof(*argv));
		play_script(argc + 1, argv);
	}
}

static void must_be(pid_t child, int wanted)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child, "%s",
	      strerror(errno));
	CHECK(status == wanted, "status %#x", status);
}

/* ---- what works ---- */

static void big_arguments(void)
{
	static char bytes[MANY + 2][LONG + 1];
	char *arguments[MANY + 3] = {"plain", "play-arguments"};

	for (int i = 2; i < MANY + 2; i++) {
		memset(bytes[i], 'a' + i, LONG);
		arguments[i] = bytes[i];
	}
	execv("/proc/self/exe", arguments);
	CHECK(false, "execv: %s", strerror(errno));
}

static void handle(int signal)
{
	(void)signal;
}

static void mask_and_handlers(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, handle);
	execl("/proc/self/exe", "plain", "play-mask", NULL);
	CHECK(false, "execl: %s", strerror(errno));
}

/* A child in this memory that becomes a program, or fails to. */
static __attribute__((noinline)) void vfork_once(const char *path, int error)
{
	pid_t child = vfork();

	if (!child) {
		execl(path, "plain", "play-nothing", NULL);
		_exit(errno == error ? 0 : 1);
	}
	must_be(child, 0);
}

/* More than the loader has stacks. */
static void vfork_children(void)
{
	for (int i = 0; i < 150; i++)
		vfork_once("/proc/self/exe", 0);
	for (int i = 0; i < 150; i++)
		vfork_once("/nowhere", ENOENT);
}

static void spawned(void)
{
	char *arguments[] = {"plain", "play-nothing", NULL};
	char *nothing[] = {NULL};
	pid_t child;

	CHECK(!posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments,
			   nothing),
	      "posix_spawn");
	must_be(child, 0);
	CHECK(posix_spawn(&child, "/nowhere", NULL, NULL, arguments, nothing) ==
		      ENOENT,
	      "posix_spawn of nothing");
}

/* In pages: all that is mapped. */
static unsigned long size_now(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !close(fd),
	      "statm");
	return strtoul(text, NULL, 10);
}

/* Such children have their parent's memory until they are programs. */
static void leaves_nothing(void)
{
	unsigned long before;

	vfork_once("/proc/self/exe", 0);
	spawned();
	before = size_now();
	for (int i = 0; i < 20; i++) {
		vfork_once("/proc/self/exe", 0);
		spawned();
	}
	CHECK(size_now() == before, "%ld pages more", size_now() - before);
}

static void by_descriptor(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char number[16];
	pid_t child = fork();

	snprintf(number, sizeof(number), "%d", fd);
	if (!child) {
		char *arguments[] = {"plain", "play-closed", number, NULL};

		fexecve(fd, arguments, environ);
		_exit(1);
	}
	must_be(child, 0);
}

/* ---- files of its own ---- */

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[4][128];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static void make_folder(void)
{
	strcpy(folder, "/tmp/gntdev-plain.XXXXXX");
	CHECK(mkdtemp(folder), "mkdtemp: %s", strerror(errno));
}

static void make_file(const char *name, const char *text, int mode)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	      "%s: %s", in_folder(name), strerror(errno));
	fchmod(fd, mode);
	close(fd);
}

static void remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command))
		exit(1);
}

static void scripts(void)
{
	char self[PATH_MAX] = "", text[PATH_MAX + 64];
	pid_t child;

	make_folder();
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0,
	      "readlink");
	symlink(self, in_folder("plain"));
	snprintf(text, sizeof(text), "#! %s/plain play-script x y \n", folder);
	make_file("inner", text, 0755);
	snprintf(text, sizeof(text), "#!%s/inner\n", folder);
	make_file("outer", text, 0755);
	child = fork();
	if (!child) {
		execl(in_folder("outer"), "whatever", NULL);
		_exit(1);
	}
	must_be(child, 0);
	remove_folder();
}

/* ---- what does not work ---- */

static int error_of(const char *path)
{
	char *arguments[] = {"plain", NULL};

	errno = 0;
	execve(path, arguments, environ);
	return errno;
}

static void make_bad_files(void)
{
	char text[128];

	make_file("mute", "#!/bin/sh\n", 0644);
	make_file("text", "hello\n", 0755);
	make_file("empty", "", 0755);
	make_file("orphan", "#!/nowhere/sh\n", 0755);
	make_file("nameless", "#!\n", 0755);
	make_file("damaged", "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0", 0755);
	symlink(in_folder("loop"), in_folder("loop"));
	snprintf(text, sizeof(text), "#!%s/mute\n", folder);
	make_file("of-mute", text, 0755);
	snprintf(text, sizeof(text), "#!%s/itself\n", folder);
	make_file("itself", text, 0755);
	mkfifo(in_folder("fifo"), 0755);
}

static void errors(void)
{
	char name[PATH_MAX + 2];
	static const struct {
		const char *file;
		int error;
	} bad[] = {
		{"nothing", ENOENT}, {"mute", EACCES},	  {"text", ENOEXEC},
		{"empty", ENOEXEC},  {"orphan", ENOENT},  {"nameless", ENOEXEC},
		{"loop", ELOOP},     {"of-mute", EACCES}, {"itself", ELOOP},
		{"fifo", EACCES},    {"mute/x", ENOTDIR}, {"damaged", ENOEXEC},
		{"", EACCES},
	};

	make_folder();
	make_bad_files();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int error = error_of(in_folder(bad[i].file));

		CHECK(error == bad[i].error, "%s: %s", bad[i].file,
		      strerror(error));
	}
	CHECK(error_of("") == ENOENT, "an empty path");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK(error_of(name) == ENAMETOOLONG, "a long path");
	remove_folder();
	use_device();
}

static void too_big(void)
{
	static char bytes[LONG + 2];
	char *arguments[] = {"plain", bytes, NULL};

	memset(bytes, 'x', LONG + 1);
	CHECK(execv("/proc/self/exe", arguments) && errno == E2BIG, "%s",
	      strerror(errno));
	CHECK(syscall(SYS_execve, "/proc/self/exe", (void *)1L, environ) &&
		      errno == EFAULT,
	      "bad arguments: %s", strerror(errno));
	CHECK(syscall(SYS_execve, "/proc/self/exe", arguments, (void *)1L) &&
		      errno == EFAULT,
	      "bad environment: %s", strerror(errno));
}

const struct behaviour exec_behaviours[] = {
	{"a program is started with long arguments", big_arguments},
	{"signals are masked and ignored in a started program",
	 mask_and_handlers},
	{"children of vfork() become programs, or fail to", vfork_children},
	{"posix_spawn() without an environment", spawned},
	{"children leave nothing in their parent's memory", leaves_nothing},
	{"a program by its descriptor, which is closed", by_descriptor},
	{"a script whose interpreter is a script", scripts},
	{"what cannot be started has the kernel's error", errors},
	{"arguments that are too long, or nowhere", too_big},
	{0},
};
