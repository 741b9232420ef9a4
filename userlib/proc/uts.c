/* SPDX-License-Identifier: MIT */
/* Host and domain name. */
#include "userlib/proc/uts.h"
#include "userlib/base/string.h"
#include "userlib/rt/lock.h"

static struct spinlock lock;
static char hostname[UTS_LEN + 1] = "junction", domainname[UTS_LEN + 1] = "(none)"; /* [lock] */

static void set(char *dst, const char *name, size_t len)
{
	spin_lock(&lock);
	memset(dst, 0, UTS_LEN + 1);
	memcpy(dst, name, MIN(len, (size_t)UTS_LEN));
	spin_unlock(&lock);
}

static void get(char *buf, const char *src)
{
	spin_lock(&lock);
	memcpy(buf, src, UTS_LEN + 1);
	spin_unlock(&lock);
}

void uts_set_hostname(const char *name, size_t len)
{
	set(hostname, name, len);
}
void uts_set_domainname(const char *name, size_t len)
{
	set(domainname, name, len);
}
void uts_get_hostname(char *buf)
{
	get(buf, hostname);
}
void uts_get_domainname(char *buf)
{
	get(buf, domainname);
}
