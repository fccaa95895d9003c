/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the programs of a machine and its server say to each other.
 *
 * The server listens at "socket" in the machine's directory, SOCK_SEQPACKET:
 * a message is a packet. A connection begins with a struct hello, and its kind
 * says what it is for. Every hello and every request is answered by a struct
 * answer, which may carry bytes behind it and one descriptor beside it.
 *
 *	process		one a process, or rather one an execve(): its end is the
 *			end of the process's mappings
 *	calls		one a thread that is in a call; several a process
 *	run		one a `gntdev run`; its end is the end of the run
 *	list		one answer, the live state as text
 *	holdings	the same of what the driver says of itself
 *	trace		after the answer, lines of what happens, until the reader
 *			shuts it down for writing, or the machine ends
 *
 * A process may have left what the socket's path is good for: by chroot(), with
 * its rights, with its mounts. So a hello may also come on a process's
 * connection, with a descriptor beside it: that one is the new connection then.
 *
 * An open device is none of these. Its descriptor is the other end of a stream
 * socket whose one end the server has: it ends when the last descriptor ends,
 * wherever that was passed. Calls name it by the inode number of the socket,
 * which is the same for every process that has it. What it is, the descriptor
 * tells itself: getsockname() gives a struct device_name.
 */
#ifndef MACHINE_PROTOCOL_H
#define MACHINE_PROTOCOL_H

#include <stdint.h>

/* Raised with every change below struct hello; that itself never changes. */
#ifndef PROTOCOL_VERSION
#define PROTOCOL_VERSION 7u
#endif
#define PROTOCOL_MAGIC "gntdev\n"

/* In the machine's directory. */
#define SOCKET_FILE "socket"
#define LOCK_FILE "lock"
#define LOG_FILE "log"
/* Where programs find a xenstore, and where a xenstored keeps its own. */
#define XENSTORE_FILE "xenstore"
#define XENSTORED_FOLDER "xenstored"

/* What a program's environment says. */
#define ENV_MACHINE "GNTDEV_MACHINE" /* the directory */
#define ENV_DOMAIN "GNTDEV_DOMAIN" /* the domain's number */
#define ENV_RUN "GNTDEV_RUN" /* the run's number */
#define ENV_HELPER "GNTDEV_HELPER" /* set: started by the server itself */
/* How programs are given the devices: preload or loader; else as they are. */
#define ENV_HOW "GNTDEV_HOW"
/*
 * To the loader alone, which takes it out: filter:program:loader:mask:path.
 * Whether its filter is there already; descriptors of the program's file and of
 * the loader's own, or -1; the mask of signals (in hexadecimal digits, or nothing:
 * as it is); the program's path.
 */
#define ENV_LOADER "GNTDEV_LOADER"

enum connection_kind {
	CONNECTION_PROCESS = 1,
	CONNECTION_FORK, /* becomes a child's process connection */
	CONNECTION_CALLS,
	CONNECTION_RUN,
	CONNECTION_LIST,
	CONNECTION_HOLDINGS,
	CONNECTION_TRACE,
};

#define HELLO_NAME 16
#define HELLO_TEXT 1024

struct hello {
	char magic[8];
	uint32_t version;
	uint32_t kind;
	/* Of all kinds so far; a server of another version reads no further. */
	uint64_t image; /* names the process from execve() on */
	uint64_t address; /* where it has its image number */
	uint64_t child; /* CONNECTION_FORK: the child's image */
	uint32_t domain;
	uint32_t run; /* 0: of no run */
	uint32_t flags; /* HELLO_* */
	uint32_t pad;
	char name[HELLO_NAME]; /* of the program, for people */
	char text[HELLO_TEXT]; /* CONNECTION_RUN: failures, see --fail */
};

#define HELLO_COMPAT 1u /* a 32-bit process */
#define HELLO_PV 2u /* CONNECTION_RUN: insists on this mode */
#define HELLO_XLAT 4u
#define HELLO_PVH 8u
#define HELLO_HELPER 8u /* started by the server itself */

enum operation {
	/* A child that came from CONNECTION_FORK speaks for the first time. */
	OP_ADOPT = 1,
	/* Does nothing; but what had ended before the call is done with. */
	OP_SYNC,
	/* A file of enum served_file; @a is open()'s flags. The descriptor. */
	OP_OPEN,
	OP_IOCTL, /* a: number, b: argument */
	OP_MMAP, /* a: address, b: length, c: prot, d: flags, e: offset */
	OP_MUNMAP, /* a, b */
	OP_MPROTECT, /* a, b, c: prot */
	OP_MADVISE, /* a, b, c: advice */
	OP_MREMAP, /* a, b, c: new length, d: flags, e: new address */
	/* What is at @a and above, up to @b: as OP_MMAP's answer. */
	OP_VIEW,
	OP_FDINFO, /* text */
	OP_SEEK, /* a: offset, b: whence */
	OP_NUMBER, /* to ANSWER_RESERVED; a: the number, or a negative errno */
	OP_CLEAR_REFS, /* a: what was written */
	/* On a run's connection: its program has ended. */
	OP_END,
	/*
	 * As OP_IOCTL, for GRANT_COPY, by a process that does the copying. A
	 * struct offer is behind it, and what that says.
	 */
	OP_COPY,
	/* On a process's connection: it can have no other one, for @a, an errno. */
	OP_SHORTAGE,
	/* To an answer with ANSWER_WAITS: all is done that was sent so far. */
	OP_DONE,
	/* -EFBIG, if evtchn's ring has overflown. */
	OP_OVERFLOWN,
};

