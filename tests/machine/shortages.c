// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Where there are too few descriptors, and where no path leads to the machine. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntdev.h>
#include <xen/gntdev_more.h>

#include "behave.h"

/* All that are left. */
static void take_all(void)
{
	struct rlimit limit = {256, 256};

	CHECK(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	while (dup(0) >= 0)
		;
	CHECK(errno == EMFILE, "dup: %s", strerror(errno));
}

static uint64_t insert(const struct pair *pair)
{
	struct ioctl_gntdev_map_grant_ref map = {.count = 1};

	map.refs[0].ref = pair->refs[0];
	CHECK(!ioctl(pair->dev, IOCTL_GNTDEV_MAP_GRANT_REF, &map),
	      "MAP_GRANT_REF: %s", strerror(errno));
	return map.index;
}

static void use_mapping(const struct pair *pair)
{
	uint64_t index = insert(pair);
	uint8_t *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   pair->dev, index);

	CHECK(at != MAP_FAILED, "mmap: %s", strerror(errno));
	CHECK(*at == pair->granted[0], "wrong data");
	CHECK(!mprotect(at, PAGE, PROT_NONE), "mprotect: %s", strerror(errno));
	CHECK(!mprotect(at, PAGE, PROT_READ), "mprotect: %s", strerror(errno));
	CHECK(*at == pair->granted[0], "wrong data");
	CHECK(!munmap(at, PAGE), "munmap: %s", strerror(errno));
}

static void none_left(void)
{
	struct pair pair = pair_make(1);

	take_all();
	use_mapping(&pair);
	CHECK(open("/dev/xen/gntdev", O_RDWR) < 0 && errno == EMFILE,
	      "open: %s", strerror(errno));
	CHECK(dup(0) < 0, "a descriptor is left");
	use_mapping(&pair);
}

static void *in_thread(void *arg)
{
	struct pair *pair = arg;

	for (int i = 0; i < 20; i++)
		use_mapping(pair);
	return NULL;
}

static void none_left_for_threads(void)
{
	struct pair pair = pair_make(1);
	pthread_t threads[8];

	take_all();
	for (int i = 0; i < 8; i++)
		CHECK(!pthread_create(&threads[i], NULL, in_thread, &pair),
		      "thread");
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

static void none_left_for_a_child(void)
{
	struct pair pair = pair_make(1);
	pid_t child;

	take_all();
	child = fork();
	if (!child) {
		use_mapping(&pair);
		_exit(0);
	}
	must_pass(child);
	use_mapping(&pair);
}

/* ---- away from the machine's path ---- */

/* The first thread's connection is there; all others are made now. */
static void use_from_all(const char *what)
{
	struct pair pair = pair_make(1), other;
	pthread_t threads[4];
	pid_t child;

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, in_thread, &pair),
		      "thread");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int deep = 0; deep < 2; deep++) {
		child = fork();
		if (!child) {
			other = pair_make(1);
			pair_end(&other);
			if (deep) {
				child = fork();
				if (child)
					must_pass(child);
				else
					use_mapping(&pair);
			}
			_exit(0);
		}
		must_pass(child);
	}
	/* What no handler is told of. */
	child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		other = pair_make(1);
		pair_end(&other);
		_exit(0);
	}
	must_pass(child);
	pair_end(&pair);
	CHECK(access(getenv("GNTDEV_MACHINE"), R_OK | W_OK | X_OK),
	      "%s: the machine's path leads there still", what);
}

/* Rights that only root has, or a namespace of its own gives. */
static bool may_leave(const char *what)
{
	if (!geteuid())
		return true;
	printf("# %s: not tried, as it takes root\n", what);
	return false;
}

static void in_chroot(void)
{
	char folder[] = "/tmp/gntdev-chroot.XXXXXX";

	if (!may_leave("chroot"))
		return;
	CHECK(mkdtemp(folder), "mkdtemp: %s", strerror(errno));
	CHECK(!chdir(folder) && !rmdir(folder) && !chroot("."), "chroot: %s",
	      strerror(errno));
	use_from_all("chroot");
}

static void as_another_user(void)
{
	if (!may_leave("setuid"))
		return;
	CHECK(!setgid(65534) && !setuid(65534), "setuid: %s", strerror(errno));
	use_from_all("setuid");
}

