// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Numbers from the seed, and time. */
#include <string.h>
#include <time.h>

#include "stress.h"

/* splitmix64's finaliser: neighbouring inputs give unrelated outputs. */
u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

u32 rnd(struct ctx *c, u32 below)
{
	c->rng = mix(c->rng);
	return below ? (u32)(c->rng >> 32) % below : 0;
}

bool chance(struct ctx *c, u32 percent)
{
	return rnd(c, 100) < percent;
}

void fill_random(struct ctx *c, u8 *to, u32 bytes)
{
	u64 x = mix(c->rng);
	u32 i;

	c->rng = x;
	for (i = 0; i + 8 <= bytes; i += 8) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(to + i, &x, 8);
	}
	for (; i < bytes; i++)
		to[i] = (u8)(x >> (i % 8 * 8));
}

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

void pause_ms(u32 ms)
{
	struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}
