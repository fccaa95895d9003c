// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The dma-buf functions of libxengnttab. TAP. The program grants to its own
 * domain; the buffers that it imports are the system heap's, which Debian's
 * kernel 6.12 for amd64 has.
 *
 * The library leaves the field `reserved' of its two import requests as it finds
 * it, on the stack and in what malloc() returns, and the driver takes no request
 * in which that is not 0. So a program has to see to it that what it finds there
 * is 0: tidy_stack() and tidy_heap() do. It is linked with -z now, as finding
 * the function at its first call would leave more on the stack.
 */
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <sys/ioctl.h>
#include <time.h>

#include "client.h"

#define PAGES 16

static int failed;
static unsigned int domain;
static xengnttab_handle *grants;

static void point(bool good, const char *name)
{
	failed += !good;
	printf("%sok - libxengnttab: %s\n", good ? "" : "not ", name);
	if (!good)
		printf("# errno: %s\n", strerror(errno));
	fflush(stdout);
}

/* Leaves that byte where the frames of the next calls will be. */
static __attribute__((noinline)) void spread_on_stack(int byte)
{
	volatile char frame[4096];

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = byte;
}

static void tidy_stack(void)
{
	spread_on_stack(0);
}

/* What malloc() gives to a request for @count pages next has been cleared. */
static void tidy_heap(size_t count)
{
	free(calloc(1, 16 + count * sizeof(uint32_t)));
}

static void export_and_wait(xengntshr_handle *shares)
{
	uint32_t refs[PAGES], fd = 0;
	char *ours, *seen;

	ours = xengntshr_share_pages(shares, domain, PAGES, refs, true);
	if (!ours) {
		point(false, "share_pages");
		return;
	}
	fill(ours, PAGES * PAGE, 1);
	point(!xengnttab_dmabuf_exp_from_refs(grants, domain, 0, PAGES, refs,
					      &fd),
	      "dmabuf_exp_from_refs");
	seen = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    (int)fd, 0);
	point(seen != MAP_FAILED && filled(seen, PAGES * PAGE, 1),
	      "a program that maps the dma-buf sees the pages");
	if (seen == MAP_FAILED)
		return;
	fill(seen, PAGES * PAGE, 2);
	point(filled(ours, PAGES * PAGE, 2), "what it writes is seen");

	errno = 0;
	point(xengnttab_dmabuf_exp_wait_released(grants, fd, 100) &&
		      errno == ETIMEDOUT,
	      "dmabuf_exp_wait_released of a live dma-buf: ETIMEDOUT");
	munmap(seen, PAGES * PAGE);
	close((int)fd);
	point(!xengnttab_dmabuf_exp_wait_released(grants, fd, 5000),
	      "dmabuf_exp_wait_released of one that is gone");
	point(!xengntshr_unshare(shares, ours, PAGES), "unshare");
}

static long long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One who holds the dma-buf for a while; another waits for its release. */
static void wait_for_other(xengntshr_handle *shares)
{
	uint32_t ref, fd = 0;
	char *ours = xengntshr_share_pages(shares, domain, 1, &ref, true);
	long long begun;
	pid_t holder;

	if (!ours ||
	    xengnttab_dmabuf_exp_from_refs(grants, domain, 0, 1, &ref, &fd)) {
		point(false, "dmabuf_exp_from_refs of one page");
		return;
	}
	begun = milliseconds();
	holder = fork();
	if (!holder) {
		usleep(700000);
		_exit(0);
	}
	close((int)fd);
	point(!xengnttab_dmabuf_exp_wait_released(grants, fd, 20000) &&
		      milliseconds() - begun >= 700,
	      "dmabuf_exp_wait_released waits for another process's end");
	waitpid(holder, NULL, 0);
	xengntshr_unshare(shares, ours, 1);
}

static void flags(xengntshr_handle *shares)
{
	static const struct {
		uint32_t flags;
		const char *name;
	} kinds[] = {
		{1, "dmabuf_exp_from_refs, write-combining"},
		{2, "dmabuf_exp_from_refs, coherent"},
	};

	for (int i = 0; i < 2; i++) {
		uint32_t refs[2], fd = 0;
		char *ours =
			xengntshr_share_pages(shares, domain, 2, refs, true);
		bool good;

		good = ours && !xengnttab_dmabuf_exp_from_refs(grants, domain,
							       kinds[i].flags,
							       2, refs, &fd);
		point(good, kinds[i].name);
		if (good)
			close((int)fd);
		if (ours)
			xengntshr_unshare(shares, ours, 2);
	}
}

static int heap_buffer(void)
{
	struct dma_heap_allocation_data data = {
		.len = PAGES * PAGE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (heap < 0)
		return -1;
	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data)) {
		close(heap);
		return -1;
	}
	close(heap);
	return (int)data.fd;
}

static int release(int fd)
{
	tidy_stack();
	return xengnttab_dmabuf_imp_release(grants, (uint32_t)fd);
}

static void import(void)
{
	int fd = heap_buffer();
	uint32_t refs[PAGES];
	char *ours, *theirs;
	int error;

	if (fd < 0) {
		point(false, "a dma-buf of the system heap");
		return;
	}
	ours = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	fill(ours, PAGES * PAGE, 3);
	tidy_heap(PAGES);
	point(!xengnttab_dmabuf_imp_to_refs(grants, domain, (uint32_t)fd, PAGES,
					    refs),
	      "dmabuf_imp_to_refs");
	theirs = xengnttab_map_domain_grant_refs(grants, PAGES, domain, refs,
						 PROT_READ | PROT_WRITE);
	point(theirs && filled(theirs, PAGES * PAGE, 3),
	      "its pages are mapped by their references");
	if (theirs) {
		fill(theirs, PAGES * PAGE, 4);
		point(filled(ours, PAGES * PAGE, 4), "what is written is seen");
		xengnttab_unmap(grants, theirs, PAGES);
	}

	/* The rule that makes all this tidying necessary. */
	spread_on_stack(0x5a);
	error = xengnttab_dmabuf_imp_release(grants, (uint32_t)fd) ? errno : 0;
	printf("# dmabuf_imp_release with an untidy stack: %s\n",
	       error ? strerror(error) : "taken");
	point(!error || (error == EINVAL && !release(fd)),
	      "dmabuf_imp_release");
	point(!xengnttab_map_grant_ref(grants, domain, refs[0], PROT_READ),
	      "its pages are granted no more");
	point(release(fd) && errno == ENOENT,
	      "dmabuf_imp_release once more: ENOENT");
	munmap(ours, PAGES * PAGE);
	close(fd);
}

int main(void)
{
	xengntshr_handle *shares = xengntshr_open(NULL, 0);

	domain = own_domain();
	grants = xengnttab_open(NULL, 0);
	if (!shares || !grants) {
		printf("Bail out! cannot open the grant devices: %s\n",
		       strerror(errno));
		return 1;
	}
	export_and_wait(shares);
	wait_for_other(shares);
	flags(shares);
	import();
	point(!xengnttab_close(grants) && !xengntshr_close(shares), "close");
	return failed != 0;
}
