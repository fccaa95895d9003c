// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The domain's suspending, for it to be saved, moved, or checkpointed. What it has
 * mapped of others does not come along. In a PV domain it must not even be there:
 * the toolstack leaves out a page of a page table with an entry that it cannot
 * tell, and with it goes all else that this page maps. So grant mappings are ended
 * when no program runs any more. If the domain then goes on as it was, the kernel
 * maps the pages again, and programs find them by faults; if it has been restored,
 * a fault finds what the granter grants to the new domain, which mostly is nothing.
 *
 * Xen's suspend tells devices, as a hibernation does, and nobody else who may
 * sleep: so there is a device for it.
 */
#include "gntdev.h"

#define DEVICE_NAME "xen-gntdev"

u32 gntdev_restores;

/* Windows of a PV domain that may have entries. */
static struct {
	struct mutex lock; /* taken with mmap_lock, and before a window's */
	struct list_head windows; /* guarded by lock */
} shown;

static struct platform_device *device;

void gntdev_suspend_add(struct window *w)
{
	mutex_lock(&shown.lock);
	list_add_tail(&w->shown, &shown.windows);
	mutex_unlock(&shown.lock);
}

void gntdev_suspend_remove(struct window *w)
{
	mutex_lock(&shown.lock);
	list_del(&w->shown);
	mutex_unlock(&shown.lock);
}

/*
 * A page that somebody else has, for I/O that is under way, stays as it is, and so
 * do those of a dma-buf: the drivers that use it are not asked.
 */
static void end_pages(struct window *w)
{
	struct mapping *m = w->mapping;
	u32 i;

	for (i = 0; i < m->count; i++) {
		spin_lock(&m->lock);
		if (handle_is_good(m->handles[i]) &&
		    page_count(m->pages[i]) == 1)
			gntdev_grants_unmap_one(m, i);
		spin_unlock(&m->lock);
		cond_resched();
	}
}

static bool is_areas(const struct window *w)
{
	return w->mapping->range && w->mapping->range->area;
}

static int suspend_freeze(struct device *dev)
{
	struct window *w;

	mutex_lock(&shown.lock);
	list_for_each_entry(w, &shown.windows, shown) {
		mutex_lock(&w->lock);
		gntdev_pv_end_entries(w, 0, w->count, true);
		if (w->mapping->range)
			end_pages(w);
		if (is_areas(w))
			gntdev_area_pv_forget(w);
		mutex_unlock(&w->lock);
	}
	mutex_unlock(&shown.lock);

	return 0;
}

/* It was not to be: the kernel maps what was mapped. */
static int suspend_thaw(struct device *dev)
{
	struct window *w;

	mutex_lock(&shown.lock);
	list_for_each_entry(w, &shown.windows, shown) {
		mutex_lock(&w->lock);
		down_read(&gntdev_handle_lock);
		gntdev_grants_map_missing(w->mapping);
		up_read(&gntdev_handle_lock);
		mutex_unlock(&w->lock);
	}
	mutex_unlock(&shown.lock);

	return 0;
}

/* What is mapped still, the hypervisor does not know of. */
static int suspend_restore(struct device *dev)
{
	struct window *w;

	gntdev_restores++;
	mutex_lock(&shown.lock);
	list_for_each_entry(w, &shown.windows, shown) {
		mutex_lock(&w->lock);
		gntdev_grants_forget(w->mapping);
		mutex_unlock(&w->lock);
	}
	mutex_unlock(&shown.lock);
	gntdev_reserve_renew();

	return 0;
}

static const struct dev_pm_ops suspend_ops = {
	.freeze = suspend_freeze,
	.thaw = suspend_thaw,
	.restore = suspend_restore,
};

static struct platform_driver driver = {
	.driver.name = DEVICE_NAME,
	.driver.pm = &suspend_ops,
};

int __init gntdev_suspend_init(void)
{
	int err;

	mutex_init(&shown.lock);
	INIT_LIST_HEAD(&shown.windows);

	err = platform_driver_register(&driver);
	if (err)
		return err;
	device = platform_device_register_simple(DEVICE_NAME,
						 PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		platform_driver_unregister(&driver);
		return PTR_ERR(device);
	}

	return 0;
}

void gntdev_suspend_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}
