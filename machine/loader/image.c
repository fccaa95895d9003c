// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program's segments, and its interpreter's, where a kernel would map them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>

#include "loader.h"

#ifdef __x86_64__
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

/* As many program headers as are looked at. */
#define HEADERS 64

struct file {
	int fd;
	ElfW(Ehdr) header;
	ElfW(Phdr) segments[HEADERS];
	uintptr_t start, end; /* of what is to be mapped, as the file says */
	uintptr_t align;
	uintptr_t bias; /* from there to where it is */
};

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return raw(SYS_pread64, fd, to, size, offset) == (long)size;
}

static const char *read_file(struct file *file)
{
	const ElfW(Ehdr) *header = &file->header;
	const ElfW(Phdr) *segment = file->segments;

	if (!read_at(file->fd, &file->header, sizeof(*header), 0) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG))
		return "is no program";
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_machine != MACHINE)
		return "is for another processor or word size than gntdev";
	if ((header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
	    header->e_phentsize != sizeof(*segment) || !header->e_phnum ||
	    header->e_phnum > HEADERS)
		return "is a program of a kind that is not known here";
	if (!read_at(file->fd, file->segments,
		     header->e_phnum * sizeof(*segment), header->e_phoff))
		return "cannot be read";
	file->start = UINTPTR_MAX;
	file->align = PAGE;
	for (; segment < file->segments + header->e_phnum; segment++) {
		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_vaddr < file->start)
			file->start = segment->p_vaddr & -PAGE;
		if (segment->p_vaddr + segment->p_memsz > file->end)
			file->end =
				page_up(segment->p_vaddr + segment->p_memsz);
		if (segment->p_align > file->align &&
		    !(segment->p_align & (segment->p_align - 1)))
			file->align = segment->p_align;
	}

	return file->start < file->end ? NULL : "has nothing to load";
}

/* The name of its interpreter; "" if it has none. */
static bool read_interpreter(const struct file *file, char *name, size_t size)
{
	*name = '\0';
	for (int i = 0; i < file->header.e_phnum; i++) {
		const ElfW(Phdr) *segment = &file->segments[i];

		if (segment->p_type != PT_INTERP)
			continue;
		if (segment->p_filesz < 2 || segment->p_filesz > size ||
		    !read_at(file->fd, name, segment->p_filesz,
			     segment->p_offset))
			return false;
		return !name[segment->p_filesz - 1];
	}

	return true;
}

bool image_look(int fd, char *interpreter, size_t size)
{
	struct file file = {.fd = fd};

	return !read_file(&file) && read_interpreter(&file, interpreter, size);
}

bool image_is_others(int fd)
{
	ElfW(Ehdr) header;

	return read_at(fd, &header, sizeof(header), 0) &&
	       !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
	       (header.e_ident[EI_CLASS] != ELFCLASS64 ||
		header.e_machine != MACHINE);
}

static int prot_of(const ElfW(Phdr) * segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) |
	       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* What the file does not have of a segment is zero, up to the page's end. */
static bool fill(uintptr_t from, uintptr_t to, int prot)
{
	uintptr_t pages = page_up(from);

	if (from < pages && prot & PROT_WRITE)
		memset((void *)from, 0, pages - from);

	return pages >= to || map(pages, page_up(to) - pages, prot,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0) != MAP_FAILED;
}

static bool map_segment(const struct file *file, const ElfW(Phdr) * segment)
{
	uintptr_t at = segment->p_vaddr + file->bias, start = at & -PAGE;
	uintptr_t in_file = at + segment->p_filesz;
	int prot = prot_of(segment);

	if (segment->p_filesz &&
	    map(start, in_file - start, prot, MAP_PRIVATE | MAP_FIXED, file->fd,
		segment->p_offset - (at - start)) == MAP_FAILED)
		return false;
	if (segment->p_memsz == segment->p_filesz)
		return true;
	if (!segment->p_filesz)
		in_file = start;

	return fill(in_file, at + segment->p_memsz, prot);
}

