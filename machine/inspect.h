/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the machine reads in the driver's own structures, to tell of it. */
#ifndef MACHINE_INSPECT_H
#define MACHINE_INSPECT_H

/* The driver's static variables, as a fresh load has them. */
void driver_reset(void);

#endif /* MACHINE_INSPECT_H */
