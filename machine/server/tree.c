// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The tree of what is served, in the machine's directory, see places.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../places.h"
#include "server.h"

static const struct {
	const char *path;
	enum served_file file;
} served[] = {
#define ENTRY(path, file) {path, file},
	SERVED_PATHS(ENTRY)
#undef ENTRY
};

#define COUNT (sizeof(served) / sizeof(*served))

static void name_of(size_t i, char *name, size_t size)
{
	snprintf(name, size, PLACES_FOLDER "%s", served[i].path);
}

static void check(int error, const char *name)
{
	if (error && errno != EEXIST)
		server_fail("%s/%s: cannot make it: %s", server.folder, name,
			    strerror(errno));
}

/* All folders above it. */
static void make_folders(int directory, char *name)
{
	for (char *slash = name; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		check(mkdirat(directory, name, 0755), name);
		*slash = '/';
	}
}

static mode_t mode_of(enum served_file file)
{
	if (file < FILE_CAPABILITIES || file == FILE_XSD_KVA)
		return 0600;
	if (file == FILE_HOLDINGS)
		return 0400;

	return served_is_setting(file) || file == FILE_KMSG ? 0644 : 0444;
}

void tree_make(int directory)
{
	mode_t before = umask(0), mode;
	char name[PATH_MAX];

	for (size_t i = 0; i < COUNT; i++) {
		name_of(i, name, sizeof(name));
		make_folders(directory, name);
		mode = mode_of(served[i].file);
		check(mknodat(directory, name, S_IFSOCK | mode, 0), name);
	}
	umask(before);
}

static void remove_all(int directory, const char *name)
{
	int fd = openat(directory, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    unlinkat(fd, entry->d_name, 0))
			remove_all(fd, entry->d_name);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	unlinkat(directory, name, AT_REMOVEDIR);
}

/* In a folder of the user's own, only what is ours. */
void tree_remove(int directory, bool private)
{
	char name[PATH_MAX], *slash;

	if (private) {
		remove_all(directory, PLACES_FOLDER);
		return;
	}
	for (size_t i = COUNT; i--;) {
		name_of(i, name, sizeof(name));
		unlinkat(directory, name, 0);
		while ((slash = strrchr(name, '/'))) {
			*slash = '\0';
			if (unlinkat(directory, name, AT_REMOVEDIR))
				break;
		}
	}
}
