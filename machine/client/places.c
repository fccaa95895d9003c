// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where a path leads: to a file that the machine serves, to a folder of such, or
 * somewhere else. The kernel has these in the machine's directory (see places.h);
 * programs find them at the root, by whatever spelling.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../places.h"
#include "client.h"

/* As many as the kernel follows. */
#define LINKS 40

static const struct {
	const char *path;
	enum served_file file;
} served[] = {
#define ENTRY(path, file) {path, file},
	SERVED_PATHS(ENTRY)
#undef ENTRY
};

/* What comes into folders that are the system's own. */
static const struct {
	const char *folder, *name;
} tops[] = {
	{"/dev", "xen"},
	{"/dev", "kmsg"},
	{"/dev/dri", "card7"},
	{"/proc", "xen"},
	{"/proc/driver", "xen-gntdev"},
	{"/sys", "hypervisor"},
	{"/sys/module", "xen_gntdev"},
	{"/sys/module", "xen_gntalloc"},
	{"/sys/class/misc", "xen!gntdev"},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char tree[128];
static size_t tree_length;
/* Paths may begin in the tree: a working directory, or a folder's descriptor. */
static atomic_bool entered;

void places_begin(const char *folder)
{
	char path[PATH_MAX];

	if (strlen(folder) + sizeof("/" PLACES_FOLDER) > sizeof(tree))
		return;
	strcpy(tree, folder);
	strcat(tree, "/" PLACES_FOLDER);
	tree_length = strlen(tree);
	entered = places_path_of(AT_FDCWD, path) && places_rename(path);
}

/* Whether it is that path, or what is below it. */
static bool is_below(const char *path, const char *top, size_t length)
{
	return !strncmp(path, top, length) &&
	       (!path[length] || path[length] == '/');
}

bool places_rename(char *path)
{
	if (!tree_length || !is_below(path, tree, tree_length))
		return false;
	memmove(path, path + tree_length, strlen(path + tree_length) + 1);
	if (!*path)
		strcpy(path, "/");

	return true;
}

static bool is_top(const char *path, size_t i)
{
	size_t length = strlen(tops[i].folder), name = strlen(tops[i].name);

	return !strncmp(path, tops[i].folder, length) && path[length] == '/' &&
	       is_below(path + length + 1, tops[i].name, name);
}

static bool is_ours(const char *path)
{
	for (size_t i = 0; i < COUNT(tops); i++) {
		if (is_top(path, i))
			return true;
	}

	return false;
}

static enum served_file file_of(const char *path)
{
	for (size_t i = 0; i < COUNT(served); i++) {
		if (!strcmp(path, served[i].path))
			return served[i].file;
	}

	return 0;
}

const char *places_name(enum served_file file)
{
	for (size_t i = 0; i < COUNT(served); i++) {
		if (served[i].file == file)
			return served[i].path;
	}

	return NULL;
}

bool places_at(enum served_file file, char at[PLACE_BYTES])
{
	const char *name = places_name(file);

	if (!tree_length || !name)
		return false;
	strcpy(at, tree);
	strcat(at, name);

	return true;
}

bool places_path_of(int fd, char *path)
{
	char link[40];
	long length;

	if (fd == AT_FDCWD)
		strcpy(link, "/proc/self/cwd");
	else
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = raw(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
	if (length <= 0)
		return false;
	path[length] = '\0';

	return true;
}

static enum served_file named_at(int fd)
{
	SCRATCH_PATH(path);

	if (!places_path_of(fd, path) || !places_rename(path))
		return 0;

	return file_of(path);
}

enum served_file places_file_at(int fd)
{
	struct device device;

	return device_at(fd, &device) ? device.file : named_at(fd);
}

#define SOCKET "socket:["

bool places_is_socket(const char *link)
{
	return !strncmp(link, SOCKET, sizeof(SOCKET) - 1);
}

enum served_file places_file_of(const char *name, const char *link)
{
	struct device device;
	char *end;
	unsigned long fd = strtoul(name, &end, 10);

	if (end == name || *end || fd > INT_MAX || !device_at(fd, &device) ||
	    strtoul(link + sizeof(SOCKET) - 1, NULL, 10) != device.inode)
		return 0;

	return device.file;
}

/* ---- one spelling ---- */

/* The part that @path begins with, and what is behind it. */
static const char *next_part(const char *path, const char **part,
			     size_t *length)
{
	while (*path == '/')
		path++;
	*part = path;
	while (*path && *path != '/')
		path++;
	*length = path - *part;

	return path;
}

static bool is_dot(const char *part, size_t length)
{
	return length == 1 && *part == '.';
}

static bool is_dots(const char *part, size_t length)
{
	return length == 2 && part[0] == '.' && part[1] == '.';
}

static void cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

static bool append(char *path, size_t size, const char *part, size_t length)
{
	size_t at = strlen(path);

	if (at + length + 2 > size)
		return false;
	path[at] = '/';
	memcpy(path + at + 1, part, length);
	path[at + 1 + length] = '\0';

	return true;
}

/*
 * The one spelling of an absolute path; false if that takes more than reading it,
 * as what is before ".." may be a link.
 */
static bool shorten(const char *path, char *to, size_t size)
{
	const char *part;
	size_t length;

	*to = '\0';
	for (;;) {
		path = next_part(path, &part, &length);
		if (!length)
			return true;
		if (is_dots(part, length))
			return false;
		if (!is_dot(part, length) && !append(to, size, part, length))
			return false;
	}
}

/* ---- the kernel's way through links ---- */

struct walk {
	char rest[PATH_MAX]; /* of the path: what is still to be gone */
	char link[PATH_MAX];
	bool follow;
	bool through; /* it has been in the tree */
	unsigned int links;
};

/* The link of such a descriptor is its socket. */
static bool is_open_device(const struct walk *walk, struct lead *lead)
{
	const char *name =
		places_name(places_file_of(strrchr(lead->path, '/') + 1,
					   walk->link));

	if (name)
		strcpy(lead->path, name);

	return name;
}

/* Whether something of ours may be below what is not there. */
static bool is_above(const char *path)
{
	for (size_t i = 0; i < COUNT(tops); i++) {
		if (is_below(tops[i].folder, path, strlen(path)))
			return true;
	}

	return false;
}

static void set_at(struct lead *lead)
{
	strcpy(lead->at, is_ours(lead->path) ? tree : "");
	strcat(lead->at, lead->path);
}

/* The part that lead->path ends with; -1: none, 0: no link, 1: on with the rest. */
static int read_part(struct walk *walk, struct lead *lead)
{
	long length;

	/* No links are in the tree, but what programs have put there. */
	set_at(lead);
	walk->through |= is_ours(lead->path);
	length = raw(SYS_readlinkat, AT_FDCWD, lead->at, walk->link,
		     PATH_MAX - 1);
	if (length < 0 && errno == ENOENT && *walk->rest &&
	    !is_above(lead->path))
		return -1;
	if (length < 0)
		return 0;
	walk->link[length] = '\0';
	if (++walk->links > LINKS)
		return -1;
	places_rename(walk->link);

	return 1;
}

static bool follow(struct walk *walk, struct lead *lead)
{
	size_t length = strlen(walk->link);

	if (length + strlen(walk->rest) + 2 > PATH_MAX)
		return false;
	if (*walk->rest) {
		walk->link[length] = '/';
		strcpy(walk->link + length + 1, walk->rest);
	}
	strcpy(walk->rest, walk->link);
	if (*walk->rest == '/')
		*lead->path = '\0';
	else
		cut(lead->path);

	return true;
}

static bool append_rest(struct walk *walk, struct lead *lead)
{
	if (strlen(lead->path) + strlen(walk->rest) + tree_length + 2 >
	    PATH_MAX)
		return false;
	strcat(lead->path, walk->rest);
	*walk->rest = '\0';

	return true;
}

static bool step(struct walk *walk, struct lead *lead, const char *part,
		 size_t length)
{
	const char *rest = part + length;
	bool last = !*rest;
	int found;

	if (is_dot(part, length) || is_dots(part, length)) {
		if (length == 2)
			cut(lead->path);
		memmove(walk->rest, rest, strlen(rest) + 1);
		return true;
	}
	if (strlen(lead->path) + length + tree_length + 2 > PATH_MAX ||
	    !append(lead->path, PATH_MAX, part, length))
		return false;
	memmove(walk->rest, rest, strlen(rest) + 1);
	if (last && !walk->follow)
		return true;
	/* What is below a file the kernel shall refuse. */
	if (!last && file_of(lead->path))
		return append_rest(walk, lead);
	found = read_part(walk, lead);
	if (found <= 0)
		return !found;
	if (places_is_socket(walk->link))
		return last && is_open_device(walk, lead);

	return follow(walk, lead);
}

static bool go(int folder, const char *path, bool follows, struct lead *lead)
{
	SCRATCH_ONE(struct walk, walk);
	const char *part;
	size_t length;

	walk->follow = follows;
	walk->through = false;
	walk->links = 0;
	*lead->path = '\0';
	if (*path != '/') {
		if (!places_path_of(folder, lead->path) || *lead->path != '/')
			return false;
		walk->through = places_rename(lead->path);
		if (!strcmp(lead->path, "/"))
			*lead->path = '\0';
	}
	strcpy(walk->rest, path);
	for (;;) {
		next_part(walk->rest, &part, &length);
		if (!length && !*lead->path)
			strcpy(lead->path, "/");
		if (!length)
			return walk->through || is_ours(lead->path);
		if (!step(walk, lead, part, length))
			return false;
	}
}

/* ---- what is worth the way ---- */

static bool ends_with(const char *path, const char *part, size_t length)
{
	size_t all = strlen(path);

	return all > length && path[all - length - 1] == '/' &&
	       !strncmp(path + all - length, part, length);
}

static bool is_tops_name(const char *part, size_t length)
{
	for (size_t i = 0; i < COUNT(tops); i++) {
		if (*part == *tops[i].name &&
		    !strncmp(part, tops[i].name, length) &&
		    !tops[i].name[length])
			return true;
	}

	return false;
}

/*
 * Whether it has a name of a folder that is served, or ends in that of a file, or
 * may leave where the tree is.
 */
static bool has_our_name(const char *path)
{
	const char *part, *last = path;
	size_t length, size = 0;

	while (path = next_part(path, &part, &length), length) {
		if (is_dots(part, length) && atomic_load(&entered))
			return true;
		if (is_dot(part, length) || is_dots(part, length))
			continue;
		if (is_tops_name(part, length))
			return true;
		last = part;
		size = length;
	}
	for (size_t i = 0; size && i < COUNT(served); i++) {
		if (ends_with(served[i].path, last, size))
			return true;
	}

	return false;
}

static bool is_link(int folder, const char *path)
{
	char byte;

	return raw(SYS_readlinkat, folder, path, &byte, 1) >= 0;
}

/* Whether that may be by a link at its end, which is to be asked of the kernel. */
static bool may_be_link(int folder, const char *path)
{
	return channel_on() && place_may_look() && is_link(folder, path);
}

/* Links of descriptors: the kernel finds something else behind them. */
static bool is_of_descriptors(const char *path)
{
	return !strncmp(path, "/proc/", 6) || !strncmp(path, "/dev/fd/", 8);
}

bool places_maybe(int folder, const char *path, bool follow)
{
	int saved = errno;
	bool may;

	if (!path || !*path)
		return false;
	may = has_our_name(path) ||
	      (follow && is_of_descriptors(path) && may_be_link(folder, path));
	errno = saved;

	return may;
}

/* Libraries' constructors may want devices before ours has been called. */
static bool look(int folder, const char *path, bool follow, struct lead *lead)
{
	if (!*path ||
	    !(has_our_name(path) || (follow && may_be_link(folder, path))))
		return false;
	process_begin();
	if (!channel_on() || !tree_length)
		return false;
	if (*path == '/' && shorten(path, lead->path, PATH_MAX - tree_length) &&
	    is_ours(lead->path))
		return true;

	return place_may_look() && go(folder, path, follow, lead);
}

bool places_find(int folder, const char *path, bool follow, struct lead *lead)
{
	size_t length = strlen(path);
	int saved = errno;
	bool found = look(folder, path, follow, lead);

	errno = saved;
	if (!found)
		return false;
	lead->file = file_of(lead->path);
	set_at(lead);
	/* Only a folder's name may end so. */
	if (path[length - 1] == '/' && strlen(lead->at) + 2 < PATH_MAX)
		strcat(lead->at, "/");
	if (!lead->file)
		atomic_store(&entered, true);

	return true;
}

/* ---- listings ---- */

static bool is_real(size_t i)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", tops[i].folder, tops[i].name);

	return !raw(SYS_faccessat, AT_FDCWD, path, F_OK);
}

const char *places_lack(int fd, unsigned int *index, char at[PLACE_BYTES])
{
	char link[40], folder[64];
	long length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length =
		raw(SYS_readlinkat, AT_FDCWD, link, folder, sizeof(folder) - 1);
	folder[length < 0 ? 0 : length] = '\0';
	while (tree_length && *index < COUNT(tops)) {
		size_t i = (*index)++;

		if (strcmp(folder, tops[i].folder) || is_real(i))
			continue;
		snprintf(at, PLACE_BYTES, "%s%s/%s", tree, folder,
			 tops[i].name);
		return tops[i].name;
	}

	return NULL;
}
