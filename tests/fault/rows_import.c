// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Rows 48 to 53: imported dma-bufs. */
#define _GNU_SOURCE
#include "../../machine/kernel/outside.h"

#include <unistd.h>

#include "../../machine/kernel/calls.h"
#include "../../machine/xen/xen.h"
#include "../unit/buffers.h"
#include "rows.h"

#define LARGEST 65536

static void row_48_each_of_65536_pages_is_granted(void)
{
	static uint32_t refs[LARGEST];
	static bool given[2 * LARGEST];
	long fd;
	int i;

	world_prepare();
	world.config.domain_pages = LARGEST + 16;
	world.config.grant_entries = LARGEST + 600;
	world_start();
	fd = foreign_export(LARGEST);
	CHECK(fd >= 0);
	CHECK_EQ(req_import(world.file, fd, LARGEST, refs), 0);
	for (i = 0; i < LARGEST; i++) {
		CHECK(refs[i] < LARGEST + 600 && !given[refs[i]]);
		given[refs[i]] = true;
		CHECK_EQ(domain_grant_flags(world.mapper, refs[i]), 1);
	}
	CHECK_EQ(req_import(world.file, fd, LARGEST, NULL), -ENOSPC);
	CHECK_EQ(req_release(world.file, fd), 0);
	for (i = 0; i < LARGEST; i++)
		CHECK_EQ(domain_grant_flags(world.mapper, refs[i]), 0);
	CHECK_EQ(req_import(world.file, fd, LARGEST, refs), 0);
	world_stop();
}

/* Others of the domain grant pages too: disks, networks. */
static void row_48_the_last_references_are_left_to_others(void)
{
	uint32_t refs[1500], more[512];
	long large, small, ref;
	int i, imports = 0;

	world_prepare();
	world.config.grant_entries = 2000;
	world_start();
	large = foreign_export(1500);
	small = foreign_export(100);
	CHECK_EQ(req_import(world.file, large, 1500, refs), -ENOSPC);
	while (!req_import(world.file, small, 100, refs))
		imports++;
	CHECK_EQ(imports, 14);
	for (i = 0; i < 512; i++) {
		ref = domain_grant(world.mapper, 1, 0, false);
		CHECK(ref >= 0);
		more[i] = ref;
	}
	for (i = 0; i < 512; i++)
		CHECK_EQ(domain_ungrant(world.mapper, more[i]), 0);
	world_stop();
}

static void row_48_no_reference_is_left_or_lost_half_way(void)
{
	static uint32_t refs[LARGEST];
	long fd;

	world_prepare();
	world.config.domain_pages = LARGEST + 16;
	world.config.grant_entries = LARGEST + 600;
	world_start();
	fd = foreign_export(LARGEST);
	CHECK(fd >= 0);
	/* They are got in several goes. */
	fail_call("gnttab_alloc_grant_references", 2, 0, false);
	CHECK_EQ(req_import(world.file, fd, LARGEST, NULL), -ENOSPC);
	CHECK_EQ(machine_failed(), 1);
	fail_call("fatal_signal", 1, 0, false);
	CHECK_EQ(req_import(world.file, fd, LARGEST, NULL), -EINTR);
	fail_call("fatal_signal", 20, 0, false);
	CHECK_EQ(req_import(world.file, fd, LARGEST, NULL), -EINTR);
	CHECK_EQ(machine_failed(), 1);
	machine_fail_none();
	CHECK_EQ(req_release(world.file, fd), -ENOENT);
	CHECK_EQ(req_import(world.file, fd, LARGEST, refs), 0);
	world_stop();
}

/* ---- 49 ---- */

static unsigned int tried;
static bool trying;

static void release_meanwhile(const struct machine_event *event, void *arg)
{
	if (event->kind != MACHINE_EVENT_USER || trying)
		return;
	trying = true;
	tried++;
	CHECK_EQ(req_release(world.file, *(uint32_t *)arg), -ENOENT);
	trying = false;
}

static void row_49_no_import_is_seen_before_it_is_told(void)
{
	uint32_t refs[3], fd;

	world_start();
	fd = foreign_export(3);
	machine_watch(release_meanwhile, &fd);
	CHECK_EQ(req_import(world.file, fd, 3, refs), 0);
	machine_watch(NULL, NULL);
	/* The request, and the references. */
	CHECK_EQ(tried, 2);
	CHECK_EQ(req_release(world.file, fd), 0);
	fail_call("copy_to_user", 1, 0, false);
	CHECK_EQ(req_import(world.file, fd, 3, refs), -EFAULT);
	machine_fail_none();
	CHECK_EQ(req_release(world.file, fd), -ENOENT);
	world_stop();
}

