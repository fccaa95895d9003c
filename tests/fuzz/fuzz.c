// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sequences of requests, mmaps, other domains' doings and failures, made of the
 * bytes that the fuzzer gives. Whatever they are: no hard failure, nothing lost
 * at the end, every grant can be ended, and what a program sees at a mapping is
 * the granter's page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../../include/xen/gntdev_more.h"
#include "fuzz.h"

typedef uint16_t domid_t;
#include <xen/evtchn.h>

struct fuzz f;
unsigned char *buffer;

/* ---- reading the input ---- */

unsigned int byte(void)
{
	if (!f.left)
		return 0;
	f.left--;
	return *f.data++;
}

unsigned int below(unsigned int n)
{
	return byte() % n;
}

struct task *some_task(unsigned int *n)
{
	unsigned int i = below(TASKS);

	if (!f.tasks[i])
		i = 0;
	if (n)
		*n = i;
	return f.tasks[i];
}

static struct range *some_range(void)
{
	return &f.ranges[below(sizeof(f.ranges) / sizeof(f.ranges[0]))];
}

struct slot *some_slot(unsigned long *at)
{
	unsigned int i = below(SLOTS);

	*at = AT(i);
	return &f.slots[i];
}

long request(struct task *task, struct file *file, unsigned int cmd, void *arg)
{
	long ret;

	if (!task || !file)
		return -EBADF;
	ret = file_ioctl(task, file, cmd, (unsigned long)arg, byte() == 255);
	EXPECT(ret > -200);
	return ret;
}

/* ---- requests ---- */

static void op_insert(void)
{
	struct ioctl_gntdev_map_grant_ref *op = (void *)buffer;
	struct range *r = &f.ranges[f.nranges++ % 8];
	unsigned int i;

	r->area = false;
	r->file = below(FILES);
	r->count = below(9);
	r->first = below(GRANTS);
	memset(op, 0, 256);
	op->count = r->count;
	for (i = 0; i < r->count; i++) {
		op->refs[i].domid = 1;
		op->refs[i].ref = f.refs[(r->first + i) % GRANTS];
	}
	if (request(some_task(NULL), f.files[r->file],
		    IOCTL_GNTDEV_MAP_GRANT_REF, op))
		r->count = 0;
	r->index = op->index;
}

static void op_remove(void)
{
	struct ioctl_gntdev_unmap_grant_ref *op = (void *)buffer;
	struct range *r = some_range();

	op->index = r->index;
	op->count = r->count + (byte() == 7);
	op->pad = 0;
	request(some_task(NULL), f.files[r->file], IOCTL_GNTDEV_UNMAP_GRANT_REF,
		op);
}

static void op_notify(void)
{
	struct ioctl_gntdev_unmap_notify *op = (void *)buffer;
	struct range *r = some_range();

	op->index = r->index + below(9) * PAGE + byte();
	op->action = below(4);
	op->event_channel_port = f.port + (byte() == 9);
	if (byte() == 9)
		op->action = byte();
	request(some_task(NULL), f.files[r->file],
		IOCTL_GNTDEV_SET_UNMAP_NOTIFY, op);
}

static void op_offset_and_max(void)
{
	struct ioctl_gntdev_get_offset_for_vaddr *op = (void *)buffer;
	struct ioctl_gntdev_set_max_grants *max = (void *)buffer;
	struct file *file = f.files[below(FILES)];
	unsigned long at;

	some_slot(&at);
	op->vaddr = at + below(2) * PAGE;
	request(some_task(NULL), file, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, op);
	if (below(4))
		return;
	max->count = byte() * 4;
	request(some_task(NULL), file, IOCTL_GNTDEV_SET_MAX_GRANTS, max);
}

/* One end of a copy: a grant, this process's memory, or a mapping. */
static void copy_side(struct gntdev_grant_copy_segment *s, bool dest)
{
	__typeof__(s->source) *side = dest ? &s->dest : &s->source;
	unsigned int kind = below(4);
	unsigned long at;

	if (kind < 2) {
		s->flags |= dest ? 2 : 1;
		side->foreign.domid = kind || byte() ? 1 : 0x7ff0;
		side->foreign.ref = f.refs[below(GRANTS)];
		side->foreign.offset = byte() * 17;
	} else if (kind == 2) {
		side->virt = buffer + 2 * PAGE + byte() * 64;
	} else {
		some_slot(&at);
		side->virt = (void *)(at + byte() * 16);
	}
}

