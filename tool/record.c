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
#include "../machine/parent.h"

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
	server_hurry(fd);
	/* A packet that the server did not read would cost what it has sent. */
	shutdown(fd, SHUT_WR);
	while (record_read(fd, decoder))
		;
	fflush(decoder->out);
	record_forget(decoder);
	close(fd);
}

/* Processes that are wanted, by their numbers. */
struct family {
	size_t count;
	int *members;
};

static bool is_member(const struct family *family, int process)
{
	for (size_t i = family ? family->count : 0; i > 0; i--) {
		if (family->members[i - 1] == process)
			return true;
	}

	return false;
}

static void add(struct decoder *decoder, int process)
{
	struct family *family = decoder->family;

	if (is_member(family, process))
		return;
	if (!family)
		family = decoder->family = calloc(1, sizeof(*family));
	if (family)
		family->members = realloc(family->members,
					  (family->count + 1) * sizeof(int));
	if (!family || !family->members)
		die(STATUS_FAILED, "no memory");
	family->members[family->count++] = process;
}

void record_process(struct decoder *decoder, int process, int parent,
		    uint32_t run)
{
	if ((decoder->run && decoder->run == run) ||
	    (decoder->process && (decoder->process == parent ||
				  is_member(decoder->family, parent))))
		add(decoder, process);
}

/* One that was there before may be asked for where it is listed. */
static bool is_older_child(const struct decoder *decoder, int process)
{
	while (process > 1 && process != decoder->process)
		process = parent_of(process);

	return process > 1;
}

bool record_is_wanted(const struct decoder *decoder, int process)
{
	if (!decoder->process && !decoder->run)
		return true;
	if (process == decoder->process || is_member(decoder->family, process))
		return true;

	return decoder->process && is_older_child(decoder, process);
}

void record_forget(struct decoder *decoder)
{
	if (decoder->family)
		free(decoder->family->members);
	free(decoder->family);
	decoder->family = NULL;
}
