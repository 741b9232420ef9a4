#include "tools/jctl/launch.h"
int filter_add(struct launch *l) { (void)l; return 0; }