static void op_copy(void)
{
	struct ioctl_gntdev_grant_copy *op = (void *)buffer;
	struct gntdev_grant_copy_segment *s = (void *)(buffer + 64);
	unsigned int i, repeat = below(16) ? 1 : 20;

	op->count = below(5);
	for (i = 0; i < op->count; i++) {
		memset(&s[i], 0, sizeof(*s));
		s[i].len = byte() * 20;
		copy_side(&s[i], false);
		copy_side(&s[i], true);
	}
	/* More than the driver takes at a time. */
	for (; repeat > 1 && op->count && i < op->count * repeat; i++)
		s[i] = s[i % op->count];
	op->count *= repeat;
	op->segments = s;
	request(some_task(NULL), f.files[below(FILES)], IOCTL_GNTDEV_GRANT_COPY,
		op);
}

/* Any request number with any bytes. */
static void op_raw(void)
{
	static const unsigned int requests[] = {
		IOCTL_GNTDEV_MAP_GRANT_REF,
		IOCTL_GNTDEV_UNMAP_GRANT_REF,
		IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
		IOCTL_GNTDEV_SET_MAX_GRANTS,
		IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
		IOCTL_GNTDEV_GRANT_COPY,
		_IOC(_IOC_NONE, 'G', 8, 8),
		IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS,
		IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED,
		IOCTL_GNTDEV_DMABUF_IMP_TO_REFS,
		IOCTL_GNTDEV_DMABUF_IMP_RELEASE,
		IOCTL_GNTDEV_RESTRICT,
		IOCTL_GNTDEV_MAP_STATUS,
		IOCTL_GNTDEV_GRANT_MEMORY,
		IOCTL_GNTDEV_UNGRANT_MEMORY,
		IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2,
		IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2,
	};
	const unsigned int known = sizeof(requests) / sizeof(requests[0]);
	unsigned int which = below(known + 2), i, cmd = 0;
	void *arg = buffer;

	if (which < known)
		cmd = requests[which];
	else
		cmd = 'G' << 8 | byte() | byte() << 16;
	for (i = 0; i < 24; i++)
		buffer[i] = byte();
	/* At the end of what can be read, or nowhere. */
	if (which == known + 1)
		arg = memmove(buffer + BUFFER - 8, buffer, 8);
	request(some_task(NULL), f.files[below(FILES)], cmd, arg);
}

/* ---- mappings ---- */

void check_slot(const struct slot *s, unsigned long at)
{
	unsigned int i;
	unsigned char seen;

	for (i = 0; i < s->count; i++) {
		if (task_load(f.tasks[s->task], at + i * PAGE, &seen, 1))
			continue;
		EXPECT(seen ==
		       domain_memory(f.granter)[f.pfns[(s->first + i) % GRANTS] *
						PAGE]);
	}
}

static void op_mmap(void)
{
	static const int prots[] = {RW, PROT_READ, RW, PROT_NONE};
	struct range *r = some_range();
	int prot = prots[below(4)], flags = MAP_SHARED, ret;
	unsigned int task, odd = byte();
	struct slot *s;
	unsigned long at;

	s = some_slot(&at);
	if (!some_task(&task) || !f.files[r->file] || !r->count)
		return;
	if (odd == 1)
		flags = MAP_PRIVATE;
	ret = task_mmap(f.tasks[task], f.files[r->file], at,
			(r->count + (odd == 2)) * PAGE, prot, flags,
			r->index + (odd == 3 ? PAGE : 0), NULL);
	EXPECT(ret <= 0 && ret > -200 && ret != -EAGAIN);
	if (ret) {
		/* What lay there may be gone, or not. */
		return;
	}
	*s = (struct slot){
		.used = true,
		.task = task,
		.first = r->first,
		.count = r->area ? 0 : r->count,
		.area = r->area ? r->index + 1 : 0,
		.file = r->file,
	};
	if (odd == 3)
		s->area = 0;
	/* A page further on may be another range of that length. */
	if (odd != 3)
		check_slot(s, at);
}

static void op_munmap(void)
{
	unsigned int from = below(2), count = below(3), task;
	struct slot *s;
	unsigned long at;

	s = some_slot(&at);
	task = s->task;
	if (!f.tasks[task])
		return;
	if (count == 2) {
		task_munmap(f.tasks[task], at, AT(1) - AT(0));
		s->used = false;
	} else {
		task_munmap(f.tasks[task], at + from * PAGE,
			    (count + 1) * PAGE);
	}
}