static void row_50_reserved_fields_must_be_zero(void)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs import = {
		.count = 1,
		.domid = 1,
		.reserved = 1,
	};
	struct ioctl_gntdev_dmabuf_imp_release release = {.reserved = 1};

	world_start();
	import.fd = release.fd = foreign_export(1);
	CHECK_EQ(file_ioctl(world.task, world.file,
			    IOCTL_GNTDEV_DMABUF_IMP_TO_REFS,
			    (unsigned long)&import, false),
		 -EINVAL);
	CHECK_EQ(req_import(world.file, import.fd, 1, NULL), 0);
	CHECK_EQ(file_ioctl(world.task, world.file,
			    IOCTL_GNTDEV_DMABUF_IMP_RELEASE,
			    (unsigned long)&release, false),
		 -EINVAL);
	CHECK_EQ(req_release(world.file, import.fd), 0);
	world_stop();
}

/* ---- 51, 53: an exporter with lists of its own ---- */

#define MERGED 4

static struct odd {
	struct page *pages[MERGED];
	unsigned int nents; /* that the device is told */
	u64 skew; /* of the first address */
	u64 length; /* of the first entry, or 0 */
} odd;

static void merge_entries(struct device *dev, struct sg_table *sgt,
			  enum dma_data_direction dir)
{
	unsigned int i, each = MERGED / odd.nents;

	for (i = 0; i < MERGED; i++) {
		/* What a device need not look at is rubbish. */
		sgt->sgl[i].dma_address = 0xdead0000;
		sgt->sgl[i].dma_length = 0x777;
	}
	for (i = 0; i < odd.nents; i++) {
		sgt->sgl[i].dma_address =
			dma_map_page_attrs(dev, odd.pages[i * each], 0,
					   each * PAGE_SIZE, dir, 0);
		sgt->sgl[i].dma_length = each * PAGE_SIZE;
	}
	sgt->sgl[0].dma_address += odd.skew;
	if (odd.length)
		sgt->sgl[0].dma_length = odd.length;
	sgt->nents = odd.nents;
}

static struct sg_table *odd_map(struct dma_buf_attachment *attach,
				enum dma_data_direction dir)
{
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);

	/* As many entries as there are pages, be they neighbours or not. */
	CHECK_EQ(sg_alloc_table_from_pages_segment(sgt, odd.pages, MERGED, 0,
						   MERGED * PAGE_SIZE,
						   PAGE_SIZE, GFP_KERNEL),
		 0);
	merge_entries(attach->dev, sgt, dir);

	return sgt;
}

static void odd_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		      enum dma_data_direction dir)
{
	unsigned int i;

	for (i = 0; i < sgt->nents; i++)
		dma_unmap_page_attrs(attach->dev, sgt->sgl[i].dma_address,
				     sgt->sgl[i].dma_length, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static void odd_release(struct dma_buf *dmabuf)
{
	int i;

	for (i = 0; i < MERGED; i++)
		page_back(odd.pages[i]);
}

static const struct dma_buf_ops odd_ops = {
	.map_dma_buf = odd_map,
	.unmap_dma_buf = odd_unmap,
	.release = odd_release,
};

static long export_odd(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct context c;
	int fd, i;

	info.owner = NULL;
	info.ops = &odd_ops;
	info.size = MERGED * PAGE_SIZE;
	info.flags = O_RDWR;
	info.priv = &odd;
	for (i = 0; i < MERGED; i++) {
		odd.pages[i] = page_new(PAGE_FRAME);
		odd.pages[i]->owner = world.mapper;
		odd.pages[i]->pfn = domain_page_alloc(world.mapper);
	}
	call_begin(&c, world.task, NULL);
	dmabuf = dma_buf_export(&info);
	fd = get_unused_fd_flags(0);
	fd_install(fd, dmabuf->file);
	call_end(&c);

	return fd;
}

static void import_odd(uint32_t nents)
{
	struct peer peer;
	uint32_t refs[MERGED];
	unsigned char byte;
	long fd;
	int i;

	world_start();
	odd = (struct odd){.nents = nents};
	fd = export_odd();
	for (i = 0; i < MERGED; i++)
		domain_memory(world.mapper)[odd.pages[i]->pfn * PAGE_SIZE] =
			'a' + i;
	CHECK_EQ(req_import(world.file, fd, MERGED, refs), 0);
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs, MERGED), 0);
	for (i = 0; i < MERGED; i++) {
		CHECK_EQ(task_load(peer.task, AT(1) + i * PAGE_SIZE, &byte, 1),
			 0);
		CHECK_EQ(byte, 'a' + i);
	}
	peer_close(&peer);
	close_buffer(fd);
	world_stop();
}