static void with_own_mounts(void)
{
	char folder[256];

	if (!may_leave("unshare"))
		return;
	if (unshare(CLONE_NEWNS)) {
		printf("# no mount namespace here: %s\n", strerror(errno));
		return;
	}
	/* Else what is mounted here might be so for others, too. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		printf("# in a chroot, / is no mount: %s\n", strerror(errno));
		return;
	}
	snprintf(folder, sizeof(folder), "%s", getenv("GNTDEV_MACHINE"));
	*strrchr(folder, '/') = '\0';
	CHECK(!mount("none", folder, "tmpfs", 0, NULL), "mount: %s",
	      strerror(errno));
	use_from_all("unshare");
}

/* What a kernel's calls need, and a signal's frame. */
#define SMALL_STACK 8192

static struct pair small_pair;

static void open_all(void)
{
	static const char *const paths[] = {
		"/dev/null",	   "/dev/stdin",      "/proc/self/maps",
		"/dev/xen/gntdev", "/dev/xen/evtchn", "/proc/xen/capabilities",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		close(open_or_die(paths[i], O_RDONLY));
}

static void on_small_stack(void)
{
	static char *const arguments[] = {"true", NULL};
	static char path[PATH_MAX];
	static struct stat status;
	pid_t child;
	DIR *dir;

	open_all();
	CHECK(!stat("/dev/xen/gntdev", &status) && S_ISCHR(status.st_mode),
	      "stat: %s", strerror(errno));
	CHECK(readlink("/proc/self/exe", path, sizeof(path)) > 0, "readlink");
	CHECK(getcwd(path, sizeof(path)), "getcwd");
	CHECK(realpath("/dev/xen/gntdev", path) == path, "realpath");
	dir = opendir("/dev/xen");
	CHECK(dir && readdir(dir) && !closedir(dir), "opendir");
	use_mapping(&small_pair);
	CHECK(!posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ),
	      "posix_spawn: %s", strerror(errno));
	must_pass(child);
	child = fork();
	if (!child) {
		use_mapping(&small_pair);
		execve("/bin/true", arguments, environ);
		_exit(1);
	}
	must_pass(child);
}

/* As coroutines, threads and handlers of signals have them. */
static void small_stacks(void)
{
	static ucontext_t before, there;
	size_t size = SMALL_STACK +
		      (getauxval(AT_MINSIGSTKSZ) + PAGE - 1) / PAGE * PAGE;
	uint8_t *stack = mmap(NULL, size + PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(stack != MAP_FAILED &&
		      !mprotect(stack + PAGE, size, PROT_READ | PROT_WRITE),
	      "no stack");
	small_pair = pair_make(1);
	/* What the C library looks up by its names takes more, once. */
	on_small_stack();
	CHECK(!getcontext(&there), "getcontext");
	there.uc_stack.ss_sp = stack + PAGE;
	there.uc_stack.ss_size = size;
	there.uc_link = &before;
	makecontext(&there, on_small_stack, 0);
	CHECK(!swapcontext(&before, &there), "swapcontext");
	pair_end(&small_pair);
}

/* Its errno, or 0, of granting a page. */
static int grant_page(void)
{
	struct ioctl_gntdev_grant_memory op = {
		.addr = (uintptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		.count = 1,
	};
	int fd = open_or_die("/dev/xen/gntdev", O_RDWR);
	int error = ioctl(fd, IOCTL_GNTDEV_GRANT_MEMORY, &op) ? errno : 0;

	close(fd);

	return error;
}

/* Memory and devices are no files: so the limit is not about them. */
static void no_files(void)
{
	struct rlimit limit = {0, 8 << 20};
	int fd = open_or_die("/dev/xen/gntdev", O_RDWR), error;
	char path[64], text[256];

	CHECK(!setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
	error = grant_page();
	CHECK(!error, "GRANT_MEMORY: %s", strerror(error));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(read(open_or_die(path, O_RDONLY), text, sizeof(text)) > 0,
	      "fdinfo");
	CHECK(!getrlimit(RLIMIT_FSIZE, &limit) && !limit.rlim_cur,
	      "another limit");
	/* What cannot be had then is an error. */
	limit.rlim_max = 0;
	CHECK(!setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
	error = grant_page();
	CHECK(!error || error == EFAULT, "GRANT_MEMORY: %s", strerror(error));
}

const struct behaviour shortage_behaviours[] = {
	{"a device is mapped where no descriptor is left", none_left},
	{"so it is by threads", none_left_for_threads},
	{"so it is by a child", none_left_for_a_child},
	{"threads and children use devices after chroot", in_chroot},
	{"threads and children use devices after setuid", as_another_user},
	{"threads and children use devices behind mounts of their own",
	 with_own_mounts},
	{"calls take little of a stack", small_stacks},
	{"a limit of files' sizes is for files", no_files},
	{NULL, NULL},
};
