// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a checked kernel reports: a byte is read of memory that is free, or, with
 * beyond=1, behind the end of what vmalloc() gave. It shows that a kernel which says
 * nothing of the driver would have said something.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static bool beyond;
module_param(beyond, bool, 0);

static int read_beyond(void)
{
	char *bytes = vzalloc(100);
	char *volatile same = bytes;

	if (!bytes)
		return -ENOMEM;
	pr_info("read-freed: %d\n", READ_ONCE(same[120]));
	vfree(bytes);

	return 0;
}

static int read_freed(void)
{
	char *bytes = kzalloc(100, GFP_KERNEL);
	/* So that the compiler does not see where it comes from. */
	char *volatile same = bytes;

	if (!bytes)
		return -ENOMEM;
	kfree(bytes);
	pr_info("read-freed: %d\n", READ_ONCE(same[0]));

	return 0;
}

static int __init read_freed_init(void)
{
	return beyond ? read_beyond() : read_freed();
}

static void __exit read_freed_exit(void)
{
}

module_init(read_freed_init);
module_exit(read_freed_exit);
MODULE_DESCRIPTION("Reads memory that is not its own, for a kernel to report");
MODULE_LICENSE("Dual MIT/GPL");
