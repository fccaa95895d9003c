// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* gntdev top: instances, busiest first, with rates. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "holdings.h"
#include "tool.h"

static const char usage[] =
	"usage: gntdev top [OPTION]...\n"
	"\n"
	"Shows who uses the Xen grant device, live: pages that are held, and how\n"
	"many are mapped, unmapped and copied in a second. On a terminal, q ends it.\n"
	"\n"
	"  --interval S     seconds from one table to the next (1)\n"
	"  --count N        end after N tables\n"
	"  --domain N       only who holds something of domain N\n"
	"  --machine DIR    of the machine in DIR, not of this Xen host\n"
	"  --help           show this\n";

#define BOLD "\033[1m"
#define PLAIN "\033[0m"
/* Another screen without a cursor; and back. */
#define BEGIN "\033[?1049h\033[?25l"
#define END "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define REST_OF_LINE "\033[K"
#define REST_OF_SCREEN "\033[J"

struct top {
	struct view view;
	double interval;
	unsigned long count; /* 0: until it is ended */
	bool terminal;
	bool keys; /* standard input is a terminal too */
	struct termios before;
};

struct row {
	const struct user *user;
	char domains[TEXT];
	uint64_t pages;
	double maps, unmaps, copies, bytes; /* a second */
};

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (now - before) / seconds : 0;
}

/* What an instance holds now, and whether it is of the domain that is wanted. */
static bool sum_up(const struct top *top, const struct holdings *h,
		   struct row *row)
{
	bool several = false, wanted = top->view.domain < 0, any = false;
	uint32_t domain = 0;

	for (size_t i = 0; i < h->thing_count; i++) {
		const struct thing *thing = &h->things[i];

		if (thing->instance != row->user->instance)
			continue;
		several |= any && thing->domain != domain;
		domain = thing->domain;
		any = true;
		wanted |= thing->domain == (uint32_t)top->view.domain;
		row->pages += thing->pages;
	}
	if (!any)
		strcpy(row->domains, "-");
	else if (several)
		strcpy(row->domains, "several");
	else
		snprintf(row->domains, TEXT, "%u", domain);

	return wanted;
}

static int by_use(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	double one = a->bytes + 4096 * (a->maps + a->unmaps);
	double other = b->bytes + 4096 * (b->maps + b->unmaps);

	if (one != other)
		return one > other ? -1 : 1;
	if (a->pages != b->pages)
		return a->pages > b->pages ? -1 : 1;

	return a->user->instance < b->user->instance ? -1 : 1;
}

static size_t make_rows(const struct top *top, const struct holdings *now,
			const struct holdings *before, double seconds,
			struct row *rows)
{
	static const struct user none;
	const struct user *old;
	size_t count = 0;
	struct row *row;

	for (size_t i = 0; i < now->user_count; i++) {
		row = &rows[count];
		*row = (struct row){.user = &now->users[i]};
		if (!sum_up(top, now, row))
			continue;
		old = holdings_user(before, row->user->instance) ?: &none;
		row->maps = rate(row->user->maps, old->maps, seconds);
		row->unmaps = rate(row->user->unmaps, old->unmaps, seconds);
		row->copies = rate(row->user->copies, old->copies, seconds);
		row->bytes = rate(row->user->bytes, old->bytes, seconds);
		count++;
	}
	qsort(rows, count, sizeof(*rows), by_use);

	return count;
}

static void print_line(const struct top *top, const char *code,
		       const char *line)
{
	int columns = top->terminal ? terminal_columns(1) : 256;

	printf("%s%.*s%s%s\n", colour(top->terminal, code), columns, line,
	       colour(top->terminal, *code ? PLAIN : ""),
	       top->terminal ? REST_OF_LINE : "");
}

static void print_head(const struct top *top, const struct holdings *h,
		       size_t instances)
{
	char line[256], one[TEXT], two[TEXT], three[TEXT];

	snprintf(line, sizeof(line),
		 "%zu instances, %s pages mapped, %s deferred, %ld leaked",
		 instances, with_commas(h->mapped, one),
		 with_commas(h->deferred, two), h->leaked);
	print_line(top, "", line);
	snprintf(line, sizeof(line),
		 "handles: %s of %s, if Xen was not told otherwise; grant frames: %lu of %lu",
		 with_commas(h->handles, one),
		 with_commas(USUAL_HANDLES, three), h->frames, h->max_frames);
	print_line(top, "", line);
	print_line(top, "", "");
	snprintf(line, sizeof(line), "%7s %-8s %7s %9s %7s %8s %8s %7s %s",
		 "PID", "USER", "DOMAIN", "PAGES", "MAPS/s", "UNMAPS/s",
		 "COPIES/s", "BYTES/s", "COMMAND");
	print_line(top, BOLD, line);
}