enum served_file {
	FILE_GNTDEV = 1,
	FILE_GNTALLOC,
	FILE_EVTCHN,
	FILE_PRIVCMD,
	FILE_XENBUS,
	FILE_VGEM,
	FILE_DMABUF, /* cannot be opened: requests make it */
	/* From here on files without requests of their own: text, mostly. */
	FILE_CAPABILITIES,
	FILE_XSD_PORT,
	FILE_XSD_KVA,
	FILE_HYPERVISOR_TYPE,
	FILE_GUEST_TYPE,
	FILE_FEATURES,
	FILE_LIMIT,
	FILE_HANDLES,
	FILE_GNTALLOC_LIMIT,
	FILE_MAPPED,
	FILE_DEFERRED,
	FILE_KEPT,
	FILE_DEPARTED,
	FILE_LEAKED,
	FILE_HANDLES_USED,
	FILE_FRAMES,
	FILE_MAX_FRAMES,
	FILE_VERSION,
	FILE_HOLDINGS,
	FILE_KMSG,
	SERVED_FILES,
};

/* The abstract address of an open device's socket; nobody connects to it. */
#define DEVICE_MAGIC "gntdev/"

/* It is asked before each reading whether it has overflown. */
#define DEVICE_MAY_OVERFLOW (1u << 31)

struct device_name {
	char abstract; /* 0 */
	char magic[7];
	uint32_t file; /* enum served_file */
	uint32_t flags; /* open()'s, and DEVICE_* */
	uint64_t inode;
	uint64_t random;
};

struct request {
	uint32_t op;
	uint32_t file; /* OP_OPEN: enum served_file */
	uint64_t inode; /* of the open device */
	uint64_t a, b, c, d, e;
};

struct answer {
	int64_t value; /* or a negative errno */
	uint32_t flags; /* ANSWER_* */
	uint32_t bytes; /* behind this */
	uint64_t extra; /* see the operation */
};

#define ANSWER_MORE 1u /* another packet follows */
#define ANSWER_FD 2u /* a descriptor is beside it */
#define ANSWER_NO_FORK 4u /* OP_MMAP: a child does not inherit it */
#define ANSWER_LAST 8u /* OP_END: the machine ends too */
#define ANSWER_UNKNOWN 16u /* @inode is of no device of this machine */
#define ANSWER_TEXT 32u /* said at any time on a run: a line for people */
#define ANSWER_WORK 64u /* OP_COPY: a struct work is behind it */
#define ANSWER_WAITS 256u /* with ANSWER_WORK: the server waits for OP_DONE */

/*
 * Copies are done in the calling process, where its own memory is near. What it
 * sends along spares the server the reading; what of it has changed comes back
 * with the copies to be done. Of domains' memory a process has windows: all of
 * a domain's. It gets one, for reading or for writing too, beside the last
 * answer to a call that could have used it; @extra is its name.
 */
#define WINDOWS 8
#define WINDOW_BYTES (64u << 20) /* of a domain's memory, at most */
#define WINDOW(domid, write) ((domid) | (write) << 16)
#define WINDOW_NONE UINT32_MAX
#define OFFER_BYTES 12288 /* of segments */
#define OFFER_ARGUMENT 16 /* of the request's own structure */

struct offer {
	uint64_t segments; /* where they are; they are behind the argument */
	uint64_t size; /* of what is sent of them */
	/* Where a number is that is that high when the work is done. */
	uint64_t counter, number;
	uint32_t windows[WINDOWS];
};

struct work {
	uint32_t copies; /* of struct delegated_copy: behind this */
	uint32_t bytes; /* behind those, to be put back after the copies */
	uint64_t at; /* where */
};

/*
 * To OP_IOCTL, before its answer: the descriptor beside it may become one of a
 * dma-buf's; which number has it? @extra: open()'s flags of it.
 */
#define ANSWER_RESERVED 128u

/*
 * Neighbouring pages of a view, behind the answer to OP_MMAP and OP_VIEW. They
 * are in the descriptor beside the packet; without one, an access is SIGBUS.
 */
struct segment {
	uint64_t address;
	uint64_t offset;
	uint64_t pages;
};

/* Bytes behind an answer: a packet stays small enough for any socket buffer. */
#define ANSWER_BYTES 4096
#define SEGMENTS (ANSWER_BYTES / sizeof(struct segment))

#endif /* MACHINE_PROTOCOL_H */
