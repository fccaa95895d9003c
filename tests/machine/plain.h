/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What has nothing to do with devices, and is as it is without a machine: the
 * same behaviours are shown by a program that is on none.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include "behave.h"

extern const struct behaviour signal_behaviours[];
extern const struct behaviour exec_behaviours[];
extern const struct behaviour look_behaviours[];

/* A device on a machine, and another character device elsewhere. */
const char *some_device(void);
/* Opens and closes it. */
void use_device(void);
/* If argv[1] names a part that a program of its own plays, that. */
void exec_play(int argc, char **argv);

#endif /* PLAIN_H */
