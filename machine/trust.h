/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whom a machine trusts: its user. Its directory may lie where others write,
 * in /tmp for instance; so the directory, what is in it and who is at the other
 * end of a connection are looked at before anything is done with them. The
 * command, the server and the library that programs are given do it alike.
 */
#ifndef MACHINE_TRUST_H
#define MACHINE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

/*
 * All return -1 or false with a reason in @why, which begins with the name. No
 * symbolic link is followed, and what a file is does not change after the look:
 * what was opened is looked at, and files are found from the open directory.
 */

/* The directory: its user's own, and nobody else may write there. */
int trust_folder(const char *path, char *why, size_t size);
/* A file in it, for reading and writing, made if @flags has O_CREAT. */
int trust_file(int folder, const char *name, int flags, char *why, size_t size);
/* A socket in it, as an address; false with no reason if there is none. */
bool trust_socket(int folder, const char *name, struct sockaddr_un *address,
		  char *why, size_t size);
/* The address that a socket shall have. */
void trust_address(int folder, const char *name, struct sockaddr_un *address);
/* The other end is the user's own, or root's; its process is left in @pid. */
bool trust_peer(int fd, pid_t *pid, char *why, size_t size);

#endif /* MACHINE_TRUST_H */
