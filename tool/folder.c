// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Where a machine is, and where the parts of gntdev are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../machine/trust.h"
#include "tool.h"

/* The longest name in it that a socket has. */
#define LONGEST "/" XENSTORED_FOLDER "/socket"

static void check_folder(const char *folder)
{
	size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);

	if (access(folder, R_OK | W_OK | X_OK))
		die(STATUS_FAILED, "%s: %s", folder, strerror(errno));
	if (strlen(folder) + sizeof(LONGEST) > room)
		die(STATUS_FAILED,
		    "%s: the path has %zu bytes, a machine's may have %zu",
		    folder, strlen(folder), room - sizeof(LONGEST));
}

/* The first of the usual places that can be written to. */
static char *private_folder(void)
{
	const char *places[] = {
		getenv("XDG_RUNTIME_DIR"),
		getenv("TMPDIR"),
		"/tmp",
	};
	char *folder = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (!places[i] || *places[i] != '/' || strlen(places[i]) > 60 ||
		    access(places[i], W_OK | X_OK))
			continue;
		if (asprintf(&folder, "%s/gntdev-XXXXXX", places[i]) < 0)
			die(STATUS_FAILED, "no memory");
		if (mkdtemp(folder))
			return folder;
		free(folder);
	}

	die(STATUS_FAILED,
	    "no place for a machine: cannot make a directory in $XDG_RUNTIME_DIR, $TMPDIR or /tmp: %s",
	    strerror(errno));
}

/* Without what would make a symbolic link at its end be followed. */
static char *bare_path(const char *path)
{
	char *bare = strdup(path);
	size_t length;

	if (!bare)
		die(STATUS_FAILED, "no memory");
	length = strlen(bare);
	while (length > 1 &&
	       (bare[length - 1] == '/' ||
		(bare[length - 1] == '.' && bare[length - 2] == '/')))
		bare[--length] = '\0';

	return bare;
}

/* Where an open directory is. */
static char *path_of(int fd)
{
	char name[64], *path;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = realpath(name, NULL);
	if (!path)
		die(STATUS_FAILED, "%s: %s: is /proc mounted?", name,
		    strerror(errno));

	return path;
}

void folder_choose(struct machine *machine, const struct options *options)
{
	char why[1024], *path;

	if (!options->machine) {
		path = private_folder();
		machine->private = true;
	} else {
		path = bare_path(options->machine);
		if (!options->list && mkdir(path, 0700) && errno != EEXIST)
			die(STATUS_FAILED, "%s: %s", path, strerror(errno));
	}
	machine->directory = trust_folder(path, why, sizeof(why));
	if (machine->directory < 0)
		die(STATUS_FAILED, "%s", why);
	free(path);
	machine->folder = path_of(machine->directory);
	check_folder(machine->folder);
}

int folder_connect(const struct machine *machine, const char *name, int type)
{
	struct sockaddr_un address;
	char why[1024];
	pid_t pid;
	int fd;

	if (!trust_socket(machine->directory, name, &address, why,
			  sizeof(why))) {
		if (*why)
			die(STATUS_FAILED, "%s/%s", machine->folder, why);
		return -1;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die(STATUS_FAILED, "cannot make a socket: %s", strerror(errno));
	server_hurry(fd);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		if (errno == ENOENT || errno == ECONNREFUSED)
			return -1;
		/* What is there is no server's socket. */
		if (errno == EPROTOTYPE || errno == ENOTSOCK)
			die(STATUS_FAILED,
			    "%s/%s: is not of a machine's server",
			    machine->folder, name);
		if (errno == EAGAIN)
			die(STATUS_FAILED,
			    "%s: its server has taken no connection for %d seconds",
			    machine->folder, PATIENCE_MS / 1000);
		die(STATUS_FAILED, "%s/%s: %s", machine->folder, name,
		    strerror(errno));
	}
	if (!trust_peer(fd, &pid, why, sizeof(why)))
		die(STATUS_FAILED, "%s/%s: %s", machine->folder, name, why);

	return fd;
}

static void remove_all(const char *folder)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *open = opendir(folder);

	while (open && (entry = readdir(open))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (unlink(path) && (errno == EISDIR || errno == EPERM))
			remove_all(path);
	}
	if (open)
		closedir(open);
	rmdir(folder);
}

/* A server that ends as it should has done it. */
void folder_remove(const struct machine *machine)
{
	if (machine->private)
		remove_all(machine->folder);
}

char *folder_part(const char *name)
{
	static const char *const places[] = {"", "/../lib/gntdev"};
	char self[PATH_MAX], *path;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		die(STATUS_FAILED, "/proc/self/exe: %s: is /proc mounted?",
		    strerror(errno));
	self[length] = '\0';
	*strrchr(self, '/') = '\0';

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (asprintf(&path, "%s%s/%s", self, places[i], name) < 0)
			die(STATUS_FAILED, "no memory");
		if (!access(path, R_OK))
			return path;
		free(path);
	}

	die(STATUS_FAILED, "%s: not found in %s, nor in ../lib/gntdev of it",
	    name, self);
}
