/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Devices of the platform bus, of which a driver is told when the domain is
 * suspended: a model of that and of nothing else. One driver, with one device.
 */
#ifndef MACHINE_KERNEL_SUSPEND_H
#define MACHINE_KERNEL_SUSPEND_H

#include "base.h"
#include "dma.h"

struct dev_pm_ops {
	int (*freeze)(struct device *dev);
	int (*thaw)(struct device *dev);
	int (*restore)(struct device *dev);
};

struct device_driver {
	const char *name;
	const struct dev_pm_ops *pm;
};

struct platform_driver {
	struct device_driver driver;
};

struct platform_device {
	struct device dev;
};

#define PLATFORM_DEVID_NONE (-1)

int platform_driver_register(struct platform_driver *drv);
void platform_driver_unregister(struct platform_driver *drv);
struct platform_device *platform_device_register_simple(const char *name,
							int id, const void *res,
							unsigned int num);
void platform_device_unregister(struct platform_device *pdev);

#endif /* MACHINE_KERNEL_SUSPEND_H */
