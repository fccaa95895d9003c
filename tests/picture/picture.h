/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The pictures that a guest draws and the host looks for. */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdint.h>

#define WIDTH 640u
#define HEIGHT 480u
#define PAGE 4096u
#define PAGES (WIDTH * HEIGHT * 4 / PAGE)

/*
 * A pixel of picture 1 or 2, as 0xRRGGBB. Every line differs from every other,
 * and so does every page. Each picture has its disc elsewhere, and the two have
 * hardly a pixel in common.
 */
static inline uint32_t picture_pixel(unsigned int number, unsigned int x,
				     unsigned int y)
{
	int across = (int)x - (number == 1 ? 200 : 440);
	int down = (int)y - (number == 1 ? 200 : 280);
	uint32_t red = x * 255 / (WIDTH - 1);
	uint32_t green = y * 255 / (HEIGHT - 1);
	uint32_t blue = (x ^ y) & 0xff;
	uint32_t pixel = red << 16 | green << 8 | blue;

	if (across * across + down * down < 120 * 120)
		pixel ^= 0xff8040;
	return number == 1 ? pixel : pixel ^ 0xffffff;
}

#endif
