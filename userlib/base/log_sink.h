/* SPDX-License-Identifier: MIT */
/* Where log lines and panics end; set once at boot by entry/. */
#ifndef USERLIB_BASE_LOG_SINK_H
#define USERLIB_BASE_LOG_SINK_H

#include "base/types.h"

extern void (*log_sink)(const char *line, size_t len);
extern void (*panic_end)(void);

#endif
