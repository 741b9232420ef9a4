/* SPDX-License-Identifier: MIT */
/* The few libc names that freestanding code may use; implemented in string.c, from glibc in hosted tests. */
#ifndef USERLIB_BASE_STRING_H
#define USERLIB_BASE_STRING_H

#include "base/types.h"
#include <stdarg.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *h, const char *n);

/* Copies at most size-1 bytes and always terminates; returns the length of src. */
size_t str_copy(char *dst, const char *src, size_t size);
/*
 * printf into a bounded buffer: %d %i %u %x %X %o %c %s %p %% with flags [-0#+ ], width, precision (also *), and h hh l ll z.
 * Always terminates when size > 0. Returns the length the full text would have.
 */
int fmt_v(char *buf, size_t size, const char *fmt, va_list ap);
int fmt(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
/* Parses an unsigned number (base 0 = C prefixes). Returns 0, -EINVAL (nothing or rest left over) or -ERANGE. */
int parse_u64(const char *s, unsigned base, u64 *out) must_check;

#endif