static void print_row(const struct top *top, const struct row *row)
{
	char line[256], text[6][TEXT];

	snprintf(line, sizeof(line), "%7d %-8.8s %7s %9s %7s %8s %8s %7s %s",
		 row->user->process, user_name(row->user->owner, text[0]),
		 row->domains, with_commas(row->pages, text[1]),
		 short_number(row->maps, text[2]),
		 short_number(row->unmaps, text[3]),
		 short_number(row->copies, text[4]),
		 short_number(row->bytes, text[5]), row->user->command);
	print_line(top, "", line);
}

static void print_table(const struct top *top, const struct holdings *now,
			const struct holdings *before, double seconds)
{
	struct row *rows = calloc(now->user_count + 1, sizeof(*rows));
	size_t count, room = SIZE_MAX;

	if (!rows)
		die(STATUS_FAILED, "no memory");
	count = make_rows(top, now, before, seconds, rows);
	if (top->terminal) {
		fputs(HOME, stdout);
		room = terminal_rows(1) > 5 ? terminal_rows(1) - 5 : 1;
	}
	print_head(top, now, count);
	for (size_t i = 0; i < count && i < room; i++)
		print_row(top, &rows[i]);
	if (top->terminal)
		fputs(REST_OF_SCREEN, stdout);
	free(rows);
	output_end("the table");
}

/* ---- the terminal ---- */

static void take_terminal(struct top *top)
{
	struct termios raw;

	if (!top->terminal)
		return;
	if (top->keys) {
		raw = top->before;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(0, TCSANOW, &raw);
	}
	fputs(BEGIN, stdout);
	fflush(stdout);
}

static void give_terminal(const struct top *top)
{
	if (!top->terminal)
		return;
	fputs(END, stdout);
	fflush(stdout);
	if (top->keys)
		tcsetattr(0, TCSANOW, &top->before);
}

static struct top the_top = {
	.view = {.command = "top", .domain = -1},
	.interval = 1,
};

/* However it ends, but by SIGKILL. */
static void at_exit(void)
{
	give_terminal(&the_top);
}

static int open_signals(sigset_t *set)
{
	static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,
				      SIGQUIT, SIGTSTP, SIGWINCH};
	int fd;

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaddset(set, numbers[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	fd = signalfd(-1, set, SFD_CLOEXEC);
	if (fd < 0)
		die(STATUS_FAILED, "signalfd: %s", strerror(errno));

	return fd;
}

/* Ctrl-Z: the terminal is the shell's until we go on. */
static void stop(struct top *top)
{
	give_terminal(top);
	raise(SIGSTOP);
	take_terminal(top);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Waits for the next table; the signal that ends it, -1 for q, or 0. */
static int wait_for(struct top *top, int signals, double until)
{
	struct pollfd pollers[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = top->terminal && top->keys ? 0 : -1, .events = POLLIN},
	};
	struct signalfd_siginfo info;
	double left;
	char key;

	while ((left = until - seconds_now()) > 0) {
		if (poll(pollers, 2, left * 1000 + 1) <= 0)
			continue;
		if (pollers[1].revents &&
		    (read(0, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return -1;
		if (!pollers[0].revents ||
		    read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGTSTP)
			stop(top);
		else if (info.ssi_signo != SIGWINCH)
			return info.ssi_signo;
		/* The screen is another, or has another size. */
		return 0;
	}

	return 0;
}

static int watch(struct top *top)
{
	struct holdings now = {0}, before;
	double last, next;
	sigset_t set;
	int signals = open_signals(&set), end;

	holdings_read(&before, top->view.machine);
	atexit(at_exit);
	take_terminal(top);
	last = seconds_now();
	for (unsigned long n = 0; !top->count || n < top->count; n++) {
		/* Rates need two looks; the first table comes soon. */
		next = last + (n ? top->interval : 0.2);
		if (n == 0 && top->interval < 0.2)
			next = last + top->interval;
		end = wait_for(top, signals, next);
		if (end < 0)
			break;
		if (end) {
			give_terminal(top);
			top->terminal = false;
			signal(end, SIG_DFL);
			sigprocmask(SIG_UNBLOCK, &set, NULL);
			raise(end);
		}
		holdings_read(&now, top->view.machine);
		next = seconds_now();
		if (n && !top->terminal)
			putchar('\n');
		print_table(top, &now, &before, next - last);
		last = next;
		holdings_free(&before);
		before = now;
	}
	holdings_free(&before);

	return 0;
}

static void parse(struct top *top, int argc, char **argv)
{
	static const struct option known[] = {
		{"interval", required_argument, NULL, 'i'},
		{"count", required_argument, NULL, 'n'},
		VIEW_OPTIONS,
	};
	int option;

	while ((option = view_option(&top->view, argc, argv, "", known,
				     usage)) != -1) {
		if (option == 'i')
			top->interval =
				parse_number("--interval", optarg, 86400);
		else
			top->count =
				parse_whole("--count", optarg, 1, 1000000000);
	}
	view_no_more(&top->view, argc, argv);
}

int top_main(int argc, char **argv)
{
	struct top *top = &the_top;

	parse(top, argc, argv);
	top->terminal = is_terminal(1);
	top->keys = !tcgetattr(0, &top->before);

	return watch(top);
}
