#include "tools/patch/cache.h"
int cache_open_dir(char *p, size_t s) { (void)p; (void)s; return -1; }
