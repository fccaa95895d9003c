// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A machine's trace: lines from its server, until it or the reader ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"
#include "trace.h"

int record_begin(const struct machine *machine)
{
	struct hello hello = {
		.magic = PROTOCOL_MAGIC,
		.version = PROTOCOL_VERSION,
		.kind = CONNECTION_TRACE,
	};
	int fd = folder_connect(machine, SOCKET_FILE, SOCK_SEQPACKET);
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	if (fd < 0)
		die(STATUS_FAILED, "%s: no machine is there", machine->folder);
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
	    !server_receive(fd, &answer, text, sizeof(text)))
		die(STATUS_FAILED, "%s: its server does not answer",
		    machine->folder);
	if (answer.value < 0)
		die(STATUS_FAILED, "%s: %s", machine->folder, text);
	server_wait(fd);

	return fd;
}

bool record_read(int fd, struct decoder *decoder)
{
	char text[ANSWER_BYTES + 1];
	struct answer answer;

	if (!server_receive(fd, &answer, text, sizeof(text)))
		return false;
	decode_bytes(decoder, text, answer.bytes);

	return true;
}

void record_end(int fd, struct decoder *decoder)
{
	struct request request = {.op = OP_END};

	server_hurry(fd);
	/* If it has ended already, there may be something of it. */
	(void)!send(fd, &request, sizeof(request), MSG_NOSIGNAL);
	while (record_read(fd, decoder))
		;
	fflush(decoder->out);
	close(fd);
}

static int parent_of(int process)
{
	char path[64], text[512], *end;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", process);
	file = fopen(path, "re");
	if (!file)
		return 0;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	/* A command may have brackets in it: PID (command) S PPID */
	end = strrchr(text, ')');

	return end && strlen(end) > 4 ? atoi(end + 4) : 0;
}

/* Once known, one may have ended when its last lines come. */
bool record_is_child(int process, int other)
{
	static struct {
		int process, child;
	} seen[256];
	size_t slot = (unsigned int)other % 256;
	int parent;

	if (seen[slot].child == other && seen[slot].process == process)
		return true;
	for (parent = other; parent > 1; parent = parent_of(parent)) {
		if (parent != process)
			continue;
		seen[slot].process = process;
		seen[slot].child = other;
		return true;
	}

	return false;
}
