// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the machine costs, beside what it cannot do without: run by bench/run
 * under `gntdev run`.
 *
 *	bench local			one domain
 *	bench send DOMID PATH MEGABYTES	one side of a vchan
 *	bench receive DOMID PATH MEGABYTES
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#include <libxenvchan.h>

#define PAGE 4096ul
#define MOST 1024u /* mapped at once */
#define GRANTS 8192u
#define BATCH 256u
#define ROUNDS 400

/* As long as a request and an answer of the machine's. */
#define REQUEST 56
#define ANSWER 24

static int device;
static uint32_t refs[GRANTS];
static unsigned int order[GRANTS]; /* in which grants are copied */
static uint8_t *granted;

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/*
 * The best of many rounds, each shorter than a turn of the scheduler's: others
 * may be busy. In ns for each of @count.
 */
static double best(void (*work)(void *), void *argument, unsigned int count)
{
	double least = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double begun = now(), each;

		for (unsigned int j = 0; j < count; j++)
			work(argument);
		each = (now() - begun) / count;
		if (!i || each < least)
			least = each;
	}
	return least;
}

static void echo(int fd)
{
	char bytes[REQUEST];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		if (send(fd, bytes, ANSWER, 0) < 0)
			break;
	_exit(0);
}

static void bare_trip(void *fd)
{
	static char bytes[REQUEST];

	if (send(*(int *)fd, bytes, sizeof(bytes), 0) < 0 ||
	    recv(*(int *)fd, bytes, sizeof(bytes), 0) != ANSWER)
		die("socket");
}

static void cheapest(void *argument)
{
	uint32_t count = 1 << 20;

	(void)argument;
	if (ioctl(device, IOCTL_GNTDEV_SET_MAX_GRANTS, &count))
		die("SET_MAX_GRANTS");
}

static void trips(void)
{
	double bare, ours;
	int ends[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		die("socketpair");
	child = fork();
	if (!child) {
		close(ends[0]);
		echo(ends[1]);
	}
	close(ends[1]);
	bare = best(bare_trip, &ends[0], 50);
	close(ends[0]);
	waitpid(child, NULL, 0);
	ours = best(cheapest, NULL, 50);
	printf("round trip: bare socket %.2f us, SET_MAX_GRANTS %.2f us: %.2f times (aim: 1.5)\n",
	       bare / 1e3, ours / 1e3, ours / bare);
}

/* What is none of the machine's business. */
static void look_at_file(void *argument)
{
	struct stat status;

	(void)argument;
	if (stat("/etc/passwd", &status))
		die("/etc/passwd");
}

static void open_file(void *argument)
{
	int fd = open("/etc/passwd", O_RDONLY);

	(void)argument;
	if (fd < 0 || close(fd))
		die("/etc/passwd");
}

static void files(void)
{
	printf("any other file: stat() %.2f us, open() and close() %.2f us\n",
	       best(look_at_file, NULL, 50) / 1e3,
	       best(open_file, NULL, 50) / 1e3);
}

static void grant(void)
{
	struct ioctl_gntalloc_alloc_gref *alloc;
	int fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);

	alloc = calloc(1, sizeof(*alloc) + sizeof(refs));
	alloc->count = GRANTS;
	alloc->flags = GNTALLOC_FLAG_WRITABLE;
	if (fd < 0 || ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, alloc))
		die("/dev/xen/gntalloc");
	memcpy(refs, (char *)alloc->gref_ids, sizeof(refs));
	granted = mmap(NULL, GRANTS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, alloc->index);
	if (granted == MAP_FAILED)
		die("mmap of gntalloc");
	memset(granted, 1, GRANTS * PAGE);
	free(alloc);
}

/* MAP_GRANT_REF, mmap, munmap, UNMAP_GRANT_REF. */
static void cycle(void *argument)
{
	struct ioctl_gntdev_map_grant_ref *map = argument;
	struct ioctl_gntdev_unmap_grant_ref unmap = {.count = map->count};
	void *at;

	if (ioctl(device, IOCTL_GNTDEV_MAP_GRANT_REF, map))
		die("MAP_GRANT_REF");
	at = mmap(NULL, map->count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		  device, map->index);
	if (at == MAP_FAILED)
		die("mmap");
	munmap(at, map->count * PAGE);
	unmap.index = map->index;
	if (ioctl(device, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap))
		die("UNMAP_GRANT_REF");
}

static void cycles(void)
{
	static const unsigned int counts[] = {1, 16, 256, 1024};
	struct ioctl_gntdev_map_grant_ref *map;

	map = calloc(1, sizeof(*map) + MOST * sizeof(map->refs[0]));
	for (unsigned int i = 0; i < MOST; i++)
		*((struct ioctl_gntdev_grant_ref *)map->refs + i) =
			(struct ioctl_gntdev_grant_ref){.ref = refs[i]};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		double each;

		map->count = counts[i];
		each = best(cycle, map, 25 / counts[i] + 1);
		printf("map, mmap, munmap, unmap of %4u pages: %8.1f us, %.2f us a page\n",
		       counts[i], each / 1e3, each / 1e3 / counts[i]);
	}
	free(map);
}

/* Batches one after the other, over as many as the caller says. */
static struct copying {
	uint8_t *here;
	bool in; /* into grants; else out of them */
	unsigned int batches, next;
	struct gntdev_grant_copy_segment segments[GRANTS];
} copying;

static unsigned int next_batch(void)
{
	unsigned int now = copying.next;

	copying.next = (now + 1) % copying.batches;
	return now * BATCH;
}

