/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Children of a test, accesses that may fault, and memory with an end. */
#ifndef ABI_PROCESS_H
#define ABI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A child that runs this and exits; a FAIL in it shows in child_must_pass(). */
pid_t child_start(void (*run)(void *), void *argument);
/* Wait for it: it is to end well. */
void child_must_pass(pid_t child);
/* Wait for it: the signal that killed it, 0 if it exited. */
int child_signal(pid_t child);
/* Kill it and wait for it. */
void child_kill(pid_t child);
/* Both at once: what another process would find. */
void in_child(void (*run)(void *), void *argument);

/*
 * Run it in a child on this very processor, and see how long at most it keeps
 * others from running: in milliseconds. An alarm() of its own may end it.
 */
unsigned int longest_pause_beside(void (*run)(void *), void *argument);

/* A place where one process waits for another. */
struct gate {
	int fds[2];
};
struct gate gate_make(void);
void gate_open(const struct gate *gate);
/* Fails the test after 10 seconds. */
void gate_wait(const struct gate *gate);

/* The signal that the access raises, 0 if it is done. */
int read_fault(const volatile uint8_t *at);
int write_fault(volatile uint8_t *at, uint8_t value);

/* Memory with inaccessible pages before and behind. */
void *pages_alloc(unsigned int pages);
/* So many bytes at the very end of accessible memory. */
void *at_the_end(size_t length);

/* An open file passed through a socket. */
void send_file(int socket, int fd);
int receive_file(int socket);

#endif
