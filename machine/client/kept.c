// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Descriptors of our own: out of the program's way, and a few that are kept for
 * when it has used up all others; and whether a number is the same to all threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "client.h"

#define SPARES 3
#define FEW 32

static atomic_int spares[SPARES] = {-1, -1, -1};
/* One that is never lent. */
static atomic_int held = -1;

/* ---- tables ---- */

static atomic_bool parted;

bool tables_are_parted(void)
{
	return parted;
}

bool tables_are_apart(void)
{
	return parted || connect_is_guest();
}

/* A process of one thread has one table. */
static bool is_alone(void)
{
	struct stat status;

	return !raw(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &status, 0) &&
	       status.st_nlink == 3;
}

void tables_part(void)
{
	int saved = errno;

	if (channel_on() && !connect_is_guest() && !is_alone())
		parted = true;
	errno = saved;
}

void tables_after_fork(void)
{
	parted = false;
}

/* ---- those that are kept ---- */

void kept_hold(int fd)
{
	held = fd < 0 ? fd : kept_move_up(fd);
}

int kept_held(void)
{
	return tables_are_apart() ? -1 : held;
}

/* Programs count on low numbers, or close them. */
int kept_move_up(int fd)
{
	struct rlimit limit;
	int from = 1024, higher;

	if (!raw(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) &&
	    limit.rlim_cur < 1024)
		from = limit.rlim_cur;
	from = from > 160 ? from - 80 : from / 2;
	higher = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from);
	if (higher < 0)
		return fd;
	raw(SYS_close, fd);

	return higher;
}

bool kept_lend(void)
{
	bool lent = false;
	int fd;

	if (tables_are_apart())
		return false;
	for (int i = 0; i < SPARES; i++) {
		fd = atomic_exchange(&spares[i], -1);
		if (fd >= 0)
			lent |= !raw(SYS_close, fd);
	}

	return lent;
}

/* Where there are hardly any, all are the program's. */
static bool are_few(void)
{
	struct rlimit limit;

	return !raw(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) &&
	       limit.rlim_cur < FEW;
}

void kept_regain(void)
{
	int saved = errno, fd, none;

	if (tables_are_apart() || are_few())
		return;
	for (int i = 0; i < SPARES; i++) {
		none = -1;
		if (spares[i] >= 0)
			continue;
		fd = raw(SYS_eventfd2, 0, EFD_CLOEXEC);
		if (fd < 0)
			break;
		fd = kept_move_up(fd);
		if (!atomic_compare_exchange_strong(&spares[i], &none, fd))
			raw(SYS_close, fd);
	}
	errno = saved;
}

int kept_next(int from)
{
	int next = held >= from ? held : -1, fd;

	for (int i = 0; i < SPARES; i++) {
		fd = spares[i];
		if (fd >= from && (next < 0 || fd < next))
			next = fd;
	}

	return next;
}

bool kept_forget(int fd)
{
	int other;

	for (int i = 0; i < SPARES; i++) {
		other = fd;
		if (atomic_compare_exchange_strong(&spares[i], &other, -1))
			return true;
	}
	other = fd;

	return atomic_compare_exchange_strong(&held, &other, -1);
}
