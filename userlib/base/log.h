/* SPDX-License-Identifier: MIT */
/*
 * The instance kernel's own messages, to the launcher's stderr as "junction: ..." lines; rate-limited by the caller's choice of
 * log_once. ASSERT is compiled in everywhere; BUG_ON where going on corrupts memory; input from outside is never asserted.
 */
#ifndef USERLIB_BASE_LOG_H
#define USERLIB_BASE_LOG_H

#include "base/atomic.h"

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DBG };
extern int log_level; /* messages above this level are dropped; default LOG_WARN */

void log_msg(enum log_level level, const char *fmt, ...) printf_like(2, 3);
/* Prints and ends the whole instance (exit code 125). Callable from anywhere, takes no lock. */
void panic(const char *fmt, ...) printf_like(1, 2) noreturn_fn;

#define log_err(...) log_msg(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_once(level, ...)                          \
	do {                                          \
		static u32 log_done_;                 \
		if (!atomic_xchg(&log_done_, 1u))     \
			log_msg(level, __VA_ARGS__);  \
	} while (0)
#define ASSERT(x)                                                                          \
	do {                                                                               \
		if (unlikely(!(x)))                                                        \
			panic("assertion failed: %s at %s:%d", #x, __FILE__, __LINE__);    \
	} while (0)
#define BUG_ON(x) ASSERT(!(x))

#endif
