// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The machine's directory, from its server's side. It was looked at when it was
 * opened; from then on all in it is found from the open directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../trust.h"
#include "server.h"

static int directory = -1;

char *server_path(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", server.folder, name) < 0)
		server_fail("no memory");

	return path;
}

/* A file of the machine's, made if there is none. */
static int open_file(const char *name)
{
	char why[1024];
	int fd = trust_file(directory, name, O_CREAT, why, sizeof(why));

	if (fd < 0)
		server_fail("%s/%s", server.folder, why);

	return fd;
}

/* What a server leaves in its lock, or nothing at all. */
static bool is_a_lock(int fd, bool *new)
{
	char text[32] = "";
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	*new = !size;

	return size == 0 || (size > 0 && size < 16 &&
			     strspn(text, "0123456789\n") == (size_t)size);
}

/*
 * Held as long as the server lives, however it ends. Returns whether it was
 * there before.
 */
static bool take_lock(void)
{
	int fd = open_file(LOCK_FILE);
	bool new;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			server_fail("busy");
		server_fail("%s/" LOCK_FILE ": cannot lock: %s", server.folder,
			    strerror(errno));
	}
	if (!is_a_lock(fd, &new))
		server_fail(
			"%s/" LOCK_FILE
			": is there and is no machine's: not a machine's directory",
			server.folder);
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0)
		server_fail("%s/" LOCK_FILE ": %s", server.folder,
			    strerror(errno));

	return !new;
}

/*
 * Complaints of every kind go there, those of sanitizers too. A former
 * machine's is begun anew, anything else of that name is not.
 */
static void open_log(bool again)
{
	int fd = open_file(LOG_FILE);
	struct stat status;

	if (!again && (fstat(fd, &status) || status.st_size))
		server_fail("%s/" LOG_FILE ": is there, but no " LOCK_FILE
			    ": not a machine's directory",
			    server.folder);
	if (ftruncate(fd, 0) || fcntl(fd, F_SETFL, O_APPEND))
		server_fail("%s/" LOG_FILE ": %s", server.folder,
			    strerror(errno));
	dup2(fd, STDERR_FILENO);
	close(fd);
	setvbuf(stderr, NULL, _IOLBF, 0);
}

void folder_take(void)
{
	char why[1024];

	directory = trust_folder(server.folder, why, sizeof(why));
	if (directory < 0)
		server_fail("%s", why);
	open_log(take_lock());
	tree_make(directory);
}

int server_listen(const char *name)
{
	int type = SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct sockaddr_un address;
	char why[1024];
	int fd;

	/* We have the lock: what is there is of a server that is gone. */
	if (trust_socket(directory, name, &address, why, sizeof(why)))
		unlinkat(directory, name, 0);
	else if (*why)
		server_fail("%s/%s", server.folder, why);

	type |= strcmp(name, XENSTORE_FILE) ? SOCK_SEQPACKET : SOCK_STREAM;
	fd = socket(AF_UNIX, type, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1024) < 0)
		server_fail("%s/%s: cannot listen: %s", server.folder, name,
			    strerror(errno));

	return fd;
}

int folder_make(const char *name)
{
	int fd;

	if (mkdirat(directory, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(directory, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);

	return 0;
}

void folder_remove(const char *name)
{
	if (unlinkat(directory, name, 0) && errno == EISDIR)
		unlinkat(directory, name, AT_REMOVEDIR);
}

/* The lock stays: to remove it would let two servers have one each. */
void folder_clean(bool private)
{
	folder_remove(SOCKET_FILE);
	tree_remove(directory, private);
	xenstore_clean();
	if (!private)
		return;
	folder_remove(LOG_FILE);
	folder_remove(LOCK_FILE);
	rmdir(server.folder);
}
