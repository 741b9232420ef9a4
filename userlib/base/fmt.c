/* SPDX-License-Identifier: MIT */
/* A bounded printf and number parsing for freestanding code. */
#include "userlib/base/string.h"

size_t str_copy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = len < size - 1 ? len : size - 1;

		memcpy(dst, src, n);
		dst[n] = 0;
	}
	return len;
}

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

struct spec {
	bool left, zero, plus, space, alt;
	int width, prec, size; /* size: -2 hh, -1 h, 0 int, 1 long */
};

static void put_str(struct out *o, const struct spec *s, const char *p, size_t n)
{
	int fill = s->width - (int)n;

	if (!s->left)
		pad(o, ' ', fill);
	while (n--)
		put(o, *p++);
	if (s->left)
		pad(o, ' ', fill);
}

static void put_num(struct out *o, const struct spec *s, u64 v, unsigned base, bool upper, const char *sign)
{
	char digits[32];
	int n = 0, zeros, fill, pre = (int)strlen(sign);
	bool nonzero = v != 0;

	while (v) {
		digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
		v /= base;
	}
	if (n == 0 && s->prec != 0)
		digits[n++] = '0';
	if (s->alt && base == 16 && nonzero)
		pre += 2;
	zeros = s->prec > n ? s->prec - n : 0;
	if (s->alt && base == 8 && !zeros)
		zeros = nonzero;
	fill = s->width - n - zeros - pre;
	if (s->zero && !s->left && s->prec < 0 && fill > 0) {
		zeros += fill;
		fill = 0;
	}
	if (!s->left)
		pad(o, ' ', fill);
	while (*sign)
		put(o, *sign++);
	if (s->alt && base == 16 && nonzero) {
		put(o, '0');
		put(o, upper ? 'X' : 'x');
	}
	pad(o, '0', zeros);
	while (n)
		put(o, digits[--n]);
	if (s->left)
		pad(o, ' ', fill);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .prec = -1 };
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '+')
			s->plus = true;
		else if (*f == ' ')
			s->space = true;
		else if (*f == '#')
			s->alt = true;
		else
			break;
	}
	if (*f == '*') {
		s->width = va_arg(*ap, int);
		if (s->width < 0) {
			s->left = true;
			s->width = -s->width;
		}
		f++;
	} else {
		while (*f >= '0' && *f <= '9')
			s->width = s->width * 10 + *f++ - '0';
	}
	if (*f == '.') {
		s->prec = 0;
		if (*++f == '*') {
			s->prec = va_arg(*ap, int);
			f++;
		}
		while (*f >= '0' && *f <= '9')
			s->prec = s->prec * 10 + *f++ - '0';
	}
	for (;; f++) {
		if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
			s->size = 1;
		else if (*f == 'h')
			s->size--;
		else
			break;
	}
	return f;
}

int fmt_v(char *buf, size_t size, const char *f, va_list ap0)
{
	struct out o = { buf, size, 0 };
	struct spec s;
	va_list ap;

	va_copy(ap, ap0);
	for (; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_spec(f + 1, &s, &ap);
		switch (*f) {
		case 'd':
		case 'i': {
			s64 v = s.size > 0 ? va_arg(ap, long) : va_arg(ap, int);

			put_num(&o, &s, v < 0 ? -(u64)v : (u64)v, 10, false,
				v < 0 ? "-" : s.plus ? "+" : s.space ? " " : "");
			break;
		}
		case 'u':
		case 'x':
		case 'X':
		case 'o': {
			u64 v = s.size > 0 ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);

			put_num(&o, &s, v, *f == 'u' ? 10 : *f == 'o' ? 8 : 16, *f == 'X', "");
			break;
		}
		case 'p':
			s.alt = true;
			put_num(&o, &s, (u64)va_arg(ap, void *), 16, false, "");
			break;
		case 'c': {
			char c = (char)va_arg(ap, int);

			put_str(&o, &s, &c, 1);
			break;
		}
		case 's': {
			const char *p = va_arg(ap, const char *);

			if (!p)
				p = "(null)";
			put_str(&o, &s, p, s.prec >= 0 ? strnlen(p, (size_t)s.prec) : strlen(p));
			break;
		}
		case 0:
			f--;
			break;
		default:
			put(&o, *f);
		}
	}
	va_end(ap);
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return (int)o.len;
}

int fmt(char *buf, size_t size, const char *f, ...)
{
	va_list ap;
	int n;

	va_start(ap, f);
	n = fmt_v(buf, size, f, ap);
	va_end(ap);
	return n;
}

int parse_u64(const char *s, unsigned base, u64 *out)
{
	u64 v = 0;

	if (base == 0) {
		base = 10;
		if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
			base = 16;
			s += 2;
		} else if (s[0] == '0' && s[1]) {
			base = 8;
			s++;
		}
	}
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned d;

		if (*s >= '0' && *s <= '9')
			d = (unsigned)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			d = (unsigned)(*s - 'a') + 10;
		else if (*s >= 'A' && *s <= 'F')
			d = (unsigned)(*s - 'A') + 10;
		else
			return -EINVAL;
		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return -ERANGE;
	}
	*out = v;
	return 0;
}
