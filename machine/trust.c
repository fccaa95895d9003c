// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Whose a folder, a file or the other end of a socket is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trust.h"

/* What @status says is the user's, and not to be written by anybody else. */
static bool is_own(const char *name, const struct stat *status, char *why,
		   size_t size)
{
	if (status->st_uid != geteuid()) {
		snprintf(why, size,
			 "%s: belongs to user %u, not to user %u, who runs this",
			 name, status->st_uid, geteuid());
		return false;
	}
	if (!S_ISSOCK(status->st_mode) && status->st_mode & 022) {
		snprintf(why, size,
			 "%s: can be written by others (mode %o): chmod go-w, or choose another directory",
			 name, status->st_mode & 07777);
		return false;
	}

	return true;
}

int trust_folder(const char *path, char *why, size_t size)
{
	struct stat status;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &status) && is_own(path, &status, why, size))
		return fd;
	if (fd >= 0) {
		close(fd);
		return -1;
	}
	if (errno == ENOTDIR && !lstat(path, &status) &&
	    S_ISLNK(status.st_mode))
		snprintf(why, size,
			 "%s: is a symbolic link, which may lead anywhere: name the directory itself",
			 path);
	else if (errno == ENOTDIR)
		snprintf(why, size,
			 "%s: is not a directory, so no machine can be in it",
			 path);
	else
		snprintf(why, size, "%s: %s", path, strerror(errno));

	return -1;
}

/* A file that is known by one name only, and by nobody else. */
static bool is_plain(const char *name, const struct stat *status, char *why,
		     size_t size)
{
	if (!S_ISREG(status->st_mode)) {
		snprintf(why, size,
			 "%s: is there and is not a regular file: not a machine's directory",
			 name);
		return false;
	}
	if (status->st_nlink > 1) {
		snprintf(why, size,
			 "%s: has %lu names: it is not the machine's alone",
			 name, (unsigned long)status->st_nlink);
		return false;
	}

	return is_own(name, status, why, size);
}

int trust_file(int folder, const char *name, int flags, char *why, size_t size)
{
	struct stat status;
	int fd;

	/* O_RDWR: a FIFO keeps nobody waiting. */
	fd = openat(folder, name,
		    flags | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			    O_CLOEXEC,
		    0600);
	if (fd < 0 && errno == ELOOP) {
		snprintf(why, size,
			 "%s: is a symbolic link: not a machine's directory",
			 name);
		return -1;
	}
	if (fd < 0) {
		snprintf(why, size, "%s: %s", name, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status))
		snprintf(why, size, "%s: %s", name, strerror(errno));
	else if (is_plain(name, &status, why, size))
		return fd;
	close(fd);

	return -1;
}

/* By the open directory, whatever is at its path by now. */
void trust_address(int folder, const char *name, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path),
		 "/proc/self/fd/%d/%s", folder, name);
}

bool trust_socket(int folder, const char *name, struct sockaddr_un *address,
		  char *why, size_t size)
{
	struct stat status;

	*why = '\0';
	trust_address(folder, name, address);
	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW)) {
		if (errno != ENOENT)
			snprintf(why, size, "%s: %s", name, strerror(errno));
		return false;
	}
	if (!S_ISSOCK(status.st_mode)) {
		snprintf(why, size,
			 "%s: is there and is not a socket: not a machine's directory",
			 name);
		return false;
	}

	return is_own(name, &status, why, size);
}

bool trust_peer(int fd, pid_t *pid, char *why, size_t size)
{
	struct ucred ucred;
	socklen_t length = sizeof(ucred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &length)) {
		snprintf(why, size, "SO_PEERCRED: %s", strerror(errno));
		return false;
	}
	*pid = ucred.pid;
	/* Root needs no machine to do as it likes. */
	if (ucred.uid != geteuid() && ucred.uid) {
		snprintf(why, size,
			 "the other end is of user %u, this one of user %u: a machine is its user's alone",
			 ucred.uid, geteuid());
		return false;
	}

	return true;
}
