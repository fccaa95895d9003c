// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What programs see of the devices that look before they open: a character device
 * by every call, in a folder that can be listed and entered, by every spelling.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "dev.h"
#include "dmabuf.h"
#include "granter.h"
#include "tap.h"

#define FACCESSAT2 439
#define OPENAT2 437

static const char folder[] = "/dev/xen";
static const char gntdev[] = "/dev/xen/gntdev";
static const char evtchn[] = "/dev/xen/evtchn";

static int outcome(long result)
{
	return result < 0 ? -errno : (int)result;
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	CHECK(fd >= 0, "%s: %s", path, error_name(errno));
	return fd;
}

static void must_chdir(const char *path)
{
	CHECK(!chdir(path), "chdir %s: %s", path, error_name(errno));
}

/* It takes requests as gntdev does. */
static void check_device(int fd, const char *how)
{
	uint32_t ref = BAD_REF;
	uint64_t index;

	CHECK(fd >= 0, "%s: %s", how, error_name(errno));
	CHECK(!dev_insert(fd, &ref, 1, &index), "%s: it takes no request", how);
	close(fd);
}

/* ---- what it is ---- */

static struct stat status_of(const char *path)
{
	struct stat status;

	CHECK(!stat(path, &status), "%s: %s", path, error_name(errno));
	return status;
}

static void check_same(const struct stat *found, const char *how)
{
	struct stat status = status_of(gntdev);

	CHECK(S_ISCHR(found->st_mode), "%s: its mode is %o", how,
	      found->st_mode);
	CHECK(found->st_rdev == status.st_rdev, "%s: another number", how);
	CHECK(found->st_ino == status.st_ino && found->st_dev == status.st_dev,
	      "%s: another file", how);
	CHECK(found->st_mode == status.st_mode, "%s: another mode", how);
}

TEST(every_call_by_path_tells_of_a_character_device)
{
	int at = must_open(folder, O_RDONLY | O_DIRECTORY);
	struct stat status;

	CHECK(!stat(gntdev, &status), "stat");
	check_same(&status, "stat");
	CHECK(!lstat(gntdev, &status), "lstat");
	check_same(&status, "lstat");
	CHECK(!fstatat(AT_FDCWD, gntdev, &status, 0), "fstatat");
	check_same(&status, "fstatat");
	CHECK(!fstatat(at, "gntdev", &status, AT_SYMLINK_NOFOLLOW),
	      "fstatat of a folder: %s", error_name(errno));
	check_same(&status, "fstatat of a folder");
	must_chdir(folder);
	CHECK(!stat("gntdev", &status), "stat beside it");
	check_same(&status, "stat beside it");
}

TEST(every_call_by_descriptor_tells_of_a_character_device)
{
	int fd = dev_open(), path = must_open(gntdev, O_PATH), other = dup(fd);
	char link[64];
	struct stat status;

	CHECK(!fstat(fd, &status), "fstat");
	check_same(&status, "fstat");
	CHECK(!fstat(other, &status), "fstat");
	check_same(&status, "fstat of a duplicate");
	CHECK(!fstat(path, &status), "fstat");
	check_same(&status, "fstat of an O_PATH");
	CHECK(!fstatat(fd, "", &status, AT_EMPTY_PATH), "fstatat");
	check_same(&status, "fstatat with AT_EMPTY_PATH");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(!stat(link, &status), "%s: %s", link, error_name(errno));
	check_same(&status, link);
	CHECK(!lstat(link, &status) && S_ISLNK(status.st_mode), "%s is no link",
	      link);
}

static void check_statx(int at, const char *path, int flags)
{
	struct statx status = {0};
	struct stat same = status_of(gntdev);

	EQUAL(syscall(SYS_statx, at, path, flags, STATX_BASIC_STATS, &status),
	      0);
	CHECK(S_ISCHR(status.stx_mode), "its mode is %o", status.stx_mode);
	EQUAL(status.stx_rdev_major, major(same.st_rdev));
	EQUAL(status.stx_rdev_minor, minor(same.st_rdev));
	EQUAL(status.stx_ino, same.st_ino);
}

