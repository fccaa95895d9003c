/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Dma-bufs: what the rest of the driver asks of them, on kernels without them too. */
#ifndef GNTDEV_DMABUF_REQUESTS_H
#define GNTDEV_DMABUF_REQUESTS_H

#include "gntdev.h"

/* dmabuf_export.c, dmabuf_import.c; dmabuf_none.c for kernels without */
long gntdev_dmabuf_export_request(struct instance *inst, void __user *arg);
long gntdev_dmabuf_export_offset_request(struct instance *inst,
					 void __user *arg);
long gntdev_dmabuf_import_offset_request(struct instance *inst,
					 void __user *arg);
long gntdev_dmabuf_wait_request(struct instance *inst, void __user *arg);
long gntdev_dmabuf_import_request(struct instance *inst, void __user *arg);
long gntdev_dmabuf_release_request(struct instance *inst, void __user *arg);
bool gntdev_dmabuf_has_others(const struct instance *inst, u32 domid);
void gntdev_dmabuf_release_imports(struct instance *inst);
int __init gntdev_dmabuf_init(void);
void gntdev_dmabuf_exit(void);

#endif /* GNTDEV_DMABUF_REQUESTS_H */
