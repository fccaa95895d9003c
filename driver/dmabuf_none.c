// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* For kernels without dma-bufs: their requests are unknown. */
#include "gntdev.h"
#include "dmabuf_requests.h"

long gntdev_dmabuf_export_request(struct instance *inst, void __user *arg)
{
	return -ENOTTY;
}

long gntdev_dmabuf_export_offset_request(struct instance *inst,
					 void __user *arg)
{
	return -ENOTTY;
}

long gntdev_dmabuf_import_offset_request(struct instance *inst,
					 void __user *arg)
{
	return -ENOTTY;
}

long gntdev_dmabuf_wait_request(struct instance *inst, void __user *arg)
{
	return -ENOTTY;
}

long gntdev_dmabuf_import_request(struct instance *inst, void __user *arg)
{
	return -ENOTTY;
}

long gntdev_dmabuf_release_request(struct instance *inst, void __user *arg)
{
	return -ENOTTY;
}

bool gntdev_dmabuf_has_others(const struct instance *inst, u32 domid)
{
	return false;
}

void gntdev_dmabuf_release_imports(struct instance *inst)
{
}

int __init gntdev_dmabuf_init(void)
{
	return 0;
}

void gntdev_dmabuf_exit(void)
{
}

void gntdev_export_give_window(struct exported *exp, u32 count)
{
}

/* Only dma-bufs ask for such memory. */
int gntdev_dma_memory_alloc(struct mapping *m, u32 flags)
{
	return -ENOMEM;
}

void gntdev_dma_memory_put_pages(struct mapping *m, u32 first, u32 n)
{
}

struct dma_memory *gntdev_dma_memory_like(const struct dma_memory *other,
					  u32 count)
{
	return NULL;
}

void gntdev_dma_memory_move(struct dma_memory *to, u32 i,
			    struct dma_memory *from, u32 j)
{
}

void gntdev_dma_memory_free(struct dma_memory *memory)
{
}