TEST(statx_by_number_tells_of_a_character_device)
{
	int fd = dev_open(), at = must_open(folder, O_RDONLY);

	check_statx(AT_FDCWD, gntdev, 0);
	check_statx(at, "gntdev", AT_SYMLINK_NOFOLLOW);
	check_statx(fd, "", AT_EMPTY_PATH);
	must_chdir("/dev");
	check_statx(AT_FDCWD, "xen/gntdev", 0);
}

TEST(devices_have_numbers_of_their_own)
{
	struct stat one = status_of(gntdev), other = status_of(evtchn);

	CHECK(major(one.st_rdev) == 10, "its major number is %u",
	      major(one.st_rdev));
	CHECK(S_ISCHR(other.st_mode) && major(other.st_rdev) == 10, "evtchn");
	CHECK(one.st_rdev != other.st_rdev && one.st_ino != other.st_ino,
	      "evtchn is the same");
	EQUAL(one.st_nlink, 1);
	EQUAL(one.st_size, 0);
}

TEST(descriptor_of_a_buffer_tells_its_size)
{
	struct buffer buffer = export_some(3, 0);
	struct stat status;

	EQUAL(fstat(buffer.fd, &status), 0);
	EQUAL(status.st_size, 3 * PAGE);
	CHECK(!S_ISSOCK(status.st_mode) && !S_ISCHR(status.st_mode),
	      "its mode is %o", status.st_mode);
}

/* ---- the folder ---- */

static bool lists(const char *path, const char *name, unsigned char type)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned int found = 0;

	CHECK(dir, "%s: %s", path, error_name(errno));
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, name))
			continue;
		found++;
		CHECK(entry->d_type == type, "%s in %s is of type %u", name,
		      path, entry->d_type);
	}
	rewinddir(dir);
	while ((entry = readdir(dir)))
		found += !strcmp(entry->d_name, name);
	closedir(dir);
	CHECK(!found || found == 2, "%s is in %s %u times", name, path, found);

	return found;
}

TEST(folder_lists_the_devices)
{
	CHECK(lists(folder, "gntdev", DT_CHR), "gntdev");
	CHECK(lists(folder, "evtchn", DT_CHR), "evtchn");
	CHECK(lists("/dev/xen/", "gntdev", DT_CHR), "with a slash");
	must_chdir(folder);
	CHECK(lists(".", "gntdev", DT_CHR), "the folder that it is in");
	CHECK(lists("..", "null", DT_CHR), "the one above");
}

static int is_evtchn(const struct dirent *entry)
{
	return !strcmp(entry->d_name, "evtchn");
}

TEST(scandir_finds_a_device)
{
	struct dirent **list;

	EQUAL(scandir(folder, &list, is_evtchn, alphasort), 1);
	CHECK(is_evtchn(list[0]) && list[0]->d_type == DT_CHR, "%s, type %u",
	      list[0]->d_name, list[0]->d_type);
	free(list[0]);
	free(list);
}

TEST(folder_above_lists_it)
{
	CHECK(lists("/dev", "xen", DT_DIR), "/dev");
	must_chdir(folder);
	CHECK(lists("..", "xen", DT_DIR), "..");
}

TEST(listing_by_number_has_the_devices)
{
	char bytes[4096] __attribute__((aligned(8)));
	int fd = must_open(folder, O_RDONLY | O_DIRECTORY);
	long size = syscall(SYS_getdents64, fd, bytes, sizeof(bytes));
	const struct dirent64 *entry;
	bool found = false;

	for (long at = 0; at < size; at += entry->d_reclen) {
		entry = (const struct dirent64 *)(bytes + at);
		if (!strcmp(entry->d_name, "gntdev") && entry->d_type == DT_CHR)
			found = true;
	}
	CHECK(found, "gntdev is not in it");
	EQUAL(syscall(SYS_getdents64, fd, bytes, sizeof(bytes)), 0);
}

