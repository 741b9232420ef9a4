/* SPDX-License-Identifier: MIT */
/* Formats the kernel's own messages; where they go is the upper layer's business (log_sink). */
#include "userlib/base/log.h"
#include "userlib/base/log_sink.h"
#include "userlib/base/string.h"

int log_level = LOG_WARN;
void (*log_sink)(const char *line, size_t len);
void (*panic_end)(void);

static void emit(const char *f, va_list ap)
{
	char line[512];
	int n = fmt(line, sizeof(line), "junction: ");

	n += fmt_v(line + n, sizeof(line) - (size_t)n - 1, f, ap);
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (log_sink)
		log_sink(line, (size_t)n);
}

void log_msg(enum log_level level, const char *f, ...)
{
	va_list ap;

	if ((int)level > log_level)
		return;
	va_start(ap, f);
	emit(f, ap);
	va_end(ap);
}

void panic(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	emit(f, ap);
	va_end(ap);
	if (panic_end)
		panic_end();
	__builtin_trap();
}
