// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The granter: a pool of pages that the controller grants to its own domain,
 * and the proof at the end that nobody holds one of them any more.
 *
 * Ending a grant is what the granter's kernel does when the pages are given
 * back to gntalloc. A grant that is still mapped somewhere cannot end; its
 * reference then stays out of the kernel's list of free ones, and is tried
 * again once a second. A reference that is handed out anew has ended. So the
 * proof allocates until it has seen every reference of the pool again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"
#include "xen_abi.h"

#define PROOF_SECONDS 90u
#define PROOF_STEP 64u
#define LIMIT_FILE "/sys/module/xen_gntalloc/parameters/limit"

int pool_fd = -1;

static long alloc(int fd, u32 count, u64 *index, u32 *refs)
{
	size_t bytes = offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids) +
		       count * sizeof(u32);
	struct ioctl_gntalloc_alloc_gref *a = calloc(1, bytes + sizeof(*a));
	long rc;

	if (!a)
		return -ENOMEM;
	a->domid = (u16)shm->domid;
	a->flags = GNTALLOC_FLAG_WRITABLE;
	a->count = count;
	rc = raw_ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, a);
	if (!rc) {
		*index = a->index;
		memcpy(refs, a->gref_ids, count * sizeof(*refs));
	}
	free(a);
	return rc;
}

/* Room for the pool, for what workers grant, and for the proof. */
static void raise_limit(void)
{
	u32 want = 2 * shm->pages + PROOF_SECONDS * PROOF_STEP + 1024;
	FILE *f = fopen(LIMIT_FILE, "r+");
	unsigned int is = 0;

	if (!f)
		return;
	if (fscanf(f, "%u", &is) == 1 && is < want) {
		rewind(f);
		fprintf(f, "%u", want);
	}
	fclose(f);
}

long pool_create(void)
{
	u64 index;
	long rc;

	raise_limit();
	pool_fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	if (pool_fd < 0)
		return -errno;
	rc = alloc(pool_fd, shm->pages, &index, shm->ref);
	if (rc)
		return rc;
	shm->pool_index = index;
	return granter_attach() ? 0 : -errno;
}

static u32 missing(const u8 *seen)
{
	u32 n = 0, i;

	for (i = 0; i < shm->pages; i++)
		n += !seen[i];
	return n;
}

static void mark(u8 *seen, const u32 *refs, u32 count)
{
	u32 i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < shm->pages; j++)
			if (shm->ref[j] == refs[i])
				seen[j] = 1;
}

static void report_missing(const u8 *seen)
{
	u32 i, told = 0;

	for (i = 0; i < shm->pages && told < 8; i++) {
		if (seen[i])
			continue;
		controller_finding(
			FOUND_GRANT,
			"grant %u (page %u of the pool) is still in use",
			shm->ref[i], i);
		told++;
	}
	if (missing(seen) > told)
		say("# and %u more grants", missing(seen) - told);
}

/* All workers are gone, and what they mapped with them. */
void pool_prove_free(void)
{
	static u8 seen[POOL_MAX];
	static u32 refs[POOL_MAX];
	u64 index;
	int fd;
	u32 i, n = shm->pages;

	granter_detach();
	close(pool_fd); /* gives all pages back */
	fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	for (i = 0; i < PROOF_SECONDS && missing(seen); i++) {
		if (fd < 0 || alloc(fd, n, &index, refs))
			break;
		mark(seen, refs, n);
		n = PROOF_STEP;
		if (!missing(seen))
			break;
		if (i % 10 == 0)
			say("# %u grants have not ended yet", missing(seen));
		pause_ms(1000);
	}
	if (missing(seen))
		report_missing(seen);
	else
		say("# all %u grants have ended (after %u s)", shm->pages, i);
	close(fd);
}
