/* SPDX-License-Identifier: MIT */
/* Classic BPF for SO_ATTACH_FILTER: checked at attach (every jump lands forward and inside, the end is a return), then interpreted. */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/filter.h>

#define INSNS_MAX 4096u

struct net_filter {
	u32 nr;
	struct sock_filter insn[];
};

static bool insn_ok(const struct sock_filter *f, u32 at, u32 nr)
{
	u16 c = f->code;

	switch (BPF_CLASS(c)) {
	case BPF_LD:
	case BPF_LDX:
		return BPF_MODE(c) != BPF_MEM || f->k < BPF_MEMWORDS;
	case BPF_ST:
	case BPF_STX:
		return f->k < BPF_MEMWORDS;
	case BPF_ALU:
		if ((BPF_OP(c) == BPF_DIV || BPF_OP(c) == BPF_MOD) && BPF_SRC(c) == BPF_K && !f->k)
			return false;
		if ((BPF_OP(c) == BPF_LSH || BPF_OP(c) == BPF_RSH) && BPF_SRC(c) == BPF_K && f->k >= 32)
			return false;
		return BPF_OP(c) <= BPF_XOR;
	case BPF_JMP:
		if (BPF_OP(c) == BPF_JA)
			return f->k < nr - at - 1;
		return BPF_OP(c) <= BPF_JSET && at + f->jt + 1u < nr && at + f->jf + 1u < nr;
	default:
		return true; /* RET, MISC */
	}
}

int filter_attach(struct sock *s, const void *prog, u32 bytes)
{
	u32 nr = bytes / (u32)sizeof(struct sock_filter);
	struct net_filter *f;

	if (!nr || nr > INSNS_MAX || bytes % sizeof(struct sock_filter))
		return -EINVAL;
	f = kmem_alloc(sizeof(*f) + bytes);
	if (!f)
		return -ENOMEM;
	f->nr = nr;
	memcpy(f->insn, prog, bytes);
	for (u32 i = 0; i < nr; i++)
		if (!insn_ok(&f->insn[i], i, nr))
			goto err_bad;
	if (BPF_CLASS(f->insn[nr - 1].code) != BPF_RET)
		goto err_bad;
	if (s->filter)
		(void)filter_detach(s);
	s->filter = f;
	return 0;

err_bad:
	kmem_free(f, sizeof(*f) + bytes);
	return -EINVAL;
}

int filter_detach(struct sock *s)
{
	if (!s->filter)
		return -ENOENT;
	kmem_free(s->filter, sizeof(*s->filter) + s->filter->nr * sizeof(struct sock_filter));
	s->filter = NULL;
	return 0;
}

struct run {
	const u8 *p;
	u32 len, whole, a, x, mem[BPF_MEMWORDS];
	u16 ll_proto;
	u8 ll_type;
	int ifindex;
};

/* Linux's ancillary loads at negative offsets. */
static bool load_ancillary(struct run *r, u32 k)
{
	switch (k - (u32)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL:
		r->a = r->ll_proto;
		return true;
	case SKF_AD_PKTTYPE:
		r->a = r->ll_type;
		return true;
	case SKF_AD_IFINDEX:
		r->a = (u32)r->ifindex;
		return true;
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_CPU:
		r->a = 0;
		return true;
	case SKF_AD_RANDOM:
		r->a = random_u32();
		return true;
	default:
		return false;
	}
}

static bool load(struct run *r, u16 size, u64 at)
{
	u32 n = size == BPF_W ? 4 : size == BPF_H ? 2 : 1, v = 0;

	if (at + n > r->len)
		return false;
	for (u32 i = 0; i < n; i++)
		v = v << 8 | r->p[at + i];
	r->a = v;
	return true;
}

static bool alu(struct run *r, const struct sock_filter *f)
{
	u32 v = BPF_SRC(f->code) == BPF_X ? r->x : f->k;

	switch (BPF_OP(f->code)) {
	case BPF_ADD: r->a += v; break;
	case BPF_SUB: r->a -= v; break;
	case BPF_MUL: r->a *= v; break;
	case BPF_OR: r->a |= v; break;
	case BPF_AND: r->a &= v; break;
	case BPF_XOR: r->a ^= v; break;
	case BPF_LSH: r->a = v < 32 ? r->a << v : 0; break;
	case BPF_RSH: r->a = v < 32 ? r->a >> v : 0; break;
	case BPF_NEG: r->a = -r->a; break;
	default: /* DIV, MOD */
		if (!v)
			return false;
		r->a = BPF_OP(f->code) == BPF_DIV ? r->a / v : r->a % v;
	}
	return true;
}

static bool load_insn(struct run *r, const struct sock_filter *f)
{
	bool x = BPF_CLASS(f->code) == BPF_LDX;
	u32 save = r->a;

	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		r->a = f->k;
		break;
	case BPF_LEN:
		r->a = r->whole;
		break;
	case BPF_MEM:
		r->a = r->mem[f->k];
		break;
	case BPF_ABS:
		if ((s32)f->k < 0 ? !load_ancillary(r, f->k) : !load(r, BPF_SIZE(f->code), f->k))
			return false;
		break;
	case BPF_IND:
		if (!load(r, BPF_SIZE(f->code), (u64)r->x + f->k))
			return false;
		break;
	case BPF_MSH:
		if (!load(r, BPF_B, f->k))
			return false;
		r->a = (r->a & 15) * 4;
		break;
	default:
		return false;
	}
	if (x) {
		r->x = r->a;
		r->a = save;
	}
	return true;
}

u32 filter_run(const struct net_filter *p, const u8 *data, u32 len, u32 whole, u16 ll_proto, u8 ll_type, int ifindex)
{
	struct run r = { .p = data, .len = len, .whole = whole, .ll_proto = ll_proto, .ll_type = ll_type, .ifindex = ifindex };

	for (u32 pc = 0; pc < p->nr; pc++) {
		const struct sock_filter *f = &p->insn[pc];
		u32 v = BPF_SRC(f->code) == BPF_X ? r.x : f->k;
		bool yes;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!load_insn(&r, f))
				return 0;
			break;
		case BPF_ST:
			r.mem[f->k] = r.a;
			break;
		case BPF_STX:
			r.mem[f->k] = r.x;
			break;
		case BPF_ALU:
			if (!alu(&r, f))
				return 0;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA) {
				pc += f->k;
				break;
			}
			yes = BPF_OP(f->code) == BPF_JEQ ? r.a == v : BPF_OP(f->code) == BPF_JGT ? r.a > v :
			      BPF_OP(f->code) == BPF_JGE ? r.a >= v : (r.a & v) != 0;
			pc += yes ? f->jt : f->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? r.a : f->k;
		default: /* MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				r.x = r.a;
			else
				r.a = r.x;
		}
	}
	return 0;
}
