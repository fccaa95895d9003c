// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Areas, for the sweep. */
#define _GNU_SOURCE
#include <unistd.h>

#include "scenarios.h"
#include "../unit/areas.h"

#define RW (PROT_READ | PROT_WRITE)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void area_filled_and_emptied(void)
{
	struct gntdev_area_op ops[3] = {op_of(0, 0), op_of(2, 1), op_of(3, 2)};
	uint64_t index;

	if (area_at(AT(0), 4, RW, &index))
		return;
	req_area_map(world.file, index, ops, 3, NULL);
	peek(AT(0));
	poke(AT(0) + 2 * PAGE, 1);
	req_area_unmap(world.file, index, ops, 2, NULL);
	fill(index, 0, 1);
	task_munmap(world.task, AT(0), 4 * PAGE);
	req_unmap(world.file, index, 4);
}

static void area_changed(void)
{
	uint64_t index;

	if (area_at(AT(0), 4, RW, &index))
		return;
	fill(index, 1, 0);
	task_mprotect(world.task, AT(0), 4 * PAGE, PROT_READ);
	fill(index, 2, 1);
	peek(AT(0) + 2 * PAGE);
	task_mprotect(world.task, AT(0), 4 * PAGE, PROT_NONE);
	fill(index, 3, 2);
	task_mprotect(world.task, AT(0), 4 * PAGE, RW);
	poke(AT(0) + PAGE, 1);
	task_madvise(world.task, AT(0), 4 * PAGE, MADV_DONTNEED);
	task_reap(world.task);
	empty(index, 2);
	peek(AT(0) + PAGE);
	empty(index, 1);
	task_exit(world.task);
	world.task = NULL;
}

static void area_under_io(void)
{
	struct page *page;
	uint64_t index;
	bool held;

	if (area_at(AT(0), 2, RW, &index) || fill(index, 0, 0))
		return;
	held = !page_hold(world.task, AT(0), true, &page);
	empty(index, 0);
	fill(index, 0, 1);
	peek(AT(0));
	if (held)
		page_release(page);
	machine_advance(1000);
	empty(index, 0);
	task_munmap(world.task, AT(0), 2 * PAGE);
	req_unmap(world.file, index, 2);
}

static void area_with_notifications(void)
{
	struct channel c;
	uint64_t index;

	channel_open(&c);
	if (area_at(AT(0), 3, RW, &index)) {
		file_close(world.task, c.evtchn);
		return;
	}
	fill(index, 0, 0);
	fill(index, 1, 1);
	req_notify(world.file, index + 1,
		   UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT, c.port);
	req_notify(world.file, index + PAGE + 1,
		   UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT, c.port);
	empty(index, 0);
	file_close(world.task, world.file);
	world.file = NULL;
	task_munmap(world.task, AT(0), 3 * PAGE);
	file_close(world.task, c.evtchn);
}

/* More than one hypercall's worth. */
static void area_filled_with_many(void)
{
	static struct gntdev_area_op ops[130];
	uint64_t index;
	uint32_t i;

	if (area_at(AT(0), 130, RW, &index))
		return;
	for (i = 0; i < 130; i++)
		ops[i] = op_of(i, i % 3);
	req_area_map(world.file, index, ops, 130, NULL);
	req_area_unmap(world.file, index, ops, 130, NULL);
}

#define IN(modes, name) {#name, name, modes, false}

const struct scenario scenarios_area[] = {
	IN(IN_BOTH, area_filled_and_emptied),
	IN(IN_BOTH, area_changed),
	IN(IN_BOTH, area_under_io),
	IN(IN_BOTH, area_with_notifications),
	{"area_filled_with_many", area_filled_with_many, IN_BOTH, true},
};

const size_t nscenarios_area = ARRAY_SIZE(scenarios_area);
