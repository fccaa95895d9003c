/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Included before all of the driver: the kernel seems to be without dma-bufs. */
#undef CONFIG_DMA_SHARED_BUFFER
