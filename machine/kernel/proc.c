// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The driver's file in /proc, as its readers go through it. */
#include <stdlib.h>

#include "alloc.h"
#include "calls.h"
#include "faults.h"
#include "files.h"

/* Lines that one read() takes; between two reads things may change. */
#define LINES 7

struct proc_dir_entry {
	const char *name;
	const struct seq_operations *ops;
	unsigned int size;
};

static struct proc_dir_entry entry;

struct proc_dir_entry *proc_create_seq_private(const char *name, mode_t mode,
					       struct proc_dir_entry *parent,
					       const struct seq_operations *ops,
					       unsigned int size, void *data)
{
	unsigned int variant;

	might_sleep();
	if (mode != 0400 || parent || data)
		machine_fatal("proc_create of %s: expected a file for root",
			      name);
	if (entry.name)
		machine_fatal("/proc/%s is there already", entry.name);
	if (fault(SITE_PROC, &variant))
		return NULL;
	entry = (struct proc_dir_entry){name, ops, size};

	return &entry;
}

void remove_proc_entry(const char *name, struct proc_dir_entry *parent)
{
	(void)parent;
	might_sleep();
	/* Of what could not be made, the kernel says that it is not there. */
	if (entry.name && strcmp(entry.name, name))
		machine_fatal("remove_proc_entry of %s, which is not there",
			      name);
	entry.name = NULL;
}

unsigned int proc_leaks(FILE *out)
{
	if (!entry.name)
		return 0;
	if (out)
		fprintf(out, "machine: /proc/%s was left\n", entry.name);
	entry.name = NULL;
	return 1;
}

/* One read(): some lines from @pos on; false at the end. */
static bool read_some(struct seq_file *seq, loff_t *pos, FILE *out)
{
	unsigned int lines;
	char text[1024];
	struct context c;
	void *v;

	call_begin(&c, NULL, domain_get(0));
	v = entry.ops->start(seq, pos);
	for (lines = 0; v && lines < LINES; lines++) {
		seq->buf = text;
		seq->size = sizeof(text);
		seq->count = 0;
		text[0] = '\0';
		if (!entry.ops->show(seq, v))
			fputs(text, out);
		v = entry.ops->next(seq, v, pos);
	}
	entry.ops->stop(seq, v);
	call_end(&c);

	return v;
}

void proc_read(FILE *out)
{
	struct seq_file seq = {0};
	loff_t pos = 0;

	if (!entry.name)
		return;
	seq.private = calloc(1, entry.size);
	if (!seq.private)
		machine_fatal("no memory for a reader");
	while (read_some(&seq, &pos, out))
		;
	free(seq.private);
}
