/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Stub: nothing is to be made of the tracepoints; linux/tracepoint.h says it. */
