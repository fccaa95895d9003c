// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The loader's beginning: the program into memory, its stack as the kernel
 * would have made it, and there it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "loader.h"
#include "stacks.h"

char loader_path[PATH_MAX];

/* What the kernel has put on the stack, and what is changed of it. */
struct given {
	long argc;
	char **argv, **envp;
	ElfW(auxv_t) * auxv;
	size_t envc, auxc;
};

struct wish {
	bool filtered; /* the filter is there already */
	int fd; /* of the program; -1: to be opened */
	int loader; /* of this very file; -1: it is where it says */
	bool has_mask;
	uint64_t mask;
	const char *path;
	char *entry; /* in the environment */
};

/* Arguments that a script puts before the others, and then its name. */
static struct {
	struct script scripts[SCRIPTS];
	char *arguments[2 * SCRIPTS + 2];
	int count;
} added;

_Static_assert(STACK_BYTES == 65536, "as below");

void loader_enter(void *sp, uintptr_t entry) __attribute__((noreturn));

/* What the kernel's stack has is changed below: so this is on one of ours. */
#ifdef __x86_64__

__asm__(".text\n"
	".globl loader_start, loader_enter\n"
	"loader_start:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rdi\n"
	"	movl $stacks + 65536, %esp\n"
	"	call loader_main\n"
	"	ud2\n"
	/* Registers are 0 in a new program. */
	"loader_enter:\n"
	"	movq %rdi, %rsp\n"
	"	movq %rsi, %rcx\n"
	"	xorl %eax, %eax\n"
	"	xorl %ebx, %ebx\n"
	"	xorl %edx, %edx\n"
	"	xorl %esi, %esi\n"
	"	xorl %edi, %edi\n"
	"	xorl %ebp, %ebp\n"
	"	jmp *%rcx\n");

#else

__asm__(".text\n"
	".globl loader_start, loader_enter\n"
	"loader_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	adrp x1, stacks + 65536\n"
	"	add x1, x1, :lo12:stacks + 65536\n"
	"	mov sp, x1\n"
	"	bl loader_main\n"
	"	brk #0\n"
	"loader_enter:\n"
	"	mov sp, x0\n"
	"	mov x16, x1\n"
	"	mov x0, #0\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	br x16\n");

#endif

static void read_stack(uintptr_t *sp, struct given *given)
{
	given->argc = sp[0];
	given->argv = (char **)(sp + 1);
	given->envp = given->argv + given->argc + 1;
	while (given->envp[given->envc])
		given->envc++;
	given->auxv = (ElfW(auxv_t) *)(given->envp + given->envc + 1);
	while (given->auxv[given->auxc++].a_type != AT_NULL)
		;
}

/* ---- what is wanted ---- */

/* filter:program:loader:mask:path */
static bool read_wish(const char *text, struct wish *wish)
{
	const char *at = text;

	wish->filtered = parse_long(at, &at);
	if (*at++ != ':')
		return false;
	wish->fd = parse_long(at, &at);
	if (*at++ != ':')
		return false;
	wish->loader = parse_long(at, &at);
	if (*at++ != ':')
		return false;
	wish->has_mask = *at != ':';
	for (wish->mask = 0; *at && *at != ':'; at++)
		wish->mask = wish->mask * 16 +
			     (*at <= '9' ? *at - '0' : *at - 'a' + 10);
	wish->path = at + 1;

	return *at;
}

static bool take_wish(struct given *given, struct wish *wish)
{
	const size_t length = sizeof(ENV_LOADER "=") - 1;
	bool found = false;
	size_t kept = 0;

	for (size_t i = 0; i < given->envc; i++) {
		if (strncmp(given->envp[i], ENV_LOADER "=", length)) {
			given->envp[kept++] = given->envp[i];
			continue;
		}
		found = read_wish(given->envp[i] + length, wish);
		wish->entry = given->envp[i];
	}
	given->envc = kept;

	return found;
}

/* The preloaded library would do all of it again. */
static void forget_library(struct given *given)
{
	static const char library[] = "libgntdev-preload.so";
	char *at, *start, *end;

	for (size_t i = 0; i < given->envc; i++) {
		if (strncmp(given->envp[i], "LD_PRELOAD=", 11))
			continue;
		at = strstr(given->envp[i], library);
		if (!at)
			continue;
		for (start = at;
		     start[-1] != '=' && start[-1] != ':' && start[-1] != ' ';)
			start--;
		end = at + sizeof(library) - 1;
		end += *end == ':' || *end == ' ';
		memmove(start, end, strlen(end) + 1);
	}
}

