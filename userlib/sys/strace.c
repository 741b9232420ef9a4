/* SPDX-License-Identifier: MIT */
/*
 * strace output from the system-call table, in strace(1)'s format: pid, name(arguments) = result ERRNO (text) <seconds>. Arguments are
 * printed by their declared type in table.h: char pointers as strings (quoted, cut at 32), other pointers in hex, int signed, the rest
 * by value. Structures are not decoded.
 */
#include "userlib/sys/dispatch.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc.h"
#include "userlib/rt/host.h"
#include "userlib/sys/errno_names.h"

int strace_fd = 2;

struct line {
	char buf[1024];
	size_t len;
};

static void add(struct line *l, const char *f, ...)
{
	va_list ap;
	int n;

	va_start(ap, f);
	n = fmt_v(l->buf + l->len, sizeof(l->buf) - l->len, f, ap);
	va_end(ap);
	l->len += (size_t)n;
	if (l->len > sizeof(l->buf) - 1)
		l->len = sizeof(l->buf) - 1;
}

static void add_quoted(struct line *l, const char *s, size_t n, bool more)
{
	add(l, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n')
			add(l, "\\n");
		else if (c == '\t')
			add(l, "\\t");
		else if (c == '\r')
			add(l, "\\r");
		else if (c == '"' || c == '\\')
			add(l, "\\%c", c);
		else if (c < 32 || c > 126)
			add(l, "\\%o", c);
		else
			add(l, "%c", c);
	}
	add(l, more ? "\"..." : "\"");
}

static void add_string(struct line *l, u64 addr)
{
	char s[256];
	ssize n;

	if (!addr) {
		add(l, "NULL");
		return;
	}
	n = strncpy_from_app(s, (const char __app *)addr, sizeof(s));
	if (n == -EFAULT)
		add(l, "%#lx", addr);
	else
		add_quoted(l, s, n < 0 ? sizeof(s) : (size_t)n, n < 0);
}

static void add_buffer(struct line *l, u64 addr, u64 len)
{
	char s[32];
	size_t n = copy_from_app_partial(s, (const void __app *)addr, MIN(len, sizeof(s)));

	if (n < MIN(len, sizeof(s)))
		add(l, "%#lx", addr);
	else
		add_quoted(l, s, n, len > sizeof(s));
}

/* The i-th "type, name" pair of the row's argument text. */
static const char *arg_text(const char *args, unsigned i, size_t *len)
{
	const char *end;

	for (i *= 2; i; i--) {
		args = strchr(args, ',');
		if (!args)
			return NULL;
		args++;
	}
	while (*args == ' ')
		args++;
	end = strchr(args, ',');
	*len = end ? (size_t)(end - args) : strlen(args);
	return args;
}

static bool type_is(const char *t, size_t len, const char *what)
{
	return len == strlen(what) && !strncmp(t, what, len);
}

static void add_arg(struct line *l, const struct sys_row *row, unsigned i, const u64 a[6])
{
	size_t len = 0;
	const char *t = arg_text(row->args, i, &len);
	bool is_pointer = t && memchr(t, '*', len);

	if (!t)
		add(l, "%#lx", a[i]);
	else if (type_is(t, len, "const char __app *"))
		add_string(l, a[i]);
	else if (type_is(t, len, "const void __app *") && i + 1 < row->nr_args)
		add_buffer(l, a[i], a[i + 1]);
	else if (is_pointer && !a[i])
		add(l, "NULL");
	else if (is_pointer)
		add(l, "%#lx", a[i]);
	else if (type_is(t, len, "int") && (int)a[i] == -100)
		add(l, "AT_FDCWD");
	else if (type_is(t, len, "int"))
		add(l, "%d", (int)a[i]);
	else if (type_is(t, len, "unsigned") || type_is(t, len, "u32"))
		add(l, "%#x", (u32)a[i]);
	else
		add(l, a[i] > 0xffffff ? "%#lx" : "%lu", a[i]);
}

void strace_enter(const struct sys_row *row, u64 nr, const u64 args[6])
{
	(void)row;
	(void)args;
	thread_self()->strace_start_ns = (u64)clock_monotonic_ns();
	if (nr == 60 || nr == 231 || nr == 15) /* these do not return here */
		strace_exit(row, nr, args, 0);
}

void strace_exit(const struct sys_row *row, u64 nr, const u64 args[6], long ret)
{
	struct thread *t = thread_self();
	u64 ns = (u64)clock_monotonic_ns() - t->strace_start_ns;
	bool ends = nr == 60 || nr == 231;
	struct line l;

	if (nr == 15 && ret)
		return;
	l.len = 0;
	add(&l, "[pid %d] ", t->tid);
	if (row && row->fn) {
		add(&l, "%s(", row->name);
		for (unsigned i = 0; i < row->nr_args; i++) {
			add_arg(&l, row, i, args);
			if (i + 1 < row->nr_args)
				add(&l, ", ");
		}
	} else if (nr == 15) {
		add(&l, "rt_sigreturn(");
	} else {
		add(&l, "syscall_%lu(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx", nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	}
	add(&l, ") = ");
	if (ends)
		add(&l, "?");
	else if (ret < 0 && ret >= -516)
		add(&l, "%s%s", ret <= -512 ? "? " : "-1 ", errno_name((int)-ret));
	else if (ret > 0xffffff || ret < -4096)
		add(&l, "%#lx", ret);
	else
		add(&l, "%ld", ret);
	add(&l, " <%lu.%06lu>\n", ns / 1000000000, ns / 1000 % 1000000);
	host_write(strace_fd, l.buf, l.len);
}
