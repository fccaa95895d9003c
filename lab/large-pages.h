/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Included before all of the driver: the kernel seems to have pages of 64 KiB. */
#include <linux/kconfig.h>
#undef CONFIG_ARM64_4K_PAGES
#undef CONFIG_ARM64_PAGE_SHIFT
#undef CONFIG_PGTABLE_LEVELS
#define CONFIG_ARM64_64K_PAGES 1
#define CONFIG_ARM64_PAGE_SHIFT 16
#define CONFIG_PGTABLE_LEVELS 3
