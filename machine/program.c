// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What kind of program a file is: whether the client's library can serve it. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "program.h"
#include "raw.h"

/* As the kernel: a script's interpreter may be a script. */
#define DEPTH 5

typedef ElfW(Ehdr) header_t;
typedef ElfW(Phdr) segment_t;

#if __SIZEOF_POINTER__ == 8
#define CLASS ELFCLASS64
#else
#define CLASS ELFCLASS32
#endif

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define LOADER "ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define LOADER "ld-linux-aarch64.so.1"
#elif defined(__i386__)
#define MACHINE EM_386
#define LOADER "ld-linux.so.2"
#else
#error "gntdev run: no such processor is known here"
#endif

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Replaces a script's name by its interpreter's; false if it has none. */
static bool follow_script(int fd, char *path, size_t size)
{
	char line[256];
	ssize_t got = pread(fd, line, sizeof(line) - 1, 0);
	char *name;

	if (got < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	name = line + 2 + strspn(line + 2, " \t");
	name[strcspn(name, " \t")] = '\0';
	if (!*name || strlen(name) >= size)
		return false;
	strcpy(path, name);

	return true;
}

/* Whether the file has a note of the Go toolchain's. */
static bool has_go_note(int fd, const segment_t *segment)
{
	ElfW(Nhdr) note;
	ElfW(Off) at = segment->p_offset;
	char owner[4];

	while (at + sizeof(note) <= segment->p_offset + segment->p_filesz) {
		if (pread(fd, &note, sizeof(note), at) != sizeof(note))
			return false;
		if (note.n_namesz == sizeof(owner) &&
		    pread(fd, owner, sizeof(owner), at + sizeof(note)) ==
			    sizeof(owner) &&
		    !memcmp(owner, "Go\0", sizeof(owner)))
			return true;
		at += sizeof(note) + ((note.n_namesz + 3) & ~3U) +
		      ((note.n_descsz + 3) & ~3U);
	}

	return false;
}

static bool is_our_loader(int fd, const segment_t *segment)
{
	char name[256] = "";
	size_t size = segment->p_filesz;

	if (size >= sizeof(name))
		return false;

	return pread(fd, name, size, segment->p_offset) == (ssize_t)size &&
	       !strcmp(base_of(name), LOADER);
}

/* Whether it asks for libraries: cgo's programs do, most other Go programs not. */
static bool has_libraries(int fd, const segment_t *segment)
{
	ElfW(Off) at = segment->p_offset;
	ElfW(Dyn) entry;

	for (; at + sizeof(entry) <= segment->p_offset + segment->p_filesz;
	     at += sizeof(entry)) {
		if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry) ||
		    entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == DT_NEEDED)
			return true;
	}

	return false;
}

#define PAGE 4096u
/* As much of a program's text is looked at. */
#define MOST_TEXT (8u << 20)

#if defined(__x86_64__)

/* mov $number, %eax; syscall: as compilers put it, and text hardly has by chance. */
static bool is_own_call(const unsigned char *at)
{
	return at[0] == 0xb8 && at[2] < 2 && !at[3] && !at[4] &&
	       at[5] == 0x0f && at[6] == 0x05;
}

#define CALL_BYTES 7
#define CALL_ALIGN 1

#elif defined(__aarch64__)

/* mov x8 or w8, #number; svc #0 */
static bool is_own_call(const unsigned char *at)
{
	const uint32_t *words = (const uint32_t *)at;

	return (words[0] & 0x7fe0001f) == 0x52800008 && words[1] == 0xd4000001;
}

#define CALL_BYTES 8
#define CALL_ALIGN 4

#else

static bool is_own_call(const unsigned char *at)
{
	(void)at;
	return false;
}

#define CALL_BYTES MOST_TEXT
#define CALL_ALIGN 1

#endif

/*
 * Whether it makes system calls itself, as programs of Rust and Pascal do that
 * also call the C library.
 */
static bool has_own_calls(int fd, const segment_t *segment)
{
	ElfW(Off) before = segment->p_offset & (PAGE - 1);
	size_t size = segment->p_filesz + before, at;
	const unsigned char *text;
	long mapped;

	if (size > MOST_TEXT)
		size = MOST_TEXT;
	mapped = raw(SYS_mmap, NULL, size, PROT_READ, MAP_PRIVATE, fd,
		     segment->p_offset - before);
	if (mapped == -1)
		return false;
	text = (const unsigned char *)mapped;
	for (at = 0; at + CALL_BYTES <= size; at += CALL_ALIGN) {
		if (is_own_call(text + at))
			break;
	}
	raw(SYS_munmap, mapped, size);

	return at + CALL_BYTES <= size;
}

