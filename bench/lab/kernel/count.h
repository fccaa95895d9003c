/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef COUNT_H
#define COUNT_H

#include <linux/types.h>

int count_start(void);
void count_stop(void);
u64 count_read(void);

#endif /* COUNT_H */
