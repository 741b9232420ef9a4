/* SPDX-License-Identifier: MIT */
/*
 * Keeps the cache of patched images within bounds: when a new entry takes it over the limit, the oldest entries go. Instances that map an
 * entry keep it (the descriptor holds the file). Temporary files of a launcher that was killed go after an hour.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/patch/cache.h"

#define MAX_ENTRIES	  16384
#define STALE_TMP_SECONDS 3600

struct entry {
	char name[128];
	time_t mtime;
	u64 bytes;
};

static int by_age(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->mtime > y->mtime) - (x->mtime < y->mtime);
}

/* All regular files of the directory; false when the list could not be made. */
static bool list_entries(int dir_fd, struct entry *v, size_t *n, u64 *total)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	struct stat st;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (*n < MAX_ENTRIES && (e = readdir(d))) {
		if (strlen(e->d_name) >= sizeof(v->name) ||
		    fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		if (!strncmp(e->d_name, "tmp-", 4)) {
			if (time(NULL) - st.st_mtime > STALE_TMP_SECONDS)
				(void)unlinkat(dir_fd, e->d_name, 0);
			continue;
		}
		strcpy(v[*n].name, e->d_name);
		v[*n].mtime = st.st_mtime;
		v[*n].bytes = (u64)st.st_blocks * 512;
		*total += v[(*n)++].bytes;
	}
	closedir(d);
	return true;
}

void cache_trim(int dir_fd, u64 limit_bytes)
{
	struct entry *v = calloc(MAX_ENTRIES, sizeof(*v));
	size_t n = 0;
	u64 total = 0;

	if (v && list_entries(dir_fd, v, &n, &total) && (total > limit_bytes || n == MAX_ENTRIES)) {
		qsort(v, n, sizeof(*v), by_age);
		/* down to three quarters, so that this is rare */
		for (size_t i = 0;
		     i < n && (total > limit_bytes / 4 * 3 || n - i > MAX_ENTRIES / 4 * 3); i++)
			if (!unlinkat(dir_fd, v[i].name, 0))
				total -= v[i].bytes;
	}
	free(v);
}
