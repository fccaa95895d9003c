// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What calls that are not about memory change of what is mapped. */
#include "client.h"

void memory_area_changed(uint64_t inode, uint64_t offset)
{
	const struct range *range;
	sigset_t before;

	ranges_lock(&before);
	for (range = ranges_from(0); range; range = ranges_from(range->end)) {
		if (range->inode == inode && range->offset == offset)
			show_again(range);
	}
	ranges_unlock(&before);
}

void memory_frames_changed(uintptr_t at)
{
	const struct range *range;
	sigset_t before;

	ranges_lock(&before);
	range = ranges_from(at);
	if (range && range->start <= at)
		show_again(range);
	ranges_unlock(&before);
}

void memory_clear_refs(int what)
{
	struct request request = {.op = OP_CLEAR_REFS, .a = what};
	struct answer answer;
	sigset_t before;

	ranges_lock(&before);
	if (ranges_any())
		channel_call(&request, &answer);
	ranges_unlock(&before);
}