/* The model hides the pages from importers; only addresses lead to them. */
static void row_51_addresses_alone_are_used(void)
{
	import_odd(MERGED);
}

static void
row_53_a_list_with_merged_entries_is_read_as_the_device_reads_it(void)
{
	import_odd(2);
	import_odd(1);
}

static void row_53_a_list_that_does_not_fit_is_einval(void)
{
	static const struct odd lists[] = {
		{.nents = 1, .length = (MERGED + 1) * PAGE_SIZE},
		{.nents = 1, .length = (MERGED - 1) * PAGE_SIZE},
		{.nents = 1, .length = MERGED * PAGE_SIZE - 512},
		{.nents = 2, .skew = 512},
		/* No memory of this domain's: a device's own, for instance. */
		{.nents = 2, .skew = 1ULL << 50},
	};
	size_t i;
	long fd;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		world_start();
		odd = lists[i];
		fd = export_odd();
		CHECK_EQ(req_import(world.file, fd, MERGED, NULL), -EINVAL);
		CHECK_EQ(req_release(world.file, fd), -ENOENT);
		close_buffer(fd);
		world_stop();
	}
}

static void row_52_a_page_that_the_other_side_maps_stays(void)
{
	struct peer peer;
	uint32_t refs[2];
	long fd;

	world_start();
	fd = foreign_export(2);
	CHECK_EQ(req_import(world.file, fd, 2, refs), 0);
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs, 2), 0);
	CHECK_EQ(counters().departed, 0);
	CHECK_EQ(req_release(world.file, fd), 0);
	CHECK_EQ(counters().departed, 2);
	/* The model's memory goes nowhere as long as it is granted. */
	close_buffer(fd);
	machine_advance(5000);
	CHECK_EQ(task_store(peer.task, AT(1), "w", 1), 0);
	CHECK(domain_grant_flags(world.mapper, refs[0]) & 0x18);
	peer_close(&peer);
	machine_advance(1000);
	CHECK_EQ(counters().departed, 0);
	CHECK_EQ(domain_grant_flags(world.mapper, refs[0]), 0);
	world_stop();
}

/* The other side may have it for longer than anybody here. */
static void row_52_the_module_stays_while_the_other_side_maps(void)
{
	struct peer peer;
	uint32_t refs[2];
	long fd;

	world_start();
	fd = foreign_export(2);
	CHECK_EQ(req_import(world.file, fd, 2, refs), 0);
	peer_open(&peer);
	CHECK_EQ(peer_map(&peer, AT(1), refs, 2), 0);
	task_exit(world.task);
	world.task = NULL;
	file_close(NULL, world.file);
	world.file = NULL;
	machine_advance(60000);
	/* The import, and the file that the peer's VMA holds. */
	CHECK_EQ(machine_driver_users(), 2);
	peer_close(&peer);
	machine_advance(300);
	CHECK_EQ(machine_driver_users(), 0);
	world_stop();
}

static const struct test tests[] = {
	TEST_IN(IN_ANY, row_48_each_of_65536_pages_is_granted),
	TEST(row_48_the_last_references_are_left_to_others),
	TEST_IN(IN_ANY, row_48_no_reference_is_left_or_lost_half_way),
	TEST(row_49_no_import_is_seen_before_it_is_told),
	TEST(row_50_reserved_fields_must_be_zero),
	TEST(row_51_addresses_alone_are_used),
	TEST(row_52_a_page_that_the_other_side_maps_stays),
	TEST(row_52_the_module_stays_while_the_other_side_maps),
	TEST(row_53_a_list_with_merged_entries_is_read_as_the_device_reads_it),
	TEST(row_53_a_list_that_does_not_fit_is_einval),
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
