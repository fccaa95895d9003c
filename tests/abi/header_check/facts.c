/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Every number of <xen/gntdev.h>, as lines of assembler that check.sh reads.
 * Compiled once with the project's header and once with the published one, for
 * each kind of caller; nothing of it is ever run, so that a cross compiler is
 * enough.
 */
#include <stddef.h>
#include <linux/types.h>

#ifdef PUBLISHED
/* The published header takes these two from whoever includes it. */
typedef __u32 grant_ref_t;
typedef __u16 domid_t;
#endif

#include <linux/ioctl.h>
#include <xen/gntdev.h>

#define FACT(name, value) \
	__asm__ volatile("\n.ascii \"fact " name " %c0\"" : : "i"(value))

#define NUMBER(name) FACT(#name, name)

#define SIZE(type)                                  \
	FACT("sizeof " #type, sizeof(struct type)); \
	FACT("alignof " #type, _Alignof(struct type))

#define FIELD(type, field)                                              \
	FACT("offset " #type "." #field, offsetof(struct type, field)); \
	FACT("width " #type "." #field, sizeof(((struct type *)0)->field))

/* For fields that are integers. */
#define INTEGER(type, field)                             \
	FIELD(type, field);                              \
	FACT("signed " #type "." #field,                 \
	     (__typeof__(((struct type *)0)->field))-1 < \
		     (__typeof__(((struct type *)0)->field))1)

static void numbers(void)
{
	NUMBER(IOCTL_GNTDEV_MAP_GRANT_REF);
	NUMBER(IOCTL_GNTDEV_UNMAP_GRANT_REF);
	NUMBER(IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR);
	NUMBER(IOCTL_GNTDEV_SET_MAX_GRANTS);
	NUMBER(IOCTL_GNTDEV_SET_UNMAP_NOTIFY);
	NUMBER(IOCTL_GNTDEV_GRANT_COPY);
	NUMBER(IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS);
	NUMBER(IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED);
	NUMBER(IOCTL_GNTDEV_DMABUF_IMP_TO_REFS);
	NUMBER(IOCTL_GNTDEV_DMABUF_IMP_RELEASE);
	NUMBER(UNMAP_NOTIFY_CLEAR_BYTE);
	NUMBER(UNMAP_NOTIFY_SEND_EVENT);
	NUMBER(GNTDEV_DMA_FLAG_WC);
	NUMBER(GNTDEV_DMA_FLAG_COHERENT);
}

static void mapping(void)
{
	SIZE(ioctl_gntdev_grant_ref);
	INTEGER(ioctl_gntdev_grant_ref, domid);
	INTEGER(ioctl_gntdev_grant_ref, ref);

	SIZE(ioctl_gntdev_map_grant_ref);
	INTEGER(ioctl_gntdev_map_grant_ref, count);
	INTEGER(ioctl_gntdev_map_grant_ref, pad);
	INTEGER(ioctl_gntdev_map_grant_ref, index);
	FIELD(ioctl_gntdev_map_grant_ref, refs);

	SIZE(ioctl_gntdev_unmap_grant_ref);
	INTEGER(ioctl_gntdev_unmap_grant_ref, index);
	INTEGER(ioctl_gntdev_unmap_grant_ref, count);
	INTEGER(ioctl_gntdev_unmap_grant_ref, pad);

	SIZE(ioctl_gntdev_get_offset_for_vaddr);
	INTEGER(ioctl_gntdev_get_offset_for_vaddr, vaddr);
	INTEGER(ioctl_gntdev_get_offset_for_vaddr, offset);
	INTEGER(ioctl_gntdev_get_offset_for_vaddr, count);
	INTEGER(ioctl_gntdev_get_offset_for_vaddr, pad);

	SIZE(ioctl_gntdev_set_max_grants);
	INTEGER(ioctl_gntdev_set_max_grants, count);

	SIZE(ioctl_gntdev_unmap_notify);
	INTEGER(ioctl_gntdev_unmap_notify, index);
	INTEGER(ioctl_gntdev_unmap_notify, action);
	INTEGER(ioctl_gntdev_unmap_notify, event_channel_port);
}

static void copy(void)
{
	SIZE(gntdev_grant_copy_segment);
	FIELD(gntdev_grant_copy_segment, source);
	FIELD(gntdev_grant_copy_segment, source.virt);
	INTEGER(gntdev_grant_copy_segment, source.foreign.ref);
	INTEGER(gntdev_grant_copy_segment, source.foreign.offset);
	INTEGER(gntdev_grant_copy_segment, source.foreign.domid);
	FIELD(gntdev_grant_copy_segment, dest);
	FIELD(gntdev_grant_copy_segment, dest.virt);
	INTEGER(gntdev_grant_copy_segment, dest.foreign.ref);
	INTEGER(gntdev_grant_copy_segment, dest.foreign.offset);
	INTEGER(gntdev_grant_copy_segment, dest.foreign.domid);
	INTEGER(gntdev_grant_copy_segment, len);
	INTEGER(gntdev_grant_copy_segment, flags);
	INTEGER(gntdev_grant_copy_segment, status);

	SIZE(ioctl_gntdev_grant_copy);
	INTEGER(ioctl_gntdev_grant_copy, count);
	FIELD(ioctl_gntdev_grant_copy, segments);
}

static void dmabuf(void)
{
	SIZE(ioctl_gntdev_dmabuf_exp_from_refs);
	INTEGER(ioctl_gntdev_dmabuf_exp_from_refs, flags);
	INTEGER(ioctl_gntdev_dmabuf_exp_from_refs, count);
	INTEGER(ioctl_gntdev_dmabuf_exp_from_refs, fd);
	INTEGER(ioctl_gntdev_dmabuf_exp_from_refs, domid);
	FIELD(ioctl_gntdev_dmabuf_exp_from_refs, refs);

	SIZE(ioctl_gntdev_dmabuf_exp_wait_released);
	INTEGER(ioctl_gntdev_dmabuf_exp_wait_released, fd);
	INTEGER(ioctl_gntdev_dmabuf_exp_wait_released, wait_to_ms);

	SIZE(ioctl_gntdev_dmabuf_imp_to_refs);
	INTEGER(ioctl_gntdev_dmabuf_imp_to_refs, fd);
	INTEGER(ioctl_gntdev_dmabuf_imp_to_refs, count);
	INTEGER(ioctl_gntdev_dmabuf_imp_to_refs, domid);
	INTEGER(ioctl_gntdev_dmabuf_imp_to_refs, reserved);
	FIELD(ioctl_gntdev_dmabuf_imp_to_refs, refs);

	SIZE(ioctl_gntdev_dmabuf_imp_release);
	INTEGER(ioctl_gntdev_dmabuf_imp_release, fd);
	INTEGER(ioctl_gntdev_dmabuf_imp_release, reserved);
}

void facts(void);
void facts(void)
{
	numbers();
	mapping();
	copy();
	dmabuf();
}
