/* SPDX-License-Identifier: MIT */
/* The faulting primitives in arch/x86_64/uaccess.S; for rt/ only. */
#ifndef USERLIB_RT_UACCESS_ARCH_H
#define USERLIB_RT_UACCESS_ARCH_H

#include "base/types.h"

size_t uaccess_copy(void *dst, const void *src, size_t n); /* bytes not copied */
size_t uaccess_clear(void *dst, size_t n);		    /* bytes not cleared */
int uaccess_load32(const u32 *p, u32 *out);
int uaccess_cas32(u32 *p, u32 expected, u32 desired, u32 *old);
int uaccess_load8(const u8 *p);

#endif