static void op_change(void)
{
	static const int advice[] = {MADV_DONTNEED, MADV_DOFORK,
				     MADV_DONTFORK, MADV_DODUMP,
				     MADV_WILLNEED, MADV_REMOVE};
	unsigned int how = below(8), part = below(3);
	struct task *task = some_task(NULL);
	size_t len = part ? part * PAGE : AT(1) - AT(0);
	unsigned long at, to;
	struct slot *s;

	s = some_slot(&at);
	if (!task)
		return;
	switch (how) {
	case 0:
		task_mprotect(task, at, len, RW);
		break;
	case 1:
		task_mprotect(task, at, len, PROT_READ);
		break;
	case 2:
		task_mprotect(task, at, len, PROT_NONE);
		break;
	case 3:
		task_madvise(task, at, len, advice[below(6)]);
		break;
	case 4:
		task_clear_refs(task, 4);
		break;
	case 5:
		task_reap(task);
		break;
	case 6:
		task_invalidate(task, at, len);
		break;
	case 7:
		some_slot(&to);
		len = s->count * PAGE;
		if (to != at && s->count)
			task_mremap(task, at, len, below(2) ? len : PAGE,
				    below(2) ? MREMAP_MAYMOVE
					     : MREMAP_MAYMOVE | MREMAP_FIXED,
				    to);
		break;
	}
}

static void op_touch(void)
{
	struct task *task = some_task(NULL);
	unsigned char value = byte();
	unsigned long at;

	some_slot(&at);
	if (!task)
		return;
	at += below(9) * PAGE + byte();
	if (value & 1)
		task_store(task, at, &value, 1);
	else
		task_load(task, at, &value, 1);
}

static void op_hold(void)
{
	struct page **hold = &f.holds[below(HOLDS)];
	struct task *task = some_task(NULL);
	unsigned long at;

	some_slot(&at);
	if (*hold)
		page_release(*hold);
	*hold = NULL;
	if (task && below(2) &&
	    page_hold(task, at + below(8) * PAGE, below(2), hold))
		*hold = NULL;
}

/* ---- processes, files, time, peers, failures ---- */

static void op_process(void)
{
	unsigned int parent, n = 1 + below(TASKS - 1), how = below(4);

	some_task(&parent);
	if (how == 0 && f.tasks[n]) {
		task_exit(f.tasks[n]);
		f.tasks[n] = NULL;
	} else if (how == 1 && !f.tasks[n]) {
		if (task_fork(f.tasks[parent], getpid(), &f.tasks[n]))
			f.tasks[n] = NULL;
	} else if (how == 2 && f.tasks[n]) {
		task_exec(f.tasks[n]);
	} else if (how == 3 && n != 0 && f.tasks[n]) {
		task_kill(f.tasks[n]);
	}
}

static void op_file(void)
{
	unsigned int n = below(FILES), how = below(3);
	struct task *task = some_task(NULL);
	struct range *r;

	if (f.files[n] && how == 0) {
		file_close(below(2) ? task : NULL, f.files[n]);
		f.files[n] = NULL;
		for (r = f.ranges; r < f.ranges + 8; r++) {
			if (r->file == n)
				r->count = 0;
		}
	} else if (f.files[n] && how == 1) {
		file_dup(f.files[n]);
		file_close(task, f.files[n]);
	} else if (!f.files[n] && task) {
		if (file_open(task, "gntdev", below(4) ? O_RDWR : O_RDONLY,
			      &f.files[n]))
			f.files[n] = NULL;
	}
}

static void op_event_channel(void)
{
	struct ioctl_evtchn_bind_interdomain *op = (void *)buffer;
	long port;

	if (f.evtchn) {
		file_close(f.tasks[0], f.evtchn);
		f.evtchn = NULL;
		f.port = 0;
		return;
	}
	if (file_open(f.tasks[0], "evtchn", O_RDWR, &f.evtchn)) {
		f.evtchn = NULL;
		return;
	}
	op->remote_domain = 1;
	op->remote_port = f.peer_port;
	port = file_ioctl(f.tasks[0], f.evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN,
			  (unsigned long)op, false);
	f.port = port > 0 ? port : 0;
}