static void copy(void *argument)
{
	struct ioctl_gntdev_grant_copy request = {
		.count = BATCH,
		.segments = copying.segments + next_batch(),
	};

	(void)argument;
	if (ioctl(device, IOCTL_GNTDEV_GRANT_COPY, &request))
		die("GRANT_COPY");
}

/* The same bytes, page by page in the same order. */
static void plain_copy(void *argument)
{
	unsigned int first = next_batch();

	(void)argument;
	for (unsigned int i = first; i < first + BATCH; i++) {
		size_t at = (size_t)order[i] * PAGE;

		if (copying.in)
			memcpy(granted + at, copying.here + i * PAGE, PAGE);
		else
			memcpy(copying.here + i * PAGE, granted + at, PAGE);
	}
	/* The compiler must not think that nobody looks. */
	__asm__ volatile("" : : "r"(copying.here) : "memory");
}

static void set_segments(bool in)
{
	struct gntdev_grant_copy_segment *segment = copying.segments;

	copying.in = in;
	for (unsigned int i = 0; i < GRANTS; i++, segment++) {
		*segment = (struct gntdev_grant_copy_segment){
			.len = PAGE,
			.flags = in ? 2 : 1,
		};
		if (in) {
			segment->source.virt = copying.here + i * PAGE;
			segment->dest.foreign.ref = refs[order[i]];
		} else {
			segment->source.foreign.ref = refs[order[i]];
			segment->dest.virt = copying.here + i * PAGE;
		}
	}
}

static void check_copies(unsigned int batches)
{
	for (unsigned int i = 0; i < batches * BATCH; i++)
		if (memcmp(copying.here + i * PAGE,
			   granted + (size_t)order[i] * PAGE, PAGE) ||
		    copying.segments[i].status)
			die("GRANT_COPY copied something else");
}

static void compare_copies(unsigned int batches, bool in, const char *where)
{
	double bytes = BATCH * PAGE, plain, ours;
	uint8_t *to = in ? granted : copying.here;

	set_segments(in);
	copying.batches = batches;
	copying.next = 0;
	plain = best(plain_copy, NULL, 8);
	memset(to, 2, GRANTS * PAGE);
	ours = best(copy, NULL, 8);
	check_copies(batches);
	printf("copy of %u pages %s, %s: memcpy %.2f GB/s, GRANT_COPY %.2f GB/s: %.2f times its speed (aim: 0.5)\n",
	       BATCH, in ? "into grants" : "out of grants", where,
	       bytes / plain, bytes / ours, plain / ours);
}

/* Grants of a batch in an order that is none; the same at every run. */
static void shuffle(void)
{
	for (unsigned int i = 0; i < GRANTS; i++)
		order[i] = i / BATCH * BATCH + i * 37 % BATCH;
}

static void copies(void)
{
	copying.here = mmap(NULL, GRANTS * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned int i = 0; i < GRANTS; i++) {
		order[i] = i;
		memset(copying.here + i * PAGE, i, PAGE);
		memset(granted + i * PAGE, i * 3, PAGE);
	}
	compare_copies(GRANTS / BATCH, false, "32 MiB in turn");
	compare_copies(GRANTS / BATCH, true, "32 MiB in turn");
	compare_copies(1, false, "always the same 1 MiB, in the cache");
	compare_copies(1, true, "always the same 1 MiB, in the cache");
	shuffle();
	compare_copies(GRANTS / BATCH, false, "32 MiB in disorder");
}

static void local(void)
{
	device = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/xen/gntdev");
	grant();
	trips();
	files();
	cycles();
	copies();
}

static char buffer[1 << 16];

static void vchan_send(int domid, const char *path, size_t left)
{
	struct libxenvchan *channel = libxenvchan_server_init(NULL, domid, path,
							      sizeof(buffer),
							      sizeof(buffer));
	double begun, bytes = left;
	char byte;

	if (!channel)
		die("libxenvchan_server_init");
	channel->blocking = 1;
	if (libxenvchan_recv(channel, &byte, 1) != 1)
		die("libxenvchan_recv");
	begun = now();
	for (; left; left -= sizeof(buffer))
		if (libxenvchan_send(channel, buffer, sizeof(buffer)) < 0)
			die("libxenvchan_send");
	if (libxenvchan_recv(channel, &byte, 1) != 1)
		die("libxenvchan_recv");
	printf("vchan between two domains, rings of 64 KiB: %.0f MB/s\n",
	       bytes * 1e3 / (now() - begun));
	libxenvchan_close(channel);
}

static void vchan_receive(int domid, const char *path, size_t left)
{
	struct libxenvchan *channel = NULL;

	for (int i = 0; i < 500 && !channel; i++) {
		channel = libxenvchan_client_init(NULL, domid, path);
		usleep(10000);
	}
	if (!channel)
		die("libxenvchan_client_init");
	channel->blocking = 1;
	libxenvchan_send(channel, "", 1);
	for (; left; left -= sizeof(buffer))
		if (libxenvchan_recv(channel, buffer, sizeof(buffer)) < 0)
			die("libxenvchan_recv");
	libxenvchan_send(channel, "", 1);
	/* The other side reads it before this one ends. */
	while (libxenvchan_is_open(channel) == 1)
		usleep(1000);
	libxenvchan_close(channel);
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 4 ? strtoul(argv[4], NULL, 10) << 20 : 0;

	setlinebuf(stdout);
	if (argc == 2 && !strcmp(argv[1], "local"))
		local();
	else if (argc == 5 && !strcmp(argv[1], "send"))
		vchan_send(atoi(argv[2]), argv[3], bytes);
	else if (argc == 5 && !strcmp(argv[1], "receive"))
		vchan_receive(atoi(argv[2]), argv[3], bytes);
	else
		return 2;
	return 0;
}
