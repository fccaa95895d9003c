// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a program sees of a mapped device, on its way there. Neighbours in both
 * the program's and the owner's memory are one segment, and all segments of a
 * packet are in one descriptor. What a program may only read it gets through a
 * descriptor that was opened for reading: so no mprotect() helps it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/* Descriptors for reading, by the number of those they were made of. */
static int *readers;
static int reader_count;

int view_reader(int memory)
{
	char path[64];
	int fd;

	pthread_mutex_lock(&state);
	while (reader_count <= memory) {
		readers = realloc(readers, (reader_count + 1) * sizeof(int));
		if (!readers)
			server_fail("no memory");
		readers[reader_count++] = -1;
	}
	fd = readers[memory];
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		readers[memory] = fd;
	}
	pthread_mutex_unlock(&state);

	return fd;
}

void view_forget(void)
{
	for (int i = 0; i < reader_count; i++) {
		if (readers[i] >= 0)
			close(readers[i]);
	}
	free(readers);
	readers = NULL;
	reader_count = 0;
}

static void flush(struct view_stream *stream, uint32_t more)
{
	struct answer answer = {
		.flags = stream->flags | more,
		.bytes = stream->count * sizeof(struct segment),
	};

	if (stream->memory >= 0)
		answer.flags |= ANSWER_FD;
	if (!stream->lost)
		stream->lost = !answer_send(stream->fd, &answer,
					    stream->segments, stream->memory);
	stream->count = 0;
}

static bool continues(const struct segment *segment, uint64_t address,
		      uint64_t offset)
{
	uint64_t size = segment->pages * MACHINE_PAGE;

	return address == segment->address + size &&
	       offset == segment->offset + size;
}

static void add_page(struct view_stream *stream, uint64_t address, int memory,
		     uint64_t offset)
{
	struct segment *last;

	if (stream->count && stream->memory == memory) {
		last = &stream->segments[stream->count - 1];
		if (continues(last, address, offset)) {
			last->pages++;
			return;
		}
	}

	if (stream->count &&
	    (stream->memory != memory || stream->count == SEGMENTS))
		flush(stream, ANSWER_MORE);
	stream->memory = memory;
	stream->segments[stream->count++] = (struct segment){
		.address = address,
		.offset = offset,
		.pages = 1,
	};
}

bool view_is_ready(const struct view *view)
{
	const struct view_page *page = view->pages;

	for (; page < view->pages + view->count; page++) {
		if (page->present && !page->writable && page->reader < 0 &&
		    view_reader(page->fd) < 0)
			return false;
	}

	return true;
}

void view_add(struct view_stream *stream, const struct view *view)
{
	const struct view_page *page;
	uint64_t address = view->addr;

	for (size_t i = 0; i < view->count; i++, address += MACHINE_PAGE) {
		page = &view->pages[i];
		/* Absent pages are alike: offsets that continue make one of them. */
		if (!page->present)
			add_page(stream, address, -1, address);
		else if (page->writable)
			add_page(stream, address, page->fd, page->offset);
		else
			add_page(stream, address,
				 page->reader < 0 ? view_reader(page->fd)
						  : page->reader,
				 page->offset);
	}
}

bool view_end(struct view_stream *stream)
{
	if (!stream->count)
		stream->memory = -1;
	flush(stream, 0);

	return !stream->lost;
}
