/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the sweep makes fail: each scenario does some requests, mmaps, munmaps
 * and closes on the world's instance, goes on where it can after a failure, and
 * expects no particular result: the sweep checks what is left.
 */
#ifndef FAULT_SCENARIOS_H
#define FAULT_SCENARIOS_H

#include "../unit/world.h"

struct scenario {
	const char *name;
	void (*run)(void);
	unsigned int modes;
	/*
	 * Every operation of a hypercall is a site: for long ranges one way to
	 * fail stands for all.
	 */
	bool is_long;
};

extern const struct scenario scenarios[];
extern const size_t nscenarios;
extern const struct scenario scenarios_dmabuf[];
extern const size_t nscenarios_dmabuf;
extern const struct scenario scenarios_area[];
extern const size_t nscenarios_area;

#endif /* FAULT_SCENARIOS_H */
