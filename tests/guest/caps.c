/* SPDX-License-Identifier: MIT */
/* capabilities(7): sets over changes of user ids, capset, the bounding and ambient sets, keep-caps, execve, set-id programs. */
#include "t.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

/* What Linux here was started with may be less than everything: only these are looked at. */
#define C(x) (1ull << (x))
#define BASE (C(CAP_CHOWN) | C(CAP_SETUID) | C(CAP_SETGID) | C(CAP_SETPCAP) | C(CAP_DAC_OVERRIDE) | C(CAP_FOWNER))

static void show(const char *when)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	uid_t r, e, s;

	getresuid(&r, &e, &s);
	printf("%s: uid %u %u %u", when, r, e, s);
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "CapInh", 6) == 0 || strncmp(line, "CapPrm", 6) == 0 || strncmp(line, "CapEff", 6) == 0 ||
		    strncmp(line, "CapAmb", 6) == 0) {
			printf(" %.3s %010llx", line + 3, strtoull(line + 8, NULL, 16) & BASE);
		}
	putchar('\n');
	fflush(stdout);
	if (f)
		fclose(f);
}

static long caps_set(uint64_t eff, uint64_t perm, uint64_t inh)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)eff, (uint32_t)perm, (uint32_t)inh }, { (uint32_t)(eff >> 32), (uint32_t)(perm >> 32), (uint32_t)(inh >> 32) }
	};

	return syscall(SYS_capset, &h, d);
}

static void in_child(void (*fn)(void))
{
	pid_t p;
	int st;

	fflush(stdout);
	p = fork();
	if (p == 0) {
		fn();
		fflush(stdout);
		_exit(0);
	}
	waitpid(p, &st, 0);
	t_say("status %x", st);
}

static void drops(void)
{
	R(caps_set(BASE, BASE, 0));
	show("base");
	R(setresuid(1000, 1000, 1000));
	show("as 1000");
	R(setresuid(0, 0, 0));
	R(chown("caps.file", 1, 1));
	R(open("/proc/1/environ", O_RDONLY) < 0);
}

static void keeps(void)
{
	R(caps_set(BASE, BASE, 0));
	R(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	R(prctl(PR_SET_KEEPCAPS, 7, 0, 0, 0));
	R(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	R(setresuid(1000, 1000, 1000));
	show("kept");
	R(caps_set(C(CAP_SETUID), C(CAP_SETUID), 0));
	show("raised one");
	R(caps_set(BASE, BASE, 0));
	R(chown("caps.file", 1, 1));
	R(setresuid(0, 0, 0));
	show("root again");
}

static void seteuids(void)
{
	R(caps_set(BASE, BASE, 0));
	R(seteuid(1000));
	show("euid 1000");
	R(open("caps.file", O_RDWR) >= 0);
	R(seteuid(0));
	show("euid 0");
	R(setfsuid(1000));
	show("fsuid 1000");
	R(setfsuid(0));
	show("fsuid 0");
}

static void without_override(void)
{
	R(caps_set(C(CAP_SETPCAP), BASE, 0));
	R(open("caps.file", O_RDWR) >= 0);
	R(chown("caps.file", 5, 5));
	R(caps_set(BASE, C(CAP_SETPCAP), 0));
	R(caps_set(BASE, BASE, 0));
	R(open("caps.file", O_RDWR) >= 0);
	R(caps_set(0, 0, 0));
	R(caps_set(BASE, BASE, 0));
	R(setresuid(1, 2, 3));
	R(setgid(7));
}

static void ambients(void)
{
	R(caps_set(BASE, BASE, 0));
	R(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	R(caps_set(BASE, BASE, C(CAP_CHOWN)));
	R(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	R(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
	R(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0));
	R(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS, 0, 0, 0));
	R(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	R(setresuid(1000, 1000, 1000));
	show("ambient");
	execl("/proc/self/exe", "caps", "show", NULL);
}

static void bounding(void)
{
	R(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0));
	R(prctl(PR_CAPBSET_READ, 77, 0, 0, 0));
	for (int i = 0; i <= 63; i++)
		if (i != CAP_CHOWN && i != CAP_SETPCAP)
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	R(prctl(PR_CAPBSET_READ, CAP_KILL, 0, 0, 0));
	execl("/proc/self/exe", "caps", "show", NULL);
}

static void set_ids(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char cmd[9000];

	self[n > 0 ? n : 0] = 0;
	snprintf(cmd, sizeof(cmd), "cp '%s' caps.suid && chown 1234:1235 caps.suid && chmod 6755 caps.suid", self);
	R(system(cmd));
	fflush(stdout);
	execl("./caps.suid", "caps", "show", NULL);
}

static void no_new(void)
{
	R(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	execl("./caps.suid", "caps", "show", NULL);
}

int main(int argc, char **argv)
{
	struct __user_cap_header_struct h = { 0x12345678, 0 };
	struct __user_cap_data_struct d[2];

	if (argc > 1 && strcmp(argv[1], "show") == 0) {
		show("after exec");
		t_say("egid %d secure %lu dumpable %d", (int)getegid(), getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
		return 0;
	}
	R(syscall(SYS_capget, &h, NULL));
	t_say("%x", h.version);
	R(syscall(SYS_capget, &h, NULL));
	h.pid = -1;
	R(syscall(SYS_capget, &h, d));
	h.version = 5;
	R(syscall(SYS_capget, &h, d));
	close(open("caps.file", O_CREAT | O_RDWR, 0600));
	R(chown("caps.file", 77, 77));
	in_child(drops);
	R(chown("caps.file", 77, 77));
	in_child(keeps);
	R(chown("caps.file", 77, 77));
	in_child(seteuids);
	in_child(without_override);
	in_child(ambients);
	in_child(bounding);
	in_child(set_ids);
	in_child(no_new);
	return 0;
}