static void op_peer(void)
{
	unsigned int i = below(GRANTS), how = below(4);
	long ref;

	switch (how) {
	case 0:
		domain_revoke(f.granter, f.refs[i]);
		break;
	case 1:
	case 2:
		/* Granted again, writable or not: the same reference. */
		if (domain_ungrant(f.granter, f.refs[i]))
			break;
		ref = domain_grant(f.granter, 0, f.pfns[i], how == 2);
		EXPECT(ref == f.refs[i]);
		break;
	case 3:
		domain_memory(f.granter)[f.pfns[i] * PAGE] = byte();
		break;
	}
}

static void op_fail(void)
{
	static const int16_t statuses[] = {-1, -3, -7, -12, -100, 1, 3};
	unsigned int how = below(4);

	switch (how) {
	case 0:
		machine_fail_none();
		break;
	case 1:
		machine_fail_nth(1 + byte(), below(8), false);
		break;
	case 2:
		machine_fail_nth(1 + byte(), below(8), true);
		break;
	case 3:
		machine_fail_op(below(MACHINE_OPS), 1 + below(8),
				statuses[below(7)]);
		break;
	}
}

static void op_time(void)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	/* The people who run the host look at times; it changes nothing. */
	machine_holdings(nowhere);
	machine_advance(byte() * 4);
}

static void (*const ops[])(void) = {
	op_insert,     op_insert,	 op_area,	    op_remove,
	op_notify,     op_operate,	 op_offset_and_max, op_copy,
	op_raw,	       op_mmap,		 op_mmap,	    op_mmap,
	op_munmap,     op_change,	 op_touch,	    op_hold,
	op_file,       op_event_channel, op_peer,	    op_fail,
	op_time,       op_process,	 op_munmap,	    op_copy,
	op_export,     op_export,	 op_use_buffer,	    op_use_buffer,
	op_use_buffer, op_share_buffer,	 op_share_buffer,   op_import,
	op_lend,       op_lend,		 op_lend,	    op_restrict_or_tell,
};

/* ---- a sequence ---- */

static void start(void)
{
	struct machine_config config = {
		.mode = below(2) ? MACHINE_XLAT : MACHINE_PV,
		.clock = MACHINE_TEST_TIME,
		.domain_pages = 64,
		.grant_entries = 64,
		.maptrack = below(4) ? 0 : 20,
		.driver_limit = below(4) ? 0 : 6,
	};
	unsigned int i;

	/* As on real Xen. */
	machine_no_pin = config.mode == MACHINE_PV ? PAGE : 256;
	EXPECT(!machine_start(&config));
	f.granter = domain_get(1);
	f.mapper = domain_get(0);
	f.tasks[0] = task_new(f.mapper, getpid());
	EXPECT(!file_open(f.tasks[0], "gntdev", O_RDWR, &f.files[0]));
	for (i = 0; i < GRANTS; i++) {
		f.pfns[i] = domain_page_alloc(f.granter);
		domain_memory(f.granter)[f.pfns[i] * PAGE] = 'A' + i;
		f.refs[i] = domain_grant(f.granter, 0, f.pfns[i], i % 8 == 7);
	}
	f.peer_port = domain_port_unbound(f.granter, 0);
}

static void stop(void)
{
	unsigned int i;
	bool ended;

	machine_fail_none();
	buffers_end();
	for (i = 0; i < HOLDS; i++) {
		if (f.holds[i])
			page_release(f.holds[i]);
	}
	for (i = 0; i < TASKS; i++) {
		if (f.tasks[i])
			task_exit(f.tasks[i]);
	}
	for (i = 0; i < FILES; i++) {
		if (f.files[i])
			file_close(NULL, f.files[i]);
	}
	if (f.evtchn)
		file_close(NULL, f.evtchn);
	machine_advance(2000);
	for (i = 0; i < GRANTS; i++) {
		ended = !domain_ungrant(f.granter, f.refs[i]);
		EXPECT(ended || machine_refused(1, f.refs[i]));
	}
	EXPECT(machine_stop(stderr) == 0);
}

/*
 * What is freed need not be remembered for longer than some sequences; most of
 * the time went into larger books of it.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8:malloc_context_size=10";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int n;

	if (!buffer) {
		buffer = mmap(NULL, BUFFER + PAGE, RW,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		EXPECT(buffer != MAP_FAILED);
		munmap(buffer + BUFFER, PAGE);
	}
	memset(&f, 0, sizeof(f));
	f.data = data;
	f.left = size;
	start();
	for (n = 0; f.left && n < MAX_OPS; n++)
		ops[below(sizeof(ops) / sizeof(ops[0]))]();
	stop();

	return 0;
}
