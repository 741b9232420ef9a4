/* SPDX-License-Identifier: MIT */
/* Arguments, environment, auxiliary vector and the initial registers' view of the stack. */
/* guest: args=one "two words" "" -- --opt */
#include "t.h"
#include <elf.h>
#include <sys/auxv.h>

static const struct { unsigned long type; const char *name; } kinds[] = {
	{ AT_PHDR, "PHDR" }, { AT_PHENT, "PHENT" }, { AT_PHNUM, "PHNUM" },
	{ AT_PAGESZ, "PAGESZ" }, { AT_ENTRY, "ENTRY" }, { AT_UID, "UID" }, { AT_EUID, "EUID" },
	{ AT_GID, "GID" }, { AT_EGID, "EGID" }, { AT_RANDOM, "RANDOM" }, { AT_EXECFN, "EXECFN" },
	{ AT_PLATFORM, "PLATFORM" }, { AT_CLKTCK, "CLKTCK" }, { AT_SYSINFO_EHDR, "VDSO" },
	{ AT_HWCAP2, "HWCAP2" }, { AT_MINSIGSTKSZ, "MINSIGSTKSZ" },
};

int main(int argc, char **argv, char **envp)
{
	unsigned char *rnd = (unsigned char *)getauxval(AT_RANDOM);
	unsigned char any = 0;
	int n = 0;

	for (int i = 1; i < argc; i++)
		t_say("argv[%d]=\"%s\"", i, argv[i]);
	Y(argv[argc] == NULL);
	for (char **e = envp; *e; e++)
		n++;
	t_yes("environment not empty", n > 0);
	t_say("T_GUEST=%s", getenv("T_GUEST") ? getenv("T_GUEST") : "(none)");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		errno = 0;
		(void)getauxval(kinds[i].type);
		t_say("AT_%s %s", kinds[i].name, errno ? "absent" : "present");
	}
	t_say("pagesz %lu clktck %lu secure %lu platform %s", getauxval(AT_PAGESZ),
	      getauxval(AT_CLKTCK), getauxval(AT_SECURE), (char *)getauxval(AT_PLATFORM));
	t_say("phent %lu", getauxval(AT_PHENT));
	t_yes("fsgsbase in HWCAP2", getauxval(AT_HWCAP2) & 2);
	for (int i = 0; i < 16; i++)
		any |= rnd[i];
	t_yes("AT_RANDOM filled", any != 0);
	t_yes("execfn is argv0", strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
	t_yes("vdso is ELF", memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, 4) == 0);
	Y(((unsigned long)getauxval(AT_EXECFN) & 1UL << 47) == 0);
	return 0;
}
