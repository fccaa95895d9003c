/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The granter's side: pages granted to the domain that runs the tests, what is
 * in them, whether they are in use, and event channels. Who does it is chosen
 * by the environment variable GNTDEV_GRANTER:
 *
 *	self		this process, for its own domain (the default)
 *	socket:PATH	a server of this domain, for programs that the kernel's
 *			granting devices do not serve (32-bit ones)
 *	peer		a server in the first domain, through xenstore
 *	peer:DOMID	a server in that domain, of which it may read the node
 *
 * All of these fail the test when the granter cannot do what it is asked for.
 */
#ifndef ABI_GRANTER_H
#define ABI_GRANTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The domain that grants. */
unsigned int granter_domid(void);
/* Is it this domain itself? */
bool granter_is_self(void);
/* The port through which a granter in another domain is asked; 0 if none is. */
unsigned int granter_channel(void);

/* Grant @count new pages, zeroed. */
void granter_alloc(uint32_t *refs, unsigned int count, bool writable);
/* End access. What is still mapped stays so until it is unmapped. */
void granter_free(const uint32_t *refs, unsigned int count);

void granter_write(uint32_t ref, unsigned int offset, const void *from,
		   size_t length);
void granter_read(uint32_t ref, unsigned int offset, void *to, size_t length);
uint8_t granter_byte(uint32_t ref, unsigned int offset);

/*
 * How many of these grants are mapped or otherwise in use by somebody, so that
 * access cannot be ended.
 */
unsigned int granter_busy(const uint32_t *refs, unsigned int count);
/* Wait until none is; returns how many still are. */
unsigned int granter_wait_idle(const uint32_t *refs, unsigned int count,
			       unsigned int ms);

/*
 * Exchange what two references stand for. Neither may be in use. False if the
 * granter cannot do it with these two.
 */
bool granter_swap(uint32_t one, uint32_t other);

/*
 * The granter maps pages that this domain has granted to it: the number of the
 * mapping, or -errno. Up to 512 pages at once.
 */
int granter_map(const uint32_t *refs, unsigned int count);
void granter_map_read(int map, unsigned int offset, void *to, size_t length);
void granter_map_write(int map, unsigned int offset, const void *from,
		       size_t length);
void granter_unmap(int map);
/*
 * The same, but by a dma-buf that it makes of the pages: the three calls above
 * see what a program sees that maps that, and whose instance is closed.
 */
int granter_export(const uint32_t *refs, unsigned int count);

/* A port of the granter's, unbound, for this domain to bind to. */
unsigned int granter_port(void);

/* What the granter saw when an event came. */
struct seen {
	bool event;
	/* Of the grant that it watched, at once after the event. */
	uint8_t byte;
	bool busy;
};

/* Wait for an event on that port. */
struct seen granter_wait_event(unsigned int port, uint32_t ref,
			       unsigned int offset, unsigned int ms);

/*
 * A port of this process, bound to a port of the granter. For a program that
 * the kernel's event channel device does not serve, the server binds it and
 * passes the open file. @fd is the open file.
 */
unsigned int bind_port(unsigned int granters_port, int *fd);

/* For the harness, once before any test, and after each. */
void granter_init(void);
/*
 * Take back everything that was granted. Returns how many grants are in use
 * after that many milliseconds.
 */
unsigned int granter_finish(unsigned int ms);

#endif
