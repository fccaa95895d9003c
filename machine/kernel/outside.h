/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Everything that the driver's files know of the world outside them, when that
 * world is the machine. README.md lists what is modelled, and what is not. A
 * call that the driver makes and that is not here does not compile; one that
 * asks a model for what it does not do ends the process and names it.
 */
#ifndef GNTDEV_OUTSIDE_H
#define GNTDEV_OUTSIDE_H

#include "alloc.h"
#include "base.h"
#include "constants.h"
#include "descriptors.h"
#include "dma.h"
#include "dmabuf.h"
#include "files.h"
#include "lists.h"
#include "locks.h"
#include "pages.h"
#include "refs.h"
#include "shrink.h"
#include "user.h"
#include "vm.h"
#include "vmap.h"
#include "waiting.h"
#include "xen_calls.h"

#include "../../include/xen/gntdev.h"

#endif /* GNTDEV_OUTSIDE_H */
