// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A plugin for QEMU's emulator: counts each instruction that is executed between
 * two executions of a marker, an instruction that nothing else has. At the end
 * it writes a line for each address: count, address.
 *
 *	-plugin plugin.so,marker=BYTES,out=FILE
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
static const char *out;
static bool counting;

static struct counter *counter_of(uint64_t address)
{
	struct counter **bucket = &buckets[address / 4 % BUCKETS];
	struct counter *counter;

	for (counter = *bucket; counter; counter = counter->next)
		if (counter->address == address)
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
	counter->count += counting;
}

static void turn(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	counting = !counting;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		bool marks = qemu_plugin_insn_size(insn) == marker_size &&
			     !memcmp(qemu_plugin_insn_data(insn), marker,
				     marker_size);

		qemu_plugin_register_vcpu_insn_exec_cb(
			insn, marks ? turn : execute, 0,
			counter_of(qemu_plugin_insn_vaddr(insn)));
	}
}

static void end(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file)
		return;
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct counter *c = buckets[i]; c; c = c->next)
			if (c->count)
				fprintf(file, "%" PRIu64 " %016" PRIx64 "\n",
					c->count, c->address);
	fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			out = strdup(argv[i] + 4);
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
