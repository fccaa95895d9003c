// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a program is told of what the machine serves, by calls that name a path or
 * look at a descriptor. The kernel answers for the sockets in the machine's tree
 * (see places.h); of that only what tells a socket from a device is another.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/openat2.h>

#include "client.h"

/* Numbers such as misc devices have. */
#define MISC_MAJOR 10
#define FIRST_MINOR 64
#define MEM_MAJOR 1
#define KMSG_MINOR 11
#define DRM_MAJOR 226
#define DRM_MINOR 7

/* ---- stat ---- */

static bool is_device(enum served_file file)
{
	return file < FILE_CAPABILITIES || file == FILE_KMSG;
}

static dev_t number_of(enum served_file file)
{
	if (file == FILE_KMSG)
		return makedev(MEM_MAJOR, KMSG_MINOR);
	if (file == FILE_VGEM)
		return makedev(DRM_MAJOR, DRM_MINOR);

	return makedev(MISC_MAJOR, FIRST_MINOR + file);
}

/* What the kernel says of the socket, for what it stands for. */
static void correct(struct stat *status, enum served_file file)
{
	status->st_mode &= ~S_IFMT;
	if (is_device(file)) {
		status->st_mode |= S_IFCHR;
		status->st_rdev = number_of(file);
	} else {
		status->st_mode |= S_IFREG;
		status->st_size = PAGE;
	}
}

static void correct_extended(struct statx *status, enum served_file file)
{
	status->stx_mode &= ~S_IFMT;
	if (is_device(file)) {
		status->stx_mode |= S_IFCHR;
		status->stx_rdev_major = major(number_of(file));
		status->stx_rdev_minor = minor(number_of(file));
	} else {
		status->stx_mode |= S_IFREG;
		status->stx_size = PAGE;
	}
}

/* Where the process has left what the tree is good for, or has no rights there. */
static void describe(struct stat *status, enum served_file file)
{
	memset(status, 0, sizeof(*status));
	status->st_ino = file;
	status->st_nlink = 1;
	status->st_uid = geteuid();
	status->st_gid = getegid();
	status->st_blksize = PAGE;
	status->st_mode = is_device(file) ? 0600 : 0644;
	correct(status, file);
}

static void describe_extended(struct statx *status, enum served_file file)
{
	struct stat same;

	describe(&same, file);
	memset(status, 0, sizeof(*status));
	status->stx_mask = STATX_BASIC_STATS;
	status->stx_ino = same.st_ino;
	status->stx_nlink = same.st_nlink;
	status->stx_uid = same.st_uid;
	status->stx_gid = same.st_gid;
	status->stx_blksize = same.st_blksize;
	status->stx_mode = same.st_mode;
	correct_extended(status, file);
}

/* A dma-buf has no name, and no type but that of a file without one. */
static void describe_buffer(int fd, struct stat *status)
{
	status->st_mode = 0600;
	status->st_size = device_seek(fd, 0, SEEK_END);
}

void looks_correct(int fd, struct stat *status)
{
	enum served_file file;
	char at[PLACE_BYTES];
	int saved = errno;

	if (!S_ISSOCK(status->st_mode) || !channel_on())
		return;
	file = places_file_at(fd);
	if (file == FILE_DMABUF) {
		describe_buffer(fd, status);
	} else if (file) {
		if (places_at(file, at) &&
		    !raw(SYS_newfstatat, AT_FDCWD, at, status, 0))
			correct(status, file);
		else
			describe(status, file);
	}
	errno = saved;
}

static long give(void *to, const void *from, size_t size)
{
	if (place_give(to, from, size))
		return 0;
	errno = EFAULT;

	return -1;
}

/* By the call that the program makes: its own filter may allow no other. */
static bool status_of_fd(long number, int fd, void *to, long *result)
{
	struct stat status;

	*result = number == SYS_fstat
			  ? raw(SYS_fstat, fd, &status)
			  : raw(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH);
	if (!*result) {
		looks_correct(fd, &status);
		*result = give(to, &status, sizeof(status));
	}

	return true;
}

/* A path that the call is about, if it has one. */
struct named {
	char path[PATH_MAX];
	struct lead lead;
};

static bool find(int folder, long path, bool follow, struct named *named)
{
	return place_read((const char *)path, named->path) &&
	       places_find(folder, named->path, follow, &named->lead);
}

