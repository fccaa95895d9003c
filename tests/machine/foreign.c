// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * foreign PATH silent|deaf: listens where a machine's server would. It takes
 * connections and says nothing, or takes none and has no room for any. A line
 * says that it is there; it ends with its standard input.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int make(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = make();
	char byte;

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "usage: foreign PATH silent|deaf\n");
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 0)) {
		perror(argv[1]);
		return 1;
	}
	/* The one that fits in. */
	if (!strcmp(argv[2], "deaf") &&
	    connect(make(), (struct sockaddr *)&address, sizeof(address))) {
		perror(argv[1]);
		return 1;
	}
	puts("listening");
	fflush(stdout);

	if (strcmp(argv[2], "deaf") && fork() == 0) {
		/* Until the parent takes its listener away, or is killed. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (accept(listener, NULL, NULL) >= 0)
			;
		return 0;
	}
	(void)!read(STDIN_FILENO, &byte, 1);
	shutdown(listener, SHUT_RDWR);

	return 0;
}
