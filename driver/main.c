// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/xen/gntdev: programs map, copy and share pages that other domains have
 * granted to this one. This file registers the device and hands each request
 * to the part that serves it.
 */
#include "gntdev.h"
#include "backoff.h"
#include "dmabuf_requests.h"
#include "trace.h"

unsigned int gntdev_limit = 65536;
module_param_named(limit, gntdev_limit, uint, 0644);
MODULE_PARM_DESC(limit, "Most grants in one request (at most 1048576)");

unsigned int gntdev_handles = 131072;
module_param_named(handles, gntdev_handles, uint, 0644);
MODULE_PARM_DESC(handles,
		 "Most of the hypervisor's grant handles for one open device");

struct counters gntdev_counters;
const struct mode *gntdev_mode;

static long gntdev_request(struct instance *inst, unsigned int cmd,
			   void __user *arg)
{
	switch (cmd) {
	case IOCTL_GNTDEV_MAP_GRANT_REF:
		return gntdev_range_map_request(inst, arg);
	case IOCTL_GNTDEV_UNMAP_GRANT_REF:
		return gntdev_range_unmap_request(inst, arg);
	case IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR:
		return gntdev_mapping_offset_request(inst, arg);
	case IOCTL_GNTDEV_SET_MAX_GRANTS:
		return gntdev_instance_max_request(inst, arg);
	case IOCTL_GNTDEV_SET_UNMAP_NOTIFY:
		return gntdev_notify_request(inst, arg);
	case IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS:
		return gntdev_dmabuf_export_request(inst, arg);
	case IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED:
		return gntdev_dmabuf_wait_request(inst, arg);
	case IOCTL_GNTDEV_DMABUF_IMP_TO_REFS:
		return gntdev_dmabuf_import_request(inst, arg);
	case IOCTL_GNTDEV_DMABUF_IMP_RELEASE:
		return gntdev_dmabuf_release_request(inst, arg);
	case IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS_V2:
		return gntdev_dmabuf_export_offset_request(inst, arg);
	case IOCTL_GNTDEV_DMABUF_IMP_TO_REFS_V2:
		return gntdev_dmabuf_import_offset_request(inst, arg);
	case IOCTL_GNTDEV_AREA_CREATE:
		return gntdev_area_create_request(inst, arg);
	case IOCTL_GNTDEV_AREA_MAP:
		return gntdev_area_request(inst, arg, true);
	case IOCTL_GNTDEV_AREA_UNMAP:
		return gntdev_area_request(inst, arg, false);
	case IOCTL_GNTDEV_RESTRICT:
		return gntdev_restrict_request(inst, arg);
	case IOCTL_GNTDEV_MAP_STATUS:
		return gntdev_status_request(inst, arg);
	case IOCTL_GNTDEV_GRANT_MEMORY:
		return gntdev_lent_grant_request(inst, arg);
	case IOCTL_GNTDEV_UNGRANT_MEMORY:
		return gntdev_lent_ungrant_request(inst, arg);
	default:
		return -ENOTTY;
	}
}

static long native_request(struct instance *inst, unsigned int cmd,
			   void __user *arg)
{
	if (cmd == IOCTL_GNTDEV_GRANT_COPY)
		return gntdev_copy_request(inst, arg);

	return gntdev_request(inst, cmd, arg);
}

static long gntdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	if (trace_gntdev_request_enabled())
		return gntdev_traced_request(file->private_data, cmd, user,
					     native_request);

	return native_request(file->private_data, cmd, user);
}

/*
 * Callers of another word size: only the copy's structure differs, and with it
 * the size in its number.
 */
#define GRANT_COPY_COMPAT _IOC(_IOC_NONE, 'G', 8, 8)

static long compat_request(struct instance *inst, unsigned int cmd,
			   void __user *arg)
{
	if (cmd == GRANT_COPY_COMPAT)
		return gntdev_copy_request_compat(inst, arg);

	return gntdev_request(inst, cmd, arg);
}

static long gntdev_compat_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	void __user *user = compat_ptr(arg);

	if (trace_gntdev_request_enabled())
		return gntdev_traced_request(file->private_data, cmd, user,
					     compat_request);

	return compat_request(file->private_data, cmd, user);
}

static const struct file_operations gntdev_fops = {
	.owner = THIS_MODULE,
	.open = gntdev_instance_open,
	.release = gntdev_instance_release,
	.mmap = gntdev_mapping_mmap,
	.get_unmapped_area = gntdev_mapping_area,
	.unlocked_ioctl = gntdev_ioctl,
	.compat_ioctl = gntdev_compat_ioctl,
	.show_fdinfo = gntdev_instance_show,
};