static enum program_kind look_at_segments(int fd, const header_t *header)
{
	enum program_kind kind = PROGRAM_STATIC;
	bool go = false, libraries = false, own_calls = false;
	segment_t segment;

	for (int i = 0; i < header->e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment),
			  header->e_phoff + i * sizeof(segment)) !=
		    sizeof(segment))
			break;
		if (segment.p_type == PT_NOTE)
			go |= has_go_note(fd, &segment);
		if (segment.p_type == PT_DYNAMIC)
			libraries |= has_libraries(fd, &segment);
		if (segment.p_type == PT_LOAD && segment.p_flags & PF_X)
			own_calls |= has_own_calls(fd, &segment);
		if (segment.p_type == PT_INTERP)
			kind = is_our_loader(fd, &segment)
				       ? PROGRAM_GOOD
				       : PROGRAM_OTHER_LOADER;
	}

	if (go)
		return libraries ? PROGRAM_MIXED : PROGRAM_GO;

	return kind == PROGRAM_GOOD && own_calls ? PROGRAM_MIXED : kind;
}

static bool is_privileged(int fd)
{
	struct stat status;

	if (raw(SYS_fstat, fd, &status))
		return false;
	if (status.st_mode & S_ISUID && status.st_uid != geteuid())
		return true;
	if (status.st_mode & S_ISGID && status.st_gid != getegid())
		return true;

	return geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static enum program_kind look_at(int fd, const char *path)
{
	header_t header;

	if (is_privileged(fd))
		return PROGRAM_PRIVILEGED;
	/* The kernel or a shell knows better what else it may be. */
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG))
		return PROGRAM_GOOD;
	if (header.e_ident[EI_CLASS] != CLASS || header.e_machine != MACHINE)
		return PROGRAM_OTHER_MACHINE;
	/*
	 * The C library's loader can be called by its name, with a program to
	 * load. valgrind makes calls of its own, and takes the library.
	 */
	if (!strcmp(base_of(path), LOADER) ||
	    !strncmp(base_of(path), "valgrind", 8))
		return PROGRAM_GOOD;

	return look_at_segments(fd, &header);
}

static bool may_run(const char *path)
{
	bool may = !raw(SYS_faccessat, AT_FDCWD, path, X_OK);

	errno = EACCES;

	return may;
}

enum program_kind program_look(char *path, size_t size)
{
	enum program_kind kind = PROGRAM_UNREADABLE;
	bool script = true;
	int fd;

	for (int depth = 0; script && depth < DEPTH; depth++) {
		fd = raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
		/* It can be run without being readable. */
		if (fd < 0)
			return errno == EACCES && may_run(path)
				       ? PROGRAM_GOOD
				       : PROGRAM_UNREADABLE;
		script = follow_script(fd, path, size);
		if (!script)
			kind = look_at(fd, path);
		raw(SYS_close, fd);
	}

	return kind;
}

bool program_is_for_loader(enum program_kind kind)
{
	return kind == PROGRAM_STATIC || kind == PROGRAM_GO ||
	       kind == PROGRAM_MIXED || kind == PROGRAM_OTHER_LOADER;
}

bool program_is_for_preload(enum program_kind kind)
{
	return kind == PROGRAM_GOOD || kind == PROGRAM_MIXED;
}

const char *program_why(enum program_kind kind)
{
	switch (kind) {
	case PROGRAM_GOOD:
	case PROGRAM_MIXED:
		return "nothing is wrong with it";
	case PROGRAM_UNREADABLE:
		return strerror(errno);
	case PROGRAM_STATIC:
		return "is statically linked: it loads no library, so only gntdev's loader could give it the machine's devices";
	case PROGRAM_GO:
		return "is a Go program: it makes system calls without the C library, so only gntdev's loader could give it the machine's devices";
	case PROGRAM_OTHER_MACHINE:
		return "is for another processor or word size than gntdev, whose library it cannot load";
	case PROGRAM_OTHER_LOADER:
		return "does not use the loader " LOADER
		       " of the GNU C library, so it cannot load gntdev's library";
	case PROGRAM_PRIVILEGED:
		return "is set-uid, set-gid or has capabilities: the system lets it load no library of ours";
	}

	return "";
}
