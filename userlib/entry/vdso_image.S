/* SPDX-License-Identifier: MIT */
/* The linked vDSO as data; boot copies it into the arena, from where every program maps it. */
	.section .rodata
	.globl vdso_image, vdso_image_end
	.p2align 12
vdso_image:
	.incbin VDSO_FILE
	.p2align 12
vdso_image_end:
	.section .note.GNU-stack,"",@progbits
