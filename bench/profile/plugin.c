// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A plugin for QEMU's emulator: counts the instructions that are executed between
 * two executions of a marker, an instruction that nothing else has. There may be
 * several such stretches. For each of them it writes a line for each address:
 * the stretch's number, count, address.
 *
 *	-plugin plugin.so,marker=BYTES,out=FILE[,only=FILE][,flushes=on]
 *
 * With several processors, no more than a few instructions are to be counted, as
 * any of them may be in a stretch: only=FILE has their addresses, one a line, in
 * hex. flushes=on is for arm64: those that make all processors forget
 * translations (TLBI, inner shareable).
 *
 * QEMU publishes its interface for plugins in a header that Debian does not
 * package; what is used of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;

void qemu_plugin_register_vcpu_tb_trans_cb(
	qemu_plugin_id_t id,
	void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*executed)(unsigned int cpu,
							     void *data),
					    int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
				    void (*end)(qemu_plugin_id_t id,
						void *data),
				    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

int qemu_plugin_version = 1;
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			char **argv);

#define BUCKETS 65536

/* Of an address, once it was translated. */
struct counter {
	uint64_t address, count;
	struct counter *next;
};

static struct counter *buckets[BUCKETS];
static unsigned char marker[16];
static size_t marker_size;
static FILE *out;
static bool only; /* the addresses that there are counters of */
static bool flushes;
static bool counting;
static unsigned int stretches;

static struct counter *find_counter(uint64_t address)
{
	struct counter *counter = buckets[address / 4 % BUCKETS];

	while (counter && counter->address != address)
		counter = counter->next;
	return counter;
}

static struct counter *counter_of(uint64_t address)
{
	struct counter **bucket = &buckets[address / 4 % BUCKETS];
	struct counter *counter = find_counter(address);

	if (counter)
		return counter;
	counter = calloc(1, sizeof(*counter));
	if (!counter)
		abort();
	counter->address = address;
	counter->next = *bucket;
	*bucket = counter;
	return counter;
}

static void execute(unsigned int cpu, void *data)
{
	struct counter *counter = data;

	(void)cpu;
	if (__atomic_load_n(&counting, __ATOMIC_RELAXED))
		__atomic_fetch_add(&counter->count, 1, __ATOMIC_RELAXED);
}

/* Writes what a stretch has, and forgets it. */
static void end_stretch(void)
{
	fprintf(out, "%u 0 0\n", stretches);
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct counter *c = buckets[i]; c; c = c->next)
			if (c->count) {
				fprintf(out, "%u %" PRIu64 " %016" PRIx64 "\n",
					stretches, c->count, c->address);
				c->count = 0;
			}
	fflush(out);
	stretches++;
}

static void turn(unsigned int cpu, void *data)
{
	bool was = __atomic_load_n(&counting, __ATOMIC_RELAXED);

	(void)cpu;
	(void)data;
	__atomic_store_n(&counting, !was, __ATOMIC_RELAXED);
	if (was)
		end_stretch();
}

/* System instructions of the eighth register, with all processors of the domain. */
static bool is_flush(struct qemu_plugin_insn *insn)
{
	uint32_t code;

	if (qemu_plugin_insn_size(insn) != sizeof(code))
		return false;
	memcpy(&code, qemu_plugin_insn_data(insn), sizeof(code));
	return (code & 0xfff8ff00) == 0xd5088300;
}

static struct counter *counter_for(struct qemu_plugin_insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn);

	if (only)
		return find_counter(address);
	if (flushes && !is_flush(insn))
		return NULL;
	return counter_of(address);
}

/* Called for one processor at a time. */
static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		bool marks = qemu_plugin_insn_size(insn) == marker_size &&
			     !memcmp(qemu_plugin_insn_data(insn), marker,
				     marker_size);
		struct counter *counter = marks ? NULL : counter_for(insn);

		if (marks || counter)
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
							       marks ? turn
								     : execute,
							       0, counter);
	}
}

static void end(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	fclose(out);
}

static void read_addresses(const char *name)
{
	FILE *file = fopen(name, "r");
	uint64_t address;

	if (!file)
		return;
	only = true;
	while (fscanf(file, "%" SCNx64, &address) == 1)
		counter_of(address);
	fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			out = fopen(argv[i] + 4, "w");
		} else if (!strncmp(argv[i], "only=", 5)) {
			read_addresses(argv[i] + 5);
		} else if (!strncmp(argv[i], "flushes=", 8)) {
			flushes = !strcmp(argv[i] + 8, "on");
		} else if (!strncmp(argv[i], "marker=", 7)) {
			const char *hex = argv[i] + 7;
			unsigned int byte;

			while (marker_size < sizeof(marker) &&
			       sscanf(hex, "%2x", &byte) == 1) {
				marker[marker_size++] = byte;
				hex += 2;
			}
		}
	}
	if (!out || !marker_size) {
		fprintf(stderr,
			"profile plugin: expected marker=BYTES and out=FILE\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, end, NULL);
	return 0;
}
