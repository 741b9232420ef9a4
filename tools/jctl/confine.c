/* SPDX-License-Identifier: MIT */
/*
 * What the instance's process gives up before the exec: new privileges, capabilities, the file system outside root and volumes.
 * The system-call filter is not here: the instance kernel installs it itself (filter.c makes it).
 */
#include <errno.h>
#include <linux/landlock.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

/* Newer than the headers of Debian 12; values of the Linux user ABI. */
#define LL_TRUNCATE   (1ull << 14) /* ABI 3 */
#define LL_IOCTL_DEV  (1ull << 15) /* ABI 5 */
#define LL_NET_BOTH   3ull	   /* ABI 4: bind and connect TCP */
#define LL_SCOPE_BOTH 3ull	   /* ABI 6: abstract unix sockets, signals */
struct ll_ruleset_attr {
	u64 handled_access_fs;
	u64 handled_access_net;
	u64 scoped;
};

#define LL_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LL_FILE_ONLY                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV)
#define LL_WRITE                                                                                  \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                          \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                           \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | \
	 LL_TRUNCATE)

int confine_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* Every file-system right this ABI knows: what no rule grants is refused. */
static u64 handled_fs(int abi)
{
	u64 all = (1ull << 13) - 1;

	if (abi >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all |= LL_TRUNCATE;
	if (abi >= 5)
		all |= LL_IOCTL_DEV;
	return all;
}

static int allow_beneath(int ruleset, int fd, u64 rights)
{
	struct landlock_path_beneath_attr a = { .allowed_access = rights, .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0))
		return -errno;
	return 0;
}

static int add_rules(const struct launch *l, int ruleset, u64 handled)
{
	int r = allow_beneath(ruleset, l->kernel_fd,
			      (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE) &
				      handled);

	if (!r)
		r = allow_beneath(ruleset, l->root_fd,
				  (LL_READ | (l->cfg->is_rw ? LL_WRITE : 0)) & handled);
	if (!r && l->cache_dir_fd >= 0)
		r = allow_beneath(ruleset, l->cache_dir_fd, LL_READ & handled);
	for (unsigned i = 0; !r && i < l->cfg->nr_volumes; i++) {
		u64 rights = LL_READ | (l->volume_flags[i] & JABI_VOL_RO ? 0 : LL_WRITE);

		if (l->volume_flags[i] & JABI_VOL_IS_FILE)
			rights &= LL_FILE_ONLY;
		r = allow_beneath(ruleset, l->volume_fd[i], rights & handled);
	}
	return r;
}

int confine_landlock(const struct launch *l, const char **step)
{
	int abi = confine_landlock_abi(), fd, r;
	struct ll_ruleset_attr a = { .handled_access_fs = handled_fs(abi) };
	size_t size = 8;

	*step = "Landlock";
	if (!abi)
		return 0; /* doctor says what that means */
	if (abi >= 4) {
		a.handled_access_net = LL_NET_BOTH;
		size = 16;
	}
	if (abi >= 6) {
		a.scoped = LL_SCOPE_BOTH;
		size = 24;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0);
	if (fd < 0)
		return -errno;
	r = add_rules(l, fd, a.handled_access_fs);
	if (!r && syscall(SYS_landlock_restrict_self, fd, 0))
		r = -errno;
	close(fd);
	return r;
}

int confine_drop_privilege(const struct launch *l, const char **step)
{
	static const cap_value_t keep[] = { CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, CAP_FOWNER,
					    CAP_CHOWN };
	int nr_keep = !(l->boot.flags & JABI_F_AS_ROOT) ? 0
		      : l->boot.flags & JABI_F_WRITABLE ? 4
							: 1;
	cap_t caps, now;
	int err = 0;

	*step = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	*step = "capabilities";
	now = cap_get_proc();
	caps = cap_init();
	if (!now || !caps)
		return -ENOMEM;
	for (int i = 0; i < nr_keep; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(now, keep[i], CAP_PERMITTED, &has) || has != CAP_SET)
			continue; /* root in a container may lack it */
		cap_set_flag(caps, CAP_PERMITTED, 1, &keep[i], CAP_SET);
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &keep[i], CAP_SET);
	}
	/* The bounding set limits what the exec gives uid 0; without CAP_SETPCAP no_new_privs does. */
	for (cap_value_t c = 0; c < cap_max_bits(); c++) {
		bool is_kept = false;

		for (int i = 0; i < nr_keep; i++)
			is_kept |= keep[i] == c;
		if (!is_kept)
			(void)cap_drop_bound(c);
	}
	(void)cap_reset_ambient();
	if (cap_set_proc(caps))
		err = -errno;
	cap_free(caps);
	cap_free(now);
	return err;
}