TEST(folder_can_be_entered)
{
	char path[PATH_MAX];
	struct stat one, other;

	EQUAL(stat(folder, &one), 0);
	CHECK(S_ISDIR(one.st_mode), "it is no folder");
	must_chdir(folder);
	CHECK(getcwd(path, sizeof(path)) && !strcmp(path, folder), "it is %s",
	      path);
	EQUAL(syscall(SYS_getcwd, path, sizeof(path)), sizeof(folder));
	CHECK(!strcmp(path, folder), "by number it is %s", path);
	EQUAL(stat(".", &other), 0);
	EQUAL(other.st_ino, one.st_ino);
	EXPECT(outcome(syscall(SYS_getcwd, path, sizeof(folder) - 1)), -ERANGE);
	check_device(open("gntdev", O_RDWR), "beside it");
	check_device(open("../xen/./gntdev", O_RDWR), "by the folder above");
	must_chdir("..");
	CHECK(getcwd(path, sizeof(path)) && !strcmp(path, "/dev"), "it is %s",
	      path);
	check_device(open("xen/gntdev", O_RDWR), "above");
}

TEST(folders_descriptor_leads_to_a_device)
{
	int at = must_open(folder, O_PATH | O_DIRECTORY),
	    above = must_open("/dev", O_RDONLY | O_DIRECTORY);
	char path[PATH_MAX];

	check_device(openat(at, "gntdev", O_RDWR), "openat");
	check_device(openat(above, "xen//gntdev", O_RDWR), "from above");
	check_device(syscall(SYS_openat, at, "./gntdev", O_RDWR), "by number");
	EXPECT(outcome(openat(at, "other", O_RDWR)), -ENOENT);
	EQUAL(fchdir(at), 0);
	CHECK(getcwd(path, sizeof(path)) && !strcmp(path, folder), "it is %s",
	      path);
	check_device(open("gntdev", O_RDWR), "after fchdir");
}

TEST(patterns_find_a_device)
{
	static const char *const patterns[] = {"/dev/xen/gnt*ev",
					       "/dev/x[e]n/gntdev"};
	glob_t found;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		CHECK(!glob(patterns[i], 0, NULL, &found), "%s finds nothing",
		      patterns[i]);
		EQUAL(found.gl_pathc, 1);
		CHECK(!strcmp(found.gl_pathv[0], gntdev), "%s",
		      found.gl_pathv[0]);
		globfree(&found);
	}
}

/* ---- spellings ---- */

