// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What stands for the dma-bufs where the kernel has none. The machine has some;
 * so the file is compiled here, under other names.
 */
#define gntdev_dma_memory_alloc none_memory_alloc
#define gntdev_dma_memory_put_pages none_memory_put_pages
#define gntdev_dma_memory_like none_memory_like
#define gntdev_dma_memory_move none_memory_move
#define gntdev_dma_memory_free none_memory_free
#define gntdev_dmabuf_export_request none_export_request
#define gntdev_dmabuf_export_offset_request none_export_offset_request
#define gntdev_dmabuf_import_offset_request none_import_offset_request
#define gntdev_dmabuf_has_others none_has_others
#define gntdev_dmabuf_wait_request none_wait_request
#define gntdev_dmabuf_import_request none_import_request
#define gntdev_dmabuf_release_request none_release_request
#define gntdev_dmabuf_release_imports none_release_imports
#define gntdev_export_give_window none_give_window
#define gntdev_dmabuf_has_others none_has_others
#define gntdev_dmabuf_init none_init
#define gntdev_dmabuf_exit none_exit
#include "../../driver/dmabuf_none.c"

#include "world.h"

static void requests_are_enotty(void)
{
	CHECK_EQ(gntdev_dmabuf_export_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(gntdev_dmabuf_export_offset_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(gntdev_dmabuf_import_offset_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(gntdev_dmabuf_wait_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(gntdev_dmabuf_import_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(gntdev_dmabuf_release_request(NULL, NULL), -ENOTTY);
}

static void the_rest_is_nothing(void)
{
	CHECK(!gntdev_dmabuf_has_others(NULL, 0));
	CHECK_EQ(gntdev_dmabuf_init(), 0);
	CHECK_EQ(gntdev_dma_memory_alloc(NULL, GNTDEV_DMA_FLAG_WC), -ENOMEM);
	gntdev_dma_memory_put_pages(NULL, 0, 0);
	CHECK(!gntdev_dma_memory_like(NULL, 1));
	gntdev_dma_memory_move(NULL, 0, NULL, 0);
	gntdev_dma_memory_free(NULL);
	gntdev_export_give_window(NULL, 0);
	gntdev_dmabuf_release_imports(NULL);
	gntdev_dmabuf_exit();
}

static const struct test tests[] = {
	TEST_IN(IN_ANY, requests_are_enotty),
	TEST_IN(IN_ANY, the_rest_is_nothing),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