static bool reserve(uintptr_t at, size_t size, int flags, uintptr_t *got)
{
	*got = (uintptr_t)map(at, size, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				      flags,
			      -1, 0);

	return (void *)*got != MAP_FAILED;
}

/* Room for all of it: at a place of its own, about @base, or anywhere (0). */
static bool take_room(struct file *file, uintptr_t base)
{
	size_t size = file->end - file->start;
	uintptr_t got;

	if (file->header.e_type == ET_EXEC)
		return reserve(file->start, size, MAP_FIXED_NOREPLACE, &got) &&
		       got == file->start;
	if (base) {
		base = (base + file->align - 1) & -file->align;
		file->bias = base - file->start;
		if (reserve(base, size, MAP_FIXED_NOREPLACE, &got) &&
		    got == base)
			return true;
	}
	if (!reserve(0, size + file->align, 0, &got))
		return false;
	base = (got + file->align - 1) & -file->align;
	raw(SYS_munmap, got, base - got);
	raw(SYS_munmap, base + size, got + file->align - base);
	file->bias = base - file->start;

	return true;
}

static const char *map_file(struct file *file, uintptr_t base)
{
	uintptr_t end = 0, from;

	if (!take_room(file, base))
		return "finds no room at the addresses that it is linked for";
	for (int i = 0; i < file->header.e_phnum; i++) {
		const ElfW(Phdr) *segment = &file->segments[i];

		if (segment->p_type != PT_LOAD)
			continue;
		if (!map_segment(file, segment))
			return "cannot be mapped";
		/* Nothing is between segments. */
		from = (segment->p_vaddr & -PAGE) + file->bias;
		if (end && from > end)
			raw(SYS_munmap, end, from - end);
		end = page_up(segment->p_vaddr + segment->p_memsz) + file->bias;
	}

	return NULL;
}

static uintptr_t choose_base(void)
{
	uintptr_t random = 0;

	if (!(raw(SYS_personality, 0xffffffff) & ADDR_NO_RANDOMIZE))
		raw(SYS_getrandom, &random, sizeof(random), 0);

	return PROGRAM_BASE + (random & (PROGRAM_SPREAD - 1) & -PAGE);
}

static void describe(const struct file *file, struct image *image)
{
	image->own_entry = file->header.e_entry + file->bias;
	image->entry = image->own_entry;
	image->header_count = file->header.e_phnum;
	image->end = file->end + file->bias;
	for (int i = 0; i < file->header.e_phnum; i++) {
		const ElfW(Phdr) *segment = &file->segments[i];
		uintptr_t at = segment->p_vaddr + file->bias;

		if (segment->p_type == PT_GNU_STACK)
			image->executable_stack = segment->p_flags & PF_X;
		if (segment->p_type != PT_LOAD)
			continue;
		if (file->header.e_phoff >= segment->p_offset &&
		    file->header.e_phoff <
			    segment->p_offset + segment->p_filesz)
			image->headers =
				at + file->header.e_phoff - segment->p_offset;
		if (segment->p_flags & PF_X) {
			image->code_start = at;
			image->code_end = at + segment->p_filesz;
		} else {
			image->data_start = at;
			image->data_end = at + segment->p_filesz;
		}
	}
}

const char *image_load(int fd, struct image *image)
{
	static struct file file, interpreter;
	char name[256];
	const char *why;

	file.fd = fd;
	why = read_file(&file);
	if (!why && !read_interpreter(&file, name, sizeof(name)))
		why = "has an interpreter that cannot be read";
	if (!why)
		why = map_file(&file, choose_base());
	if (why)
		return why;
	describe(&file, image);
	if (!*name)
		return NULL;

	interpreter.fd = raw(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
	if (interpreter.fd < 0)
		return "has an interpreter that is not there";
	why = read_file(&interpreter) ?: map_file(&interpreter, 0);
	raw(SYS_close, interpreter.fd);
	if (why)
		return "has an interpreter that cannot be loaded";
	image->base = interpreter.start + interpreter.bias;
	image->entry = interpreter.header.e_entry + interpreter.bias;

	return NULL;
}