TEST(every_spelling_opens_the_device)
{
	static const char *const paths[] = {
		"/dev/xen/gntdev",
		"//dev///xen//gntdev",
		"/dev/./xen/./gntdev",
		"/dev/xen/../xen/gntdev",
		"/dev/../dev/xen/gntdev",
		"/../dev/xen/gntdev",
		"/proc/self/root/dev/xen/gntdev",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		check_device(open(paths[i], O_RDWR), paths[i]);
}

static char where[] = "/tmp/look.XXXXXX";

static void link_to(const char *target, const char *name, char *path)
{
	snprintf(path, 64, "%s/%s", where, name);
	CHECK(!symlink(target, path), "symlink: %s", error_name(errno));
}

TEST(symbolic_links_lead_to_the_device)
{
	char direct[64], indirect[64], to_folder[64], path[128], real[PATH_MAX];
	struct stat status;

	CHECK(mkdtemp(where), "mkdtemp: %s", error_name(errno));
	link_to(gntdev, "direct", direct);
	link_to("direct", "indirect", indirect);
	link_to(folder, "folder", to_folder);
	check_device(open(direct, O_RDWR), "a link");
	check_device(open(indirect, O_RDWR), "a link to a link");
	EXPECT(outcome(open(direct, O_RDWR | O_NOFOLLOW)), -ELOOP);
	snprintf(path, sizeof(path), "%s/gntdev", to_folder);
	check_device(open(path, O_RDWR), "a link to the folder");
	CHECK(!stat(indirect, &status), "stat");
	check_same(&status, "a link");
	CHECK(!lstat(indirect, &status) && S_ISLNK(status.st_mode), "lstat");
	CHECK(realpath(indirect, real) && !strcmp(real, gntdev), "it is %s",
	      real);
	CHECK(realpath(path, real) && !strcmp(real, gntdev), "it is %s", real);
	EQUAL(readlink(direct, real, sizeof(real)), sizeof(gntdev) - 1);
	unlink(direct);
	unlink(indirect);
	unlink(to_folder);
	rmdir(where);
}

TEST(what_is_not_there_is_told_as_ever)
{
	char byte, path[PATH_MAX];

	EXPECT(outcome(open("/dev/xen/other", O_RDWR)), -ENOENT);
	EXPECT(outcome(open("/dev/xen/gntdev/", O_RDWR)), -ENOTDIR);
	EXPECT(outcome(open("/dev/xen/gntdev/x", O_RDWR)), -ENOTDIR);
	EXPECT(outcome(open("/dev/xen/gntdev/..", O_RDONLY)), -ENOTDIR);
	EXPECT(outcome(open("/dev/nowhere/../xen/gntdev", O_RDWR)), -ENOENT);
	EXPECT(outcome(chdir(gntdev)), -ENOTDIR);
	EXPECT(outcome(readlink(gntdev, &byte, 1)), -EINVAL);
	EXPECT(outcome(open(folder, O_RDWR)), -EISDIR);
	CHECK(!opendir(gntdev) && errno == ENOTDIR, "opendir: %s",
	      error_name(errno));
	CHECK(!realpath("/dev/xen/other", path) && errno == ENOENT,
	      "realpath: %s", error_name(errno));
}

/* ---- descriptors and their names ---- */

TEST(descriptor_is_opened_once_more_by_its_name)
{
	static const char *const names[] = {"/proc/self/fd/%d", "/dev/fd/%d",
					    "/proc/thread-self/fd/%d"};
	char path[64], link[PATH_MAX] = "";
	int fd = dev_open(), copy;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), names[i], fd);
		/* Not every system has the folder in /dev. */
		if (!access(path, F_OK))
			check_device(open(path, O_RDWR), path);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EQUAL(readlink(path, link, sizeof(link) - 1), sizeof(gntdev) - 1);
	CHECK(!strcmp(link, gntdev), "it is %s", link);
	CHECK(realpath(path, link) && !strcmp(link, gntdev), "it is %s", link);
	copy = must_open(gntdev, O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	check_device(open(path, O_RDWR), "that of an O_PATH");
	EQUAL(readlink(path, link, sizeof(link)), sizeof(gntdev) - 1);
}

/* ---- access, openat2 ---- */

TEST(access_tells_of_the_rights)
{
	int at = must_open(folder, O_RDONLY);

	EQUAL(access(gntdev, F_OK), 0);
	EQUAL(access(gntdev, R_OK | W_OK), 0);
	EXPECT(outcome(access(gntdev, X_OK)), -EACCES);
	EXPECT(outcome(access("/dev/xen/other", F_OK)), -ENOENT);
	EQUAL(faccessat(at, "gntdev", R_OK | W_OK, 0), 0);
	EQUAL(faccessat(at, "gntdev", R_OK, AT_EACCESS), 0);
	EQUAL(syscall(SYS_faccessat, at, "gntdev", R_OK), 0);
	if (syscall(FACCESSAT2, at, "gntdev", R_OK, AT_EACCESS))
		EQUAL(errno, ENOSYS);
	EQUAL(access(folder, R_OK | X_OK), 0);
}

TEST(openat2_opens_the_device)
{
	struct open_how how = {.flags = O_RDWR};
	int at = must_open(folder, O_RDONLY | O_DIRECTORY);
	int fd = syscall(OPENAT2, AT_FDCWD, gntdev, &how, sizeof(how));

	if (fd < 0 && errno == ENOSYS)
		SKIP("this kernel has no openat2()");
	check_device(fd, gntdev);
	check_device(syscall(OPENAT2, at, "gntdev", &how, sizeof(how)),
		     "from the folder");
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	check_device(syscall(OPENAT2, at, "gntdev", &how, sizeof(how)),
		     "beneath the folder");
	EXPECT(outcome(syscall(OPENAT2, at, "../xen/gntdev", &how,
			       sizeof(how))),
	       -EXDEV);
	EXPECT(outcome(syscall(OPENAT2, at, gntdev, &how, sizeof(how))),
	       -EXDEV);
}