/* It is the descriptor that is meant, by no name or an empty one. */
static bool is_empty(long path, long flags)
{
	SCRATCH_PATH(name);

	return flags & AT_EMPTY_PATH &&
	       (!path || (place_read((const char *)path, name) && !*name));
}

/* Whether the failure is one of the tree alone. */
static bool is_out_of_reach(const struct lead *lead)
{
	return lead->file && (errno == ENOENT || errno == EACCES);
}

static bool status_of(int folder, long path, long to, long flags, long *result)
{
	SCRATCH_ONE(struct named, named);
	struct stat status;

	if (is_empty(path, flags) && folder >= 0)
		return status_of_fd(SYS_newfstatat, folder, (void *)to, result);
	if (!find(folder, path, !(flags & AT_SYMLINK_NOFOLLOW), named))
		return false;
	*result = raw(SYS_newfstatat, AT_FDCWD, named->lead.at, &status, flags);
	if (!*result && S_ISSOCK(status.st_mode) && named->lead.file)
		correct(&status, named->lead.file);
	else if (*result && is_out_of_reach(&named->lead))
		*result = (describe(&status, named->lead.file), 0);
	if (!*result)
		*result = give((void *)to, &status, sizeof(status));

	return true;
}

static bool extended_status_of(const long *a, long *result)
{
	SCRATCH_ONE(struct named, named);
	struct statx status;
	bool found;

	if (is_empty(a[1], a[2])) {
		named->lead.file = channel_on() ? places_file_at(a[0]) : 0;
		found = places_at(named->lead.file, named->lead.at);
	} else {
		found = find(a[0], a[1], !(a[2] & AT_SYMLINK_NOFOLLOW), named);
	}
	if (!found)
		return false;
	*result = raw(SYS_statx, AT_FDCWD, named->lead.at,
		      a[2] & ~AT_EMPTY_PATH, a[3], &status);
	if (!*result && named->lead.file)
		correct_extended(&status, named->lead.file);
	else if (*result && is_out_of_reach(&named->lead))
		*result = (describe_extended(&status, named->lead.file), 0);
	if (!*result)
		*result = give((void *)a[4], &status, sizeof(status));

	return true;
}

/* ---- open ---- */

static long open_lead(const struct lead *lead, long flags, long mode)
{
	long fd;

	if (lead->file && lead->at[strlen(lead->at) - 1] == '/') {
		errno = ENOTDIR;
		return -1;
	}
	if (lead->file && !(flags & O_PATH))
		return device_open(lead->file, flags);
	fd = raw(SYS_openat, AT_FDCWD, lead->at, flags, mode);
	/* A name of the device, which nothing can be asked of. */
	if (fd < 0 && flags & O_PATH && is_out_of_reach(lead))
		return raw(SYS_openat, AT_FDCWD, "/dev/null",
			   flags & (O_PATH | O_CLOEXEC));

	return fd;
}

static bool open_path(int folder, long path, long flags, long mode,
		      long *result)
{
	bool follow = !(flags & O_NOFOLLOW) &&
		      !(flags & O_CREAT && flags & O_EXCL);
	SCRATCH_ONE(struct named, named);

	*named->path = '\0';
	if (find(folder, path, follow, named)) {
		*result = open_lead(&named->lead, flags, mode);
		return true;
	}
	if (!channel_on() || strncmp(named->path, "/proc/", 6))
		return false;
	*result = device_open_proc(named->path, flags);

	return *result != -2;
}

/* What forbids leaving the folder forbids it here, too. */
static bool open_how(const long *a, long *result)
{
	struct open_how how = {0};
	SCRATCH_ONE(struct named, named);

	if ((size_t)a[3] < sizeof(how) ||
	    !place_take(&how, (void *)a[2], sizeof(how)) ||
	    !place_read((const char *)a[1], named->path))
		return false;
	if (how.resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH) &&
	    (*named->path == '/' || strstr(named->path, "..")))
		return false;

	return open_path(a[0], a[1], how.flags, how.mode, result);
}

/* ---- other calls that name a path ---- */

