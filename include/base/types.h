/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width types and compiler helpers for freestanding code. No code, no state.
 * errno numbers are Linux's own (<linux/errno.h>), always used negated in return values.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/errno.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef long ssize;

/* Kernel-internal results of an interrupted call; never seen by a program (signal(7), restart rules). */
#define ERESTARTSYS 512		  /* restart if SA_RESTART, else EINTR */
#define ERESTARTNOINTR 513	  /* always restart */
#define ERESTARTNOHAND 514	  /* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* restart through restart_syscall with the remaining time */

#define KiB 1024ul
#define MiB (1024ul * KiB)
#define GiB (1024ul * MiB)
#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define must_check __attribute__((warn_unused_result))
#define noinline_fn __attribute__((noinline))
#define always_inline inline __attribute__((always_inline))
#define noreturn_fn __attribute__((noreturn))
#define attr_packed __attribute__((packed))
#define attr_aligned(n) __attribute__((aligned(n)))
#define attr_unused __attribute__((unused))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define MIN(a, b)                           \
	({                                  \
		__typeof__(a) min_a_ = (a); \
		__typeof__(b) min_b_ = (b); \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define MAX(a, b)                           \
	({                                  \
		__typeof__(a) max_a_ = (a); \
		__typeof__(b) max_b_ = (b); \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})
#define ROUND_UP(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ROUND_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))

/* A pointer that came from the program: only uaccess.h may follow it. */
#ifdef __CHECKER__
#define __app __attribute__((noderef, address_space(1)))
#else
#define __app
#endif

/* Pointer-returning functions: NULL means one cause. Where a cause is needed, int + **out. */
#define IS_ERR_VALUE(x) ((unsigned long)(x) >= (unsigned long)-4095)

#endif