static __attribute__((noreturn)) void fail(int status, const char *path,
					   const char *why)
{
	say_line(path, " ", why, NULL);
	_exit(status);
}

/* ---- the program's file ---- */

static int open_path(const char *path)
{
	int fd = raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail(errno == ENOENT ? 127 : 126, path, strerror(errno));

	return fd;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What is neither a program nor says what reads it is the shell's, as ever. */
static bool is_shells(int fd)
{
	char magic[SELFMAG];

	return raw(SYS_pread64, fd, magic, SELFMAG, 0) != SELFMAG ||
	       memcmp(magic, ELFMAG, SELFMAG);
}

/*
 * The file, or the interpreter if it is a script. Arguments are added from the
 * last one on.
 */
static int find_file(struct wish *wish)
{
	const size_t most = sizeof(added.arguments) / sizeof(char *);
	int fd = wish->fd >= 0 ? wish->fd : open_path(wish->path);
	struct script *script = added.scripts;

	for (; script < added.scripts + SCRIPTS && exec_script(fd, script);
	     script++) {
		added.arguments[most - ++added.count] = (char *)wish->path;
		if (script->argument)
			added.arguments[most - ++added.count] =
				script->argument;
		raw(SYS_close, fd);
		wish->path = script->interpreter;
		fd = open_path(wish->path);
	}
	if (is_shells(fd)) {
		added.arguments[most - ++added.count] = (char *)wish->path;
		raw(SYS_close, fd);
		wish->path = "/bin/sh";
		fd = open_path(wish->path);
	}
	if (added.count)
		added.arguments[most - ++added.count] = (char *)wish->path;

	return fd;
}

/* ---- what the kernel shows of a process ---- */

/* The number of that field in /proc/self/stat. */
static unsigned long field(const char *text, int wanted)
{
	const char *at = strrchr(text, ')') ?: text;

	/* The name is the second one. */
	for (int i = 2; i < wanted && at; i++)
		at = strchr(at + 1, ' ');

	return at ? parse_long(at + 1, NULL) : 0;
}

/*
 * The heap behind the program, not behind the loader; the auxiliary vector that
 * the program has; an environment without our entry. Kernels without
 * CONFIG_CHECKPOINT_RESTORE refuse: then these are the loader's.
 */
static void show_image(const struct image *image, const struct wish *wish,
		       const ElfW(auxv_t) * auxv, size_t auxc, uintptr_t sp)
{
	struct prctl_mm_map mm = {.exe_fd = -1};
	uintptr_t random = 0;
	char text[1024];
	long got;
	int fd;

	fd = raw(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : raw(SYS_read, fd, text, sizeof(text) - 1);
	if (fd >= 0)
		raw(SYS_close, fd);
	if (got <= 0)
		return;
	text[got] = '\0';
	if (image->own_entry >= PROGRAM_BASE &&
	    image->own_entry != PROGRAM_BASE)
		raw(SYS_getrandom, &random, 2, 0);
	mm.start_code = image->code_start;
	mm.end_code = image->code_end;
	mm.start_data = image->data_start ?: image->code_start;
	mm.end_data = image->data_end ?: image->code_end;
	mm.start_brk = mm.brk = page_up(image->end) + (random & 0xfff) * PAGE;
	mm.start_stack = sp;
	mm.arg_start = field(text, 48);
	mm.arg_end = field(text, 49);
	mm.env_start = field(text, 50);
	mm.env_end = field(text, 51);
	if ((uintptr_t)wish->entry + strlen(wish->entry) + 1 == mm.env_end)
		mm.env_end = (uintptr_t)wish->entry;
	mm.auxv = (void *)auxv;
	mm.auxv_size = auxc * sizeof(*auxv);
	raw(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &mm, sizeof(mm), 0);
}

static void change_auxv(ElfW(auxv_t) * auxv, const struct image *image,
			const char *path)
{
	for (; auxv->a_type != AT_NULL; auxv++) {
		switch (auxv->a_type) {
		case AT_PHDR:
			auxv->a_un.a_val = image->headers;
			break;
		case AT_PHNUM:
			auxv->a_un.a_val = image->header_count;
			break;
		case AT_BASE:
			auxv->a_un.a_val = image->base;
			break;
		case AT_ENTRY:
			auxv->a_un.a_val = image->own_entry;
			break;
		case AT_EXECFN:
			auxv->a_un.a_val = (uintptr_t)path;
			break;
		}
	}
}

/* A list is put below @to, which moves. */
static void push(uintptr_t **to, const void *list, size_t words)
{
	*to -= words;
	memcpy(*to, list, words * sizeof(**to));
}

/* The stack's new end: below what is there, so that nothing is overwritten. */
static uintptr_t *build(uintptr_t *sp, const struct given *given)
{
	const size_t most = sizeof(added.arguments) / sizeof(char *);
	size_t skipped = added.count && given->argc;
	size_t argc = given->argc - skipped + added.count;
	size_t words = 1 + argc + 1 + given->envc + 1 + 2 * given->auxc;
	const uintptr_t end = 0;

	sp = (uintptr_t *)((uintptr_t)sp & -16ul) - (words & 1);
	push(&sp, given->auxv, 2 * given->auxc);
	push(&sp, &end, 1);
	push(&sp, given->envp, given->envc);
	push(&sp, &end, 1);
	push(&sp, given->argv + skipped, given->argc - skipped);
	push(&sp, added.arguments + most - added.count, added.count);
	push(&sp, &argc, 1);

	return sp;
}

/* Where there is no /proc: as it was started. */
static void find_self(const ElfW(auxv_t) * auxv)
{
	long length = raw(SYS_readlinkat, AT_FDCWD, "/proc/self/exe",
			  loader_path, sizeof(loader_path) - 1);

	if (length >= 0) {
		loader_path[length] = '\0';
		return;
	}
	for (; auxv->a_type != AT_NULL; auxv++) {
		if (auxv->a_type == AT_EXECFN)
			strncpy(loader_path, (char *)auxv->a_un.a_val,
				sizeof(loader_path) - 1);
	}
}

/* What is wanted of the stack, where the program's is to be executable. */
static void make_executable(uintptr_t sp)
{
	raw(SYS_mprotect, sp & -PAGE, PAGE,
	    PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
}

/* Long done when anything is asked for. */
void process_begin(void)
{
}

/* How it is started where its path leads nowhere. */
static void keep_self(const struct wish *wish)
{
	int fd = wish->loader;

	if (fd < 0)
		fd = raw(SYS_openat, AT_FDCWD, "/proc/self/exe",
			 O_PATH | O_CLOEXEC);
	kept_hold(fd);
}

static void begin(struct given *given, const char *name)
{
	program_invocation_short_name = (char *)base_of(name);
	settings_read(given->envp);
	trap_begin();
	channel_begin();
	connect_begin();
	if (channel_on())
		reserve_begin();
}

__attribute__((noreturn)) void loader_main(uintptr_t *sp)
{
	struct given given = {0};
	struct image image = {0};
	struct wish wish = {0};
	const char *first, *why;
	int error, fd;

	read_stack(sp, &given);
	if (!take_wish(&given, &wish))
		fail(125, "gntdev-loader", "is started by gntdev run");
	given.envp[given.envc] = NULL;
	first = wish.path;
	find_self(given.auxv);
	forget_library(&given);
	fd = find_file(&wish);
	why = image_load(fd, &image);
	if (why)
		fail(126, wish.path, why);
	paths_begin(fd, wish.path);
	raw(SYS_close, fd);

	keep_self(&wish);
	begin(&given, wish.path);
	raw(SYS_prctl, PR_SET_NAME, base_of(first), 0, 0, 0);
	change_auxv(given.auxv, &image, first);
	sp = build(sp, &given);
	if (image.executable_stack)
		make_executable((uintptr_t)sp);
	show_image(&image, &wish, (void *)(sp + 1 + sp[0] + 1 + given.envc + 1),
		   given.auxc, (uintptr_t)sp);
	error = wish.filtered ? 0 : filter_install();
	if (error)
		fail(125, "no seccomp filter:", strerror(-error));
	if (wish.has_mask) {
		wish.mask &= ~MASK_SIGSYS;
		raw(SYS_rt_sigprocmask, SIG_SETMASK, &wish.mask, NULL,
		    sizeof(wish.mask));
	}
	loader_enter(sp, image.entry);
}
