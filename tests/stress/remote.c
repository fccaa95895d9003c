// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A granter in another domain: the server of the contract tests, asked through
 * xenstore. It tells of a grant whether anybody uses it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../abi/lib/wire.h"
#include "stress.h"

#define PROOF_SECONDS 60u

/* What a domain writes to xenstore is shorter than what it may be told. */
#define ASKED_REFS 128u

static long ask(struct wire *wire)
{
	int error = peer_call(wire);

	return error ? error : wire->error;
}

long remote_create(void)
{
	const char *granter = getenv("GNTDEV_GRANTER");
	struct wire wire = {.op = WIRE_HELLO};
	u32 i, n;
	long rc;

	peer_init(strncmp(granter, "peer:", 5)
			  ? 0
			  : (u32)strtoul(granter + 5, NULL, 10));
	rc = ask(&wire);
	if (rc)
		return rc;
	shm->domid = wire.value;
	for (i = 0; i < shm->pages; i += n) {
		n = shm->pages - i;
		if (n > WIRE_REFS)
			n = WIRE_REFS;
		memset(&wire, 0, sizeof(wire));
		wire.op = WIRE_ALLOC;
		wire.args[0] = n;
		wire.args[1] = 1;
		rc = ask(&wire);
		if (rc)
			return rc;
		memcpy(shm->ref + i, wire.refs, n * sizeof(u32));
	}
	say("# domain %u grants %u pages to domain %u", shm->domid, shm->pages,
	    shm->own_domid);
	return 0;
}

/* How many grants are in use, or a negative errno. */
static long count_busy(u32 *first)
{
	struct wire wire;
	u32 i, n, busy = 0;
	long rc;

	for (i = 0; i < shm->pages; i += n) {
		n = shm->pages - i;
		if (n > ASKED_REFS)
			n = ASKED_REFS;
		memset(&wire, 0, sizeof(wire));
		wire.op = WIRE_BUSY;
		wire.length = n * (u32)sizeof(u32);
		memcpy(wire.refs, shm->ref + i, wire.length);
		rc = ask(&wire);
		if (rc)
			return rc;
		if (wire.value && !busy)
			*first = i;
		busy += wire.value;
	}
	return busy;
}

void remote_prove_free(void)
{
	u32 i, first = 0;
	long busy = 1;

	for (i = 0; i < PROOF_SECONDS && busy; i++) {
		if (i)
			pause_ms(1000);
		busy = count_busy(&first);
		if (busy < 0) {
			controller_finding(FOUND_GRANT,
					   "the granter does not answer: %s",
					   strerror((int)-busy));
			return;
		}
	}
	if (busy)
		controller_finding(
			FOUND_GRANT,
			"%ld grants are still in use (the first is one of %u and its followers)",
			busy, shm->ref[first]);
	else
		say("# none of %u grants is in use (after %u s)", shm->pages,
		    i - 1);
}
