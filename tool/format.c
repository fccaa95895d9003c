// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Numbers, ages and names as people read them, and what terminals can. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "holdings.h"

void printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

const char *with_commas(uint64_t number, char text[TEXT])
{
	char digits[TEXT];
	size_t length =
		snprintf(digits, TEXT, "%llu", (unsigned long long)number);
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';

	return text;
}

const char *short_number(double number, char text[TEXT])
{
	static const char units[] = " kMGTPE";
	int unit = 0;

	while (number >= 999.5 && units[unit + 1]) {
		number /= 1000;
		unit++;
	}
	if (!unit && number == (int)number)
		snprintf(text, TEXT, "%d", (int)number);
	else if (number < 99.95)
		snprintf(text, TEXT, "%.1f%c", number, units[unit]);
	else
		snprintf(text, TEXT, "%.0f%c", number, units[unit]);
	if (!unit)
		text[strcspn(text, " ")] = '\0';

	return text;
}

const char *short_age(uint32_t seconds, char text[TEXT])
{
	if (seconds < 120)
		snprintf(text, TEXT, "%us", seconds);
	else if (seconds < 120 * 60)
		snprintf(text, TEXT, "%um", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(text, TEXT, "%uh", seconds / 3600);
	else
		snprintf(text, TEXT, "%ud", seconds / 86400);

	return text;
}

const char *user_name(uint32_t uid, char text[TEXT])
{
	const struct passwd *entry = getpwuid(uid);

	if (entry)
		snprintf(text, TEXT, "%s", entry->pw_name);
	else
		snprintf(text, TEXT, "%u", uid);

	return text;
}

bool is_terminal(int fd)
{
	const char *terminal = getenv("TERM");

	return isatty(fd) && terminal && strcmp(terminal, "dumb");
}

const char *colour(bool terminal, const char *code)
{
	const char *refused = getenv("NO_COLOR");

	return terminal && !(refused && *refused) ? code : "";
}

int terminal_columns(int fd)
{
	struct winsize size;

	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;

	return 80;
}

int terminal_rows(int fd)
{
	struct winsize size;

	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_row)
		return size.ws_row;

	return 24;
}
