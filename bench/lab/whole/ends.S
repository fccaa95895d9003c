/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A PV guest's kernel that ends at once: the hypercall SCHEDOP_shutdown, for
 * power-off. What the toolstack and xenstored do for a guest costs the same.
 */
#define SCHED_OP 29
#define SHUTDOWN 2

	.section .note.xen, "a", @note
	.macro note type, value:vararg
	.balign 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\value
2:	.balign 4
	.endm
	note 6, .asciz "ends"			/* GUEST_OS */
	note 5, .asciz "xen-3.0"		/* XEN_VERSION */
	note 8, .asciz "generic"		/* LOADER */
	note 3, .quad 0				/* VIRT_BASE */
	note 1, .quad _start			/* ENTRY */
	note 2, .quad hypercalls		/* HYPERCALL_PAGE */

	.text
	.globl _start
_start:
	movl $SHUTDOWN, %edi
	leaq reason(%rip), %rsi
	call hypercalls + SCHED_OP * 32
1:	jmp 1b

	.balign 4096
hypercalls:
	.skip 4096
reason:
	.long 0					/* SHUTDOWN_poweroff */
