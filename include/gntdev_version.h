/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The version of the module, the command and the packages: the one place. */
#ifndef GNTDEV_VERSION
#define GNTDEV_VERSION "1.0"
#endif
