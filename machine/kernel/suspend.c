// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The one platform device, which is told that its domain is saved. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "context.h"
#include "faults.h"
#include "suspend.h"
#include "vm.h"
#include "../xen/xen.h"

static struct platform_driver *driver;
static struct platform_device *device;

int platform_driver_register(struct platform_driver *drv)
{
	unsigned int variant;

	might_sleep();
	if (fault(SITE_PLATFORM_DRIVER, &variant))
		return -ENOMEM;
	if (driver)
		machine_fatal("a second platform driver is not modelled");
	driver = drv;

	return 0;
}

void platform_driver_unregister(struct platform_driver *drv)
{
	might_sleep();
	if (driver != drv)
		machine_fatal(
			"platform_driver_unregister of what is not registered");
	driver = NULL;
}

struct platform_device *platform_device_register_simple(const char *name,
							int id, const void *res,
							unsigned int num)
{
	unsigned int variant;

	might_sleep();
	if (device || id != PLATFORM_DEVID_NONE || res || num)
		machine_fatal("a platform device like %s is not modelled",
			      name);
	if (fault(SITE_PLATFORM_DEVICE, &variant))
		return ERR_PTR(-ENOMEM);
	device = calloc(1, sizeof(*device));
	if (!device)
		machine_fatal("no memory for a device");
	device->dev.name = name;

	return device;
}

void platform_device_unregister(struct platform_device *pdev)
{
	might_sleep();
	if (device != pdev)
		machine_fatal(
			"platform_device_unregister of what is not registered");
	free(device);
	device = NULL;
}

static void tell(struct domain *d, int (*told)(struct device *dev))
{
	struct context c;
	int err;

	if (!told)
		return;
	call_begin(&c, NULL, d);
	err = told(&device->dev);
	call_end(&c);
	/* The kernel leaves other devices frozen then, for ever. */
	if (err)
		machine_fatal("the driver refuses the domain's suspending: %d",
			      err);
}

static void move_tables(struct vm_area_struct *vma)
{
	pte_t *ptes = calloc(vma_pages(vma), sizeof(*ptes));

	if (!ptes)
		machine_fatal("no memory for page tables");
	memcpy(ptes, vma->ptes, vma_pages(vma) * sizeof(*ptes));
	free_page_tables(vma);
	vma->ptes = ptes;
	tables_insert(vma);
}

/* A restored domain has its page tables in other memory than it had. */
static void move_all_tables(void)
{
	struct vm_area_struct *vma, **all;
	size_t n = 0, i;

	for (vma = tables_first(); vma; vma = tables_next(vma))
		n++;
	all = calloc(n + 1, sizeof(struct vm_area_struct *));
	if (!all)
		machine_fatal("no memory for a list of VMAs");
	for (vma = tables_first(), i = 0; vma; vma = tables_next(vma), i++)
		all[i] = vma;
	for (i = 0; i < n; i++)
		move_tables(all[i]);
	free(all);
}

void machine_suspend(struct domain *d, bool restored)
{
	const struct dev_pm_ops *pm;

	if (!device || !driver || strcmp(device->dev.name, driver->driver.name))
		machine_fatal("nobody is told of the domain's suspending");
	pm = driver->driver.pm;

	tell(d, pm->freeze);
	tracks_saved(restored);
	if (restored) {
		move_all_tables();
		machine_resume();
	}
	tell(d, restored ? pm->restore : pm->thaw);
}
