/* SPDX-License-Identifier: MIT */
/* TCP_INFO (tcp(7), linux/tcp.h): what is measured is told, what is not is 0; and what still is to be sent. Under net_lock. */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"
#include <linux/tcp.h>

static u32 ms_since(s64 t, s64 now)
{
	return t ? (u32)((now - t) / NSEC_PER_MSEC) : 0;
}

void tcp_info_fill(const struct tcp_conn *c, struct tcp_info *ti)
{
	static const u8 map[] = { 7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6 };
	u32 mss = MAX(c->mss, 1u);
	s64 now = clock_monotonic_ns();

	memset(ti, 0, sizeof(*ti));
	ti->tcpi_state = map[c->state];
	ti->tcpi_pacing_rate = ti->tcpi_max_pacing_rate = ~0ull;
	if (c->state == TCP_LISTEN) {
		ti->tcpi_unacked = c->nr_accept;
		ti->tcpi_sacked = c->backlog ? c->backlog - 1 : 0;
		return;
	}
	ti->tcpi_ca_state = (u8)c->ca;
	ti->tcpi_retransmits = (u8)c->retries;
	ti->tcpi_probes = (u8)(c->persist_probes + c->keep_probes);
	ti->tcpi_backoff = (u8)MAX(c->retries, c->persist_shift);
	ti->tcpi_options = (u8)((c->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (c->sack_ok ? TCPI_OPT_SACK : 0) |
				(c->wscale_ok ? TCPI_OPT_WSCALE : 0) | (c->ecn_ok ? TCPI_OPT_ECN : 0));
	ti->tcpi_snd_wscale = c->snd_wscale & 15;
	ti->tcpi_rcv_wscale = (c->wscale_ok ? c->rcv_wscale : 0) & 15;
	ti->tcpi_rto = (u32)(c->rto / 1000);
	ti->tcpi_ato = TCP_DELACK_NS / 1000;
	ti->tcpi_snd_mss = c->mss;
	ti->tcpi_rcv_mss = c->rcv_mss;
	ti->tcpi_unacked = (c->snd_nxt - c->snd_una + mss - 1) / mss;
	ti->tcpi_sacked = (c->sacked_bytes + mss - 1) / mss;
	ti->tcpi_lost = (c->lost_bytes + mss - 1) / mss;
	ti->tcpi_retrans = 0;
	for (const struct list *l = c->recs.next; l != &c->recs; l = l->next)
		ti->tcpi_retrans += (list_entry(l, struct tcp_rec, link)->flags & (REC_RETRANS | REC_SACKED | REC_LOST)) == REC_RETRANS;
	ti->tcpi_last_data_sent = ms_since(c->last_tx_data, now);
	ti->tcpi_last_data_recv = ms_since(c->last_rx, now);
	ti->tcpi_last_ack_recv = ms_since(c->last_ack_rx, now);
	ti->tcpi_pmtu = tcp_pmtu_mss(c) + (ip_is4(c->s->rip) ? 40 : 60);
	ti->tcpi_rcv_ssthresh = tcp_rcv_window(c);
	ti->tcpi_rtt = (u32)(c->srtt / 1000);
	ti->tcpi_rttvar = (u32)(c->rttvar / 1000);
	ti->tcpi_snd_ssthresh = c->ssthresh == 0x7fffffff ? c->ssthresh : c->ssthresh / mss;
	ti->tcpi_snd_cwnd = c->cwnd / mss;
	ti->tcpi_advmss = c->adv_mss;
	ti->tcpi_reordering = 3;
	ti->tcpi_rcv_rtt = (u32)(c->rcv_rtt / 1000);
	ti->tcpi_rcv_space = c->tune_space;
	ti->tcpi_total_retrans = (u32)c->total_retrans;
	ti->tcpi_bytes_acked = c->bytes_acked;
	ti->tcpi_bytes_received = c->bytes_received;
	ti->tcpi_segs_out = (u32)c->segs_out;
	ti->tcpi_segs_in = (u32)c->segs_in;
	ti->tcpi_notsent_bytes = c->snd.len - MIN(c->snd.len, c->snd_nxt - c->snd_una);
	ti->tcpi_min_rtt = (u32)(c->min_rtt / 1000);
	ti->tcpi_data_segs_in = (u32)c->data_segs_in;
	ti->tcpi_data_segs_out = (u32)c->data_segs_out;
	ti->tcpi_delivered = c->delivered;
	ti->tcpi_delivered_ce = c->delivered_ce;
	ti->tcpi_bytes_sent = c->bytes_sent;
	ti->tcpi_bytes_retrans = c->bytes_retrans;
	ti->tcpi_dsack_dups = c->dsack_dups;
	ti->tcpi_reord_seen = c->reord_seen;
	ti->tcpi_snd_wnd = c->snd_wnd;
}

u64 tcp_unsent(void)
{
	u64 n = 0;
	struct sock *s;

	list_for_each(s, &net_socks, all_link) {
		const struct tcp_conn *c = s->tcp;

		if (!c || s->dead || !tcp_is_orphan(c) || (ip_is4(s->rip) ? ip_is_local(s->rip) : ip6_is_local(s->rip)))
			continue;
		if (c->state == TCP_FIN_WAIT_1 || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK)
			n += c->snd.len + 1;
	}
	return n;
}
