// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What stands for the dma-bufs where the kernel has none. The machine has some;
 * so the file is compiled here, under other names.
 */
#define dma_memory_alloc none_memory_alloc
#define dma_memory_put_pages none_memory_put_pages
#define dma_memory_like none_memory_like
#define dma_memory_move none_memory_move
#define dma_memory_free none_memory_free
#define dmabuf_export_request none_export_request
#define dmabuf_export_offset_request none_export_offset_request
#define dmabuf_import_offset_request none_import_offset_request
#define dmabuf_has_others none_has_others
#define dmabuf_wait_request none_wait_request
#define dmabuf_import_request none_import_request
#define dmabuf_release_request none_release_request
#define dmabuf_release_imports none_release_imports
#define export_give_window none_give_window
#define dmabuf_has_others none_has_others
#define dmabuf_init none_init
#define dmabuf_exit none_exit
#include "../../driver/dmabuf_none.c"

#include "world.h"

static void requests_are_enotty(void)
{
	CHECK_EQ(dmabuf_export_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(dmabuf_export_offset_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(dmabuf_import_offset_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(dmabuf_wait_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(dmabuf_import_request(NULL, NULL), -ENOTTY);
	CHECK_EQ(dmabuf_release_request(NULL, NULL), -ENOTTY);
}

static void the_rest_is_nothing(void)
{
	CHECK(!dmabuf_has_others(NULL, 0));
	CHECK_EQ(dmabuf_init(), 0);
	CHECK_EQ(dma_memory_alloc(NULL, GNTDEV_DMA_FLAG_WC), -ENOMEM);
	dma_memory_put_pages(NULL, 0, 0);
	CHECK(!dma_memory_like(NULL, 1));
	dma_memory_move(NULL, 0, NULL, 0);
	dma_memory_free(NULL);
	export_give_window(NULL, 0);
	dmabuf_release_imports(NULL);
	dmabuf_exit();
}

static const struct test tests[] = {
	TEST_IN(IN_ANY, requests_are_enotty),
	TEST_IN(IN_ANY, the_rest_is_nothing),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
