// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Compares a screendump with what it should show, pixel by pixel.
 * usage: compare FILE.ppm NUMBER
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "picture.h"

static uint32_t next_pixel(FILE *file, const char *name)
{
	unsigned char rgb[3];

	if (fread(rgb, sizeof(rgb), 1, file) != 1)
		errx(1, "%s: ends early", name);
	return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

/* How many pixels differ; the first is told. */
static unsigned int compare(FILE *file, const char *name, unsigned int number)
{
	unsigned int differ = 0;

	for (unsigned int y = 0; y < HEIGHT; y++) {
		for (unsigned int x = 0; x < WIDTH; x++) {
			uint32_t expected = picture_pixel(number, x, y);
			uint32_t pixel = next_pixel(file, name);

			if (pixel != expected && !differ++)
				warnx("%s: pixel (%u, %u) is %06x, expected %06x",
				      name, x, y, pixel, expected);
		}
	}
	return differ;
}

int main(int argc, char **argv)
{
	unsigned int width, height, most, differ;
	FILE *file;

	if (argc != 3)
		errx(2, "usage: compare FILE.ppm NUMBER");
	file = fopen(argv[1], "r");
	if (!file)
		err(1, "%s", argv[1]);
	if (fscanf(file, "P6 %u %u %u", &width, &height, &most) != 3 ||
	    fgetc(file) == EOF || most != 255)
		errx(1, "%s: not a picture of three bytes a pixel", argv[1]);
	if (width != WIDTH || height != HEIGHT)
		errx(1, "%s: %u x %u pixels, expected %u x %u", argv[1], width,
		     height, WIDTH, HEIGHT);
	differ = compare(file, argv[1], (unsigned int)atoi(argv[2]));
	if (fgetc(file) != EOF)
		errx(1, "%s: more than %u pixels", argv[1], WIDTH * HEIGHT);
	if (differ)
		errx(1, "%s: %u of %u pixels differ", argv[1], differ,
		     WIDTH * HEIGHT);
	return 0;
}
