// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * share: grants a page, maps it and sees its byte; built in all the ways in which
 * programs are. With -DBY_HAND, by system calls of its own.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in the public headers, which not each C library comes with. */
struct alloc {
	uint16_t domid, flags;
	uint32_t count;
	uint64_t index;
	uint32_t ref, pad;
};

struct grant {
	uint32_t count, pad;
	uint64_t index;
	uint32_t domid, ref;
};

#define ALLOC_GREF 0x184705UL
#define MAP_GRANT_REF 0x184700UL
#define PAGE 4096

#ifdef BY_HAND

static long ask(long number, long a, long b, long c, long d, long e, long f)
{
#ifdef __x86_64__
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	register long sixth __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth),
			   "r"(sixth)
			 : "rcx", "r11", "memory");
	return number;
#else
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#endif
}

#define open(path, flags) \
	((int)ask(SYS_openat, AT_FDCWD, (long)(path), flags, 0, 0, 0))
#define ioctl(fd, number, argument) \
	((int)ask(SYS_ioctl, fd, number, (long)(argument), 0, 0, 0))
#define mmap(addr, length, prot, flags, fd, offset) \
	((void *)ask(SYS_mmap, (long)(addr), length, prot, flags, fd, offset))
#define munmap(addr, length) \
	((int)ask(SYS_munmap, (long)(addr), length, 0, 0, 0, 0))

#endif

static int fail(const char *what)
{
	printf("share: %s failed\n", what);
	return 1;
}

int main(void)
{
	int granter = open("/dev/xen/gntalloc", O_RDWR);
	int mapper = open("/dev/xen/gntdev", O_RDWR);
	struct alloc alloc = {0, 1, 1, 0, 0, 0};
	struct grant grant = {1, 0, 0, 0, 0};
	volatile uint8_t *granted, *mapped;

	if (granter < 0 || mapper < 0)
		return fail("open");
	if (ioctl(granter, ALLOC_GREF, &alloc))
		return fail("ALLOC_GREF");
	granted = (uint8_t *)mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED, granter, alloc.index);
	if ((intptr_t)granted <= 0)
		return fail("mmap of the granted page");
	granted[5] = 77;
	grant.ref = alloc.ref;
	if (ioctl(mapper, MAP_GRANT_REF, &grant))
		return fail("MAP_GRANT_REF");
	mapped = (uint8_t *)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				 mapper, grant.index);
	if ((intptr_t)mapped <= 0)
		return fail("mmap");
	if (mapped[5] != 77)
		return fail("reading the other side's byte");
	if (munmap((void *)mapped, PAGE))
		return fail("munmap");
	puts("shared");
	return 0;
}
