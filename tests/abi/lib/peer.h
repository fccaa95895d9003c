/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How a test asks a granter in another domain: a page that the test's domain
 * grants, and an event channel. What both are called is told through xenstore.
 */
#ifndef ABI_PEER_H
#define ABI_PEER_H

#include "wire.h"

/*
 * Below the home of the test's domain, which may write there: "reference port
 * time", unlike those of all programs before.
 */
#define PEER_NODE "data/gntdev-abi"

struct peer_page {
	/* The serial number of the last request, and of the last answer. */
	uint32_t asked;
	uint32_t answered;
	struct wire wire;
};

/* Serve the programs of that domain, for ever. */
void peer_serve(unsigned int domid, void (*serve)(struct wire *wire));

#endif
