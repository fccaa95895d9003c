// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* plain [NAME]: as TAP, each behaviour by a process of its own; see plain.h. */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain.h"

const char *some_device(void)
{
	return getenv("GNTDEV_MACHINE") ? "/dev/xen/evtchn" : "/dev/null";
}

void use_device(void)
{
	int fd = open(some_device(), O_RDWR);

	CHECK(fd >= 0, "%s: %s", some_device(), strerror(errno));
	CHECK(!close(fd), "close: %s", strerror(errno));
}

/* ---- what a process looks like ---- */

static void own_file(void)
{
	char link[PATH_MAX] = "", *end;
	struct stat one, other;
	int fd = open("/proc/self/exe", O_RDONLY);

	CHECK(fd >= 0, "/proc/self/exe: %s", strerror(errno));
	CHECK(readlink("/proc/self/exe", link, sizeof(link) - 1) > 0,
	      "readlink: %s", strerror(errno));
	end = strrchr(link, '/');
	CHECK(end && !strncmp(end, "/plain", 6), "it is %s", link);
	CHECK(!fstat(fd, &one) && !stat(link, &other) &&
		      one.st_ino == other.st_ino,
	      "it is another file");
	CHECK(!stat("/proc/self/exe", &one) && one.st_ino == other.st_ino,
	      "stat tells of another file");
	CHECK(!lstat("/proc/self/exe", &one) && S_ISLNK(one.st_mode),
	      "lstat tells of no link");
}

static size_t read_all(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t got;
	size_t all = 0;

	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	while ((got = read(fd, to + all, size - all)) > 0)
		all += got;
	close(fd);
	return all;
}

static bool holds(const char *bytes, size_t size, const char *text)
{
	return memmem(bytes, size, text, strlen(text));
}

static void own_name(void)
{
	static char text[100000];
	char name[17] = "";
	size_t size;

	CHECK(!prctl(PR_GET_NAME, name), "PR_GET_NAME");
	CHECK(!strncmp(name, "plain", 5), "its name is %s", name);
	prctl(PR_SET_NAME, "another");
	read_all("/proc/self/comm", text, sizeof(text));
	CHECK(!strncmp(text, "another\n", 8), "another name is not taken");
	size = read_all("/proc/self/cmdline", text, sizeof(text));
	CHECK(holds(text, size, "plain"), "its arguments are %s", text);
	size = read_all("/proc/self/environ", text, sizeof(text));
	CHECK(!holds(text, size, "GNTDEV_LOADER"), "there is more");
	CHECK(!getenv("GNTDEV_LOADER"), "there is more for it");
}

static void own_vector(void)
{
	const ElfW(Phdr) *headers = (void *)getauxval(AT_PHDR);
	unsigned long random = getauxval(AT_RANDOM);
	bool dynamic = false;
	extern void _start(void);

	CHECK(headers && getauxval(AT_PHNUM) > 2, "no program headers");
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		dynamic |= headers[i].p_type == PT_INTERP;
	CHECK(dynamic == !!getauxval(AT_BASE), "AT_BASE is wrong");
	CHECK(getauxval(AT_ENTRY) == (unsigned long)(uintptr_t)_start,
	      "AT_ENTRY is wrong");
	CHECK(strstr((char *)getauxval(AT_EXECFN), "plain"), "AT_EXECFN is %s",
	      (char *)getauxval(AT_EXECFN));
	CHECK(random && getauxval(AT_SYSINFO_EHDR), "parts are missing");
}

static void own_heap(void)
{
	char *before = sbrk(0), *at = sbrk(64 << 20);

	CHECK(at == before, "sbrk: %s", strerror(errno));
	memset(at, 1, 64 << 20);
	CHECK(!brk(before) && sbrk(0) == before, "brk: %s", strerror(errno));
}

/* ---- threads ---- */

static void *open_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		use_device();
	return NULL;
}

/* More than the loader has stacks, each with as little of its own as may be. */
static void many_threads(void)
{
	pthread_t threads[150];
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (int i = 0; i < 150; i++)
		CHECK(!pthread_create(&threads[i], &attr, open_often, NULL),
		      "thread %d", i);
	for (int i = 0; i < 150; i++)
		pthread_join(threads[i], NULL);
}

static void forks_beside(void)
{
	pthread_t threads[4];
	int status;
	pid_t child;

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, open_often, NULL),
		      "thread");
	for (int i = 0; i < 50; i++) {
		child = fork();
		if (!child) {
			use_device();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status,
		      "status %#x", status);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

const struct behaviour look_behaviours[] = {
	{"/proc/self/exe is the program", own_file},
	{"a process has its name, arguments and environment", own_name},
	{"the auxiliary vector tells of the program", own_vector},
	{"the heap grows and shrinks", own_heap},
	{"many threads with small stacks", many_threads},
	{"forks beside threads", forks_beside},
	{0},
};

int main(int argc, char **argv)
{
	const struct behaviour *const all[] = {
		look_behaviours,
		signal_behaviours,
		exec_behaviours,
		NULL,
	};

	exec_play(argc, argv);
	return show_all(all, argv[1], 60);
}
