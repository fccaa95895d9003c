// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Options that commands which look at a host or a machine have in common. */
#include <stdlib.h>

#include "tool.h"

int view_option(struct view *view, int argc, char **argv, const char *letters,
		const struct option *known, const char *usage)
{
	int option;

	while ((option = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		switch (option) {
		case 'd':
			view->domain = parse_domain("--domain", optarg);
			break;
		case 'M':
			if (!*optarg)
				die(STATUS_FAILED,
				    "--machine: expected a directory");
			view->machine = optarg;
			break;
		case 'h':
			exit(print(usage));
		case '?':
			complain("see %s %s --help", argv[0], view->command);
			exit(STATUS_FAILED);
		default:
			return option;
		}
	}

	return -1;
}

void view_no_more(const struct view *view, int argc, char **argv)
{
	if (optind < argc)
		die(STATUS_FAILED, "%s: %s is too much", view->command,
		    argv[optind]);
}
