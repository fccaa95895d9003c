// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* All devices that a machine has beside the driver's. */
#include "devices.h"

void devices_start(void)
{
	device_add(&gntalloc_device);
	device_add(&evtchn_device);
	device_add(&privcmd_device);
	device_add(&vgem_device);
}
