/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: classic BPF of SO_ATTACH_FILTER: what the check lets pass is run on a packet. The input: u8 number of instructions, those (8
 * bytes each), then the packet. Programs that are accepted must end, touch only the packet, and give the same answer twice.
 */
#include "tests/fuzz/world.h"
#include "tests/lib/sim_rt.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct sock s = { 0 };
	u32 bytes = size ? data[0] * 8u : 0, len, a, b;
	u8 *prog, *p;

	if (!bytes || size < 1 + bytes)
		return 0;
	prog = malloc(bytes);
	memcpy(prog, data + 1, bytes);
	len = (u32)(size - 1 - bytes);
	p = malloc(len ? len : 1);
	memcpy(p, data + 1 + bytes, len);
	if (!filter_attach(&s, prog, bytes)) {
		sim_seed(7);
		a = filter_run(s.filter, p, len, len + 4, 0x800, 0, 2);
		sim_seed(7);
		b = filter_run(s.filter, p, len, len + 4, 0x800, 0, 2);
		if (a != b || filter_detach(&s))
			abort();
	}
	free(prog);
	free(p);
	if (sim_mem_live())
		abort();
	return 0;
}