/* As it is, but of the tree's path. */
static bool ask_there(long number, const long *a, int folder, int path,
		      bool follow, long *result)
{
	SCRATCH_ONE(struct named, named);
	long b[6];

	if (!find(folder < 0 ? AT_FDCWD : a[folder], a[path], follow, named))
		return false;
	memcpy(b, a, sizeof(b));
	b[path] = (long)named->lead.at;
	*result = raw(number, b[0], b[1], b[2], b[3], b[4], b[5]);

	return true;
}

static bool access_of(long number, int folder, long path, long how, long flags,
		      long *result)
{
	SCRATCH_ONE(struct named, named);

	if (!find(folder, path, !(flags & AT_SYMLINK_NOFOLLOW), named))
		return false;
	*result = raw(number == SYS_faccessat2 ? number : SYS_faccessat,
		      AT_FDCWD, named->lead.at, how, flags);
	if (*result && errno == ENOENT && named->lead.file && !(how & X_OK))
		*result = 0;

	return true;
}

/* What the link of a device's descriptor says, in the place of a socket. */
static void rename_socket(const char *path, char *link)
{
	const char *slash = strrchr(path, '/');
	enum served_file file = places_file_of(slash ? slash + 1 : path, link);

	if (file)
		strcpy(link, places_name(file) ?: "/dmabuf:");
}

static bool link_of(int folder, long path, long to, long size, long *result)
{
	SCRATCH_ONE(struct named, named);
	char *link = named->lead.at;

	if (!place_read((const char *)path, named->path) || !channel_on() ||
	    size <= 0 || !place_may_look())
		return false;
	if (places_find(folder, named->path, false, &named->lead)) {
		*result = raw(SYS_readlinkat, AT_FDCWD, named->lead.at,
			      named->path, PATH_MAX - 1);
		link = named->path;
	} else {
		*result = raw(SYS_readlinkat, folder, named->path, link,
			      PATH_MAX - 1);
	}
	if (*result < 0)
		return true;
	link[*result] = '\0';
	if (places_is_socket(link))
		rename_socket(named->path, link);
	places_rename(link);
	*result = strlen(link);
	if (*result > size)
		*result = size;
	if (give((void *)to, link, *result))
		*result = -1;

	return true;
}

static bool folder_now(void *to, size_t size, long *result)
{
	SCRATCH_PATH(path);

	*result = raw(SYS_getcwd, path, PATH_MAX);
	if (*result < 0 || !places_rename(path))
		return false;
	*result = strlen(path) + 1;
	if ((size_t)*result > size) {
		errno = ERANGE;
		*result = -1;
	} else if (give(to, path, *result)) {
		*result = -1;
	}

	return true;
}

/* ---- listings ---- */

/* How many a folder at a descriptor has had behind the kernel's. */
static atomic_uint listed[1024];

static atomic_uint *listed_at(int fd)
{
	return &listed[(unsigned int)fd % (sizeof(listed) / sizeof(*listed))];
}

void looks_goes_on(int fd)
{
	if (atomic_load_explicit(listed_at(fd), memory_order_relaxed))
		atomic_store(listed_at(fd), 0);
}

const char *looks_listed(int fd, uint64_t *inode, unsigned char *type)
{
	unsigned int index = atomic_load(listed_at(fd));
	int saved = errno;
	const char *name = NULL;
	char at[PLACE_BYTES];
	struct stat status;

	if (channel_on())
		name = places_lack(fd, &index, at);
	atomic_store(listed_at(fd), index);
	if (name) {
		*type = DT_DIR;
		*inode = 1;
		if (!raw(SYS_newfstatat, AT_FDCWD, at, &status, 0)) {
			*inode = status.st_ino;
			*type = S_ISDIR(status.st_mode) ? DT_DIR : DT_CHR;
		}
	}
	errno = saved;

	return name;
}

unsigned char looks_type_in(const char *folder, const char *name)
{
	SCRATCH_ONE(struct named, named);

	if (strlen(folder) + strlen(name) + 2 > PATH_MAX)
		return DT_SOCK;
	strcpy(named->path, folder);
	strcat(strcat(named->path, "/"), name);
	if (!places_find(AT_FDCWD, named->path, false, &named->lead) ||
	    !named->lead.file)
		return DT_SOCK;

	return is_device(named->lead.file) ? DT_CHR : DT_REG;
}

