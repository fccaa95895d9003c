// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Shows a dma-buf on the first display that there is. Knows nothing of Xen.
 * usage: show WIDTH HEIGHT, with the dma-buf as standard input: 32-bit pixels,
 * line after line. Writes a byte to standard output, a socket, when it is
 * shown; for a byte read from there it shows what has become of it and writes
 * another. Ends when the socket does.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_fourcc.h>

#define CARD "/dev/dri/card0"
#define MOST 16

static int card;

static void request(unsigned long number, void *argument, const char *name)
{
	if (ioctl(card, number, argument))
		err(1, CARD ": %s", name);
}

#define REQUEST(name, argument) request(DRM_IOCTL_##name, argument, #name)

/* The device's own name for the memory. */
static uint32_t import(int dmabuf)
{
	struct drm_prime_handle prime = {.fd = dmabuf};

	REQUEST(PRIME_FD_TO_HANDLE, &prime);
	return prime.handle;
}

static uint32_t add_framebuffer(uint32_t handle, uint32_t width,
				uint32_t height)
{
	struct drm_mode_fb_cmd2 op = {
		.width = width,
		.height = height,
		.pixel_format = DRM_FORMAT_XRGB8888,
		.handles = {handle},
		.pitches = {width * 4},
	};

	REQUEST(MODE_ADDFB2, &op);
	return op.fb_id;
}

/* A mode of that size, of what is connected to the connector; or fails. */
static int find_mode(uint32_t connector, uint32_t width, uint32_t height,
		     struct drm_mode_modeinfo *mode)
{
	struct drm_mode_get_connector get = {.connector_id = connector};
	struct drm_mode_modeinfo *modes;
	int found = -1;

	/* Asked for no modes, the driver looks for them. */
	REQUEST(MODE_GETCONNECTOR, &get);
	modes = calloc(get.count_modes + 1, sizeof(*modes));
	if (!modes)
		err(1, "%u modes", get.count_modes);
	get = (struct drm_mode_get_connector){
		.connector_id = connector,
		.count_modes = get.count_modes,
		.modes_ptr = (uintptr_t)modes,
	};
	REQUEST(MODE_GETCONNECTOR, &get);
	for (uint32_t i = 0; i < get.count_modes && found < 0; i++) {
		if (modes[i].hdisplay != width || modes[i].vdisplay != height)
			continue;
		*mode = modes[i];
		found = 0;
	}
	free(modes);
	return found;
}

static void scan_out(uint32_t framebuffer, uint32_t width, uint32_t height)
{
	uint32_t crtcs[MOST], connectors[MOST];
	struct drm_mode_card_res has = {
		.crtc_id_ptr = (uintptr_t)crtcs,
		.connector_id_ptr = (uintptr_t)connectors,
		.count_crtcs = MOST,
		.count_connectors = MOST,
	};
	struct drm_mode_crtc crtc = {
		.set_connectors_ptr = (uintptr_t)connectors,
		.count_connectors = 1,
		.fb_id = framebuffer,
		.mode_valid = 1,
	};

	REQUEST(MODE_GETRESOURCES, &has);
	if (!has.count_crtcs || !has.count_connectors)
		errx(1, CARD ": no display");
	if (find_mode(connectors[0], width, height, &crtc.mode))
		errx(1, CARD ": its display has no mode of %u x %u", width,
		     height);
	crtc.crtc_id = crtcs[0];
	REQUEST(MODE_SETCRTC, &crtc);
}

/* For devices that keep a copy: all of it has changed. */
static void show_again(uint32_t framebuffer)
{
	struct drm_mode_fb_dirty_cmd dirty = {.fb_id = framebuffer};

	if (ioctl(card, DRM_IOCTL_MODE_DIRTYFB, &dirty) && errno != ENOSYS)
		err(1, CARD ": MODE_DIRTYFB");
}

int main(int argc, char **argv)
{
	uint32_t width, height, framebuffer;
	char byte = 's';

	if (argc != 3)
		errx(2, "usage: show WIDTH HEIGHT <DMA-BUF");
	width = (uint32_t)atoi(argv[1]);
	height = (uint32_t)atoi(argv[2]);
	card = open(CARD, O_RDWR | O_CLOEXEC);
	if (card < 0)
		err(1, CARD);
	framebuffer = add_framebuffer(import(STDIN_FILENO), width, height);
	/* The device holds what it shows. */
	close(STDIN_FILENO);
	scan_out(framebuffer, width, height);
	while (write(STDOUT_FILENO, &byte, 1) == 1 &&
	       read(STDOUT_FILENO, &byte, 1) == 1)
		show_again(framebuffer);
	return 0;
}