#define COUNTER_ATTR(name, counter)                                          \
	static ssize_t show_##name(struct device *dev,                       \
				   struct device_attribute *attr, char *buf) \
	{                                                                    \
		return sysfs_emit(buf, "%ld\n", atomic_long_read(counter));  \
	}                                                                    \
	static DEVICE_ATTR(name, 0444, show_##name, NULL)

COUNTER_ATTR(mapped, &gntdev_counters.mapped);
COUNTER_ATTR(deferred, &gntdev_counters.deferred);
COUNTER_ATTR(kept, &gntdev_counters.kept);
COUNTER_ATTR(departed, &gntdev_counters.departed);
COUNTER_ATTR(leaked, &gntdev_counters.leaked);
COUNTER_ATTR(handles, &gntdev_counters.handles);

static ssize_t grant_frames_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	u32 used, most;

	gntdev_limits_grant_frames(&used, &most);

	return sysfs_emit(buf, "%u\n", used);
}
static DEVICE_ATTR_RO(grant_frames);

static ssize_t max_grant_frames_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	u32 used, most;

	gntdev_limits_grant_frames(&used, &most);

	return sysfs_emit(buf, "%u\n", most);
}
static DEVICE_ATTR_RO(max_grant_frames);

static struct attribute *gntdev_attrs[] = {
	&dev_attr_mapped.attr,
	&dev_attr_deferred.attr,
	&dev_attr_kept.attr,
	&dev_attr_departed.attr,
	&dev_attr_leaked.attr,
	&dev_attr_handles.attr,
	&dev_attr_grant_frames.attr,
	&dev_attr_max_grant_frames.attr,
	NULL,
};
ATTRIBUTE_GROUPS(gntdev);

static struct miscdevice gntdev_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xen/gntdev",
	.fops = &gntdev_fops,
	.groups = gntdev_groups,
};

/* Whether this domain and its hypervisor are such as the driver needs. */
static int __init choose_mode(void)
{
	if (!xen_domain()) {
		pr_err("this kernel does not run on Xen\n");
		return -ENODEV;
	}

	/* A grant is one of the hypervisor's pages; a program's are the kernel's. */
	if (PAGE_SIZE != XEN_PAGE_SIZE) {
		pr_err("this kernel's pages have %lu bytes, grants have %lu: use a kernel with pages of that size\n",
		       PAGE_SIZE, XEN_PAGE_SIZE);
		return -ENODEV;
	}

	gntdev_mode = &gntdev_pv_mode;
	if (xen_feature(XENFEAT_auto_translated_physmap))
		gntdev_mode = &gntdev_xlat_mode;

	if (gntdev_mode->user_grants &&
	    !xen_feature(XENFEAT_gnttab_map_avail_bits)) {
		pr_err("this hypervisor cannot mark a program's grant mappings (needs XENFEAT_gnttab_map_avail_bits)\n");
		return -ENODEV;
	}

	return 0;
}

static int __init gntdev_init(void)
{
	int err;

	err = choose_mode();
	if (err)
		return err;
	err = gntdev_recheck_init();
	if (err)
		return err;
	err = gntdev_keep_init();
	if (err)
		goto no_keep;
	err = gntdev_backoff_init();
	if (err)
		goto no_backoff;
	gntdev_own_domid_init();
	gntdev_ports_init();
	gntdev_reserve_init();

	err = gntdev_dmabuf_init();
	if (err) {
		pr_err("cannot make the device for dma-bufs: %d\n", err);
		goto no_dmabufs;
	}

	err = gntdev_suspend_init();
	if (err) {
		pr_err("cannot make the device for suspending: %d\n", err);
		goto no_suspend;
	}

	gntdev_holdings_init();
	err = misc_register(&gntdev_device);
	if (err) {
		pr_err("cannot register /dev/xen/gntdev: %d\n", err);
		goto no_device;
	}

	return 0;

no_device:
	gntdev_holdings_exit();
	gntdev_suspend_exit();
no_suspend:
	gntdev_dmabuf_exit();
no_dmabufs:
	gntdev_reserve_exit();
	gntdev_own_domid_exit();
	gntdev_backoff_exit();
no_backoff:
	gntdev_keep_exit();
no_keep:
	gntdev_recheck_exit();
	return err;
}

/* No file is open, and nothing waits: either would hold the module. */
static void __exit gntdev_exit(void)
{
	misc_deregister(&gntdev_device);
	gntdev_holdings_exit();
	gntdev_keep_exit();
	gntdev_recheck_exit();
	gntdev_suspend_exit();
	gntdev_dmabuf_exit();
	gntdev_reserve_exit();
	gntdev_own_domid_exit();
	gntdev_backoff_exit();
}

module_init(gntdev_init);
module_exit(gntdev_exit);

MODULE_DESCRIPTION("Xen grant device: maps, copies and shares granted pages");
MODULE_AUTHOR("The gntdev project");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION(GNTDEV_VERSION);
/* udev asks for these when a toolstack sets up a backend that is a program. */
MODULE_ALIAS("xen-backend:qdisk");
MODULE_ALIAS("xen-backend:9pfs");
MODULE_ALIAS("xen-backend:vfb");
MODULE_ALIAS("xen-backend:vkbd");