unsigned char looks_type(int fd, const char *name)
{
	SCRATCH_PATH(folder);

	if (!channel_on() || !places_path_of(fd, folder) ||
	    !places_rename(folder))
		return DT_SOCK;

	return looks_type_in(folder, name);
}

#define ENTRY_BYTES 32 /* of one that a listing lacks: the names are short */

static long one_more(int fd, char *to, size_t size)
{
	struct dirent64 entry;
	const char *name;

	if (size < ENTRY_BYTES) {
		errno = EINVAL;
		return -1;
	}
	memset(&entry, 0, sizeof(entry));
	name = looks_listed(fd, &entry.d_ino, &entry.d_type);
	if (!name)
		return 0;
	entry.d_off = INT_MAX;
	entry.d_reclen = ENTRY_BYTES;
	strcpy(entry.d_name, name);

	return give(to, &entry, ENTRY_BYTES) ? -1 : ENTRY_BYTES;
}

static void correct_types(int fd, char *bytes, long size)
{
	struct dirent64 *entry;

	for (char *at = bytes; at < bytes + size; at += entry->d_reclen) {
		entry = (struct dirent64 *)at;
		if (entry->d_type == DT_SOCK)
			entry->d_type = looks_type(fd, entry->d_name);
	}
}

static bool entries_of(int fd, char *to, size_t size, long *result)
{
	*result = raw(SYS_getdents64, fd, to, size);
	if (!channel_on() || *result < 0)
		return true;
	if (*result) {
		looks_goes_on(fd);
		correct_types(fd, to, *result);
	} else {
		*result = one_more(fd, to, size);
	}

	return true;
}

/* ---- by number ---- */

static bool call_by_path(long number, const long *a, long *result)
{
	switch (number) {
	case SYS_faccessat:
		return access_of(number, a[0], a[1], a[2], 0, result);
	case SYS_faccessat2:
		return access_of(number, a[0], a[1], a[2], a[3], result);
	case SYS_readlinkat:
		return link_of(a[0], a[1], a[2], a[3], result);
	case SYS_getcwd:
		return folder_now((void *)a[0], a[1], result);
	case SYS_getdents64:
		return entries_of(a[0], (char *)a[1], a[2], result);
	case SYS_chdir:
	case SYS_statfs:
	case SYS_getxattr:
	case SYS_listxattr:
		return ask_there(number, a, -1, 0, true, result);
	case SYS_lgetxattr:
	case SYS_llistxattr:
		return ask_there(number, a, -1, 0, false, result);
	case SYS_inotify_add_watch:
		return ask_there(number, a, -1, 1, true, result);
	case SYS_fchmodat:
		return ask_there(number, a, 0, 1, true, result);
	case SYS_fchownat:
		return ask_there(number, a, 0, 1, !(a[4] & AT_SYMLINK_NOFOLLOW),
				 result);
	default:
		return false;
	}
}

#ifdef SYS_open
/* Those that are there for programs of long ago. */
static bool call_former(long number, const long *a, long *result)
{
	switch (number) {
	case SYS_open:
		return open_path(AT_FDCWD, a[0], a[1], a[2], result);
	case SYS_creat:
		return open_path(AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC,
				 a[1], result);
	case SYS_stat:
		return status_of(AT_FDCWD, a[0], a[1], 0, result);
	case SYS_lstat:
		return status_of(AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW,
				 result);
	case SYS_access:
		return access_of(number, AT_FDCWD, a[0], a[1], 0, result);
	case SYS_readlink:
		return link_of(AT_FDCWD, a[0], a[1], a[2], result);
	case SYS_chmod:
	case SYS_chown:
		return ask_there(number, a, -1, 0, true, result);
	case SYS_lchown:
		return ask_there(number, a, -1, 0, false, result);
	default:
		return call_by_path(number, a, result);
	}
}
#else
#define call_former call_by_path
#endif

bool looks_call(long number, const long *a, long *result)
{
	switch (number) {
	case SYS_openat:
		return open_path(a[0], a[1], a[2], a[3], result);
	case SYS_openat2:
		return open_how(a, result);
	case SYS_newfstatat:
		return status_of(a[0], a[1], a[2], a[3], result);
	case SYS_fstat:
		return status_of_fd(number, a[0], (void *)a[1], result);
	case SYS_statx:
		return extended_status_of(a, result);
	default:
		return call_former(number, a, result);
	}
}
