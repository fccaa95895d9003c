/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a test writes in a sector: by its place and a seed, no two are alike. */
#ifndef SECTOR_H
#define SECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SECTOR 512u

static inline void fill_sector(uint64_t *words, unsigned long sector,
			       uint64_t seed)
{
	for (unsigned int i = 0; i < SECTOR / sizeof(*words); i++)
		words[i] = (sector * 64 + i) * 0x9e3779b97f4a7c15u + seed;
}

static inline bool is_filled(const uint64_t *words, unsigned long sector,
			     uint64_t seed)
{
	uint64_t wanted[SECTOR / sizeof(*words)];

	fill_sector(wanted, sector, seed);

	return !memcmp(words, wanted, SECTOR);
}

#endif
