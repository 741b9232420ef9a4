/* SPDX-License-Identifier: MIT */
/*
 * TCP (RFC 9293), inside net/. Names of variables and states are the RFC's. Everything here runs under net_lock.
 * tcp_conn.c   life, look-up, ports, ISN          tcp_rack.c   loss detection by time, tail-loss probe (RFC 8985)
 * tcp_ring.c   byte rings                         tcp_cc.c     recovery, PRR, undo, ECN; cc_ops; RTT and RTO (RFC 6298)
 * tcp_open.c   connect, listen, accept            tcp_cc_reno.c, tcp_cc_cubic.c   window growth
 * tcp_syncookie.c  SYN cookies                    tcp_timer.c  timers
 * tcp_opt.c    options, both ways                 tcp_pmtu.c   ICMP errors, path MTU, black holes
 * tcp_in.c     segments in, up to the ACK field   tcp_user.c   send, receive, close
 * tcp_ack.c    the ACK field                      tcp_tune.c   receive window: size and auto-tuning
 * tcp_data.c   data, urgent data, FIN             tcp_info.c   TCP_INFO
 * tcp_out.c    segments out                       tcp_state.c  states after the handshake, TIME-WAIT
 * tcp_sack.c   SACK, D-SACK; what is outstanding
 */
#ifndef NET_TCP_TCP_H
#define NET_TCP_TCP_H

#include "net/stack.h"

enum tcp_state {
	TCP_CLOSED, TCP_LISTEN, TCP_SYN_SENT, TCP_SYN_RECEIVED, TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT,
};

#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_PSH 0x08
#define TH_ACK 0x10
#define TH_URG 0x20
#define TH_ECE 0x40
#define TH_CWR 0x80

struct tcp_hdr {
	u16 sport, dport;
	u32 seq, ack;
	u8 off, flags;
	u16 wnd, csum, urg;
} attr_packed;

#define SEQ_LT(a, b) ((s32)((a) - (b)) < 0)
#define SEQ_LEQ(a, b) ((s32)((a) - (b)) <= 0)
#define SEQ_GT(a, b) ((s32)((a) - (b)) > 0)
#define SEQ_GEQ(a, b) ((s32)((a) - (b)) >= 0)

#define TCP_MSS_MIN 88
#define TCP_MSL_NS (30 * NSEC_PER_SEC)
#define TCP_RTO_MIN_NS (200 * NSEC_PER_MSEC)
#define TCP_RTO_MAX_NS (120 * NSEC_PER_SEC)
#define TCP_RTO_INIT_NS (1 * NSEC_PER_SEC) /* RFC 6298 */
#define TCP_DELACK_NS (40 * NSEC_PER_MSEC)
#define TCP_REST_NS (NSEC_PER_SEC / 2) /* without traffic: empty rings are freed */
#define TCP_REFUSE_NS (500 * NSEC_PER_MSEC) /* between two answers to unacceptable segments without data */
#define TCP_MAX_RETRIES 15u
#define TCP_ORPHAN_RETRIES 8u /* nobody waits for it any more */
#define TCP_SYN_RETRIES 6u
#define TCP_SYNACK_RETRIES 5u
#define TCP_WSCALE 7
#define TCP_BUF_MIN 16384u
#define TCP_BUF_MAX (4u << 20)
#define TCP_RCVBUF_INIT 131072u
#define TCP_TW_MAX 8192u      /* connections in TIME-WAIT that no descriptor holds */
#define TCP_HALF_OPEN_MAX 4096u /* SYN_RECEIVED, all listeners together */
#define TCP_DUPTHRESH 3u
#define TCP_INIT_CWND 10u /* segments, RFC 6928 */

/*
 * A ring of bytes that grows from TCP_BUF_MIN to its limit as it fills, and is given back when the connection rests and it is empty. `ahead` bytes beyond the `len` in
 * order hold what came out of order: it lies where it will be read from.
 */
struct tcp_ring {
	u8 *buf;
	u32 cap, start, len, ahead;
};
struct tcp_run { /* [start, end) of sequence space */
	u32 start, end;
};
#define TCP_RUNS 64

/* What was sent in one go and is not yet acknowledged; the FIN counts as its last byte. In order of seq, without gaps. */
struct tcp_rec {
	struct list link;    /* conn->recs */
	struct list tx_link; /* conn->tx_order: by time of the last transmission; not in it: sacked or lost */
	u32 seq, end;
	s64 sent_ns;
	u8 flags; /* REC_* */
};
#define REC_SACKED 1u
#define REC_LOST 2u	/* and not sent again since */
#define REC_RETRANS 4u	/* was sent again at some time */

/* TCP_INFO's tcpi_ca_state. */
enum tcp_ca { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

struct tcp_conn;
struct tcp_cc_ops {
	const char *name;
	void (*init)(struct tcp_conn *c);
	u32 (*ssthresh)(struct tcp_conn *c); /* after a congestion event; bytes */
	void (*avoid)(struct tcp_conn *c, u32 acked); /* congestion avoidance: acked new bytes, window in use */
	void (*restart)(struct tcp_conn *c, bool timeout); /* sending goes on after idleness, or after a timeout */
};
extern const struct tcp_cc_ops tcp_cc_reno, tcp_cc_cubic;

struct tcp_cubic {
	s64 epoch_ns; /* 0: a new epoch begins with the next ACK */
	u32 w_max, origin, k_ms, w_est, est_acc, prior;
};

struct tcp_conn {
	struct sock *s;
	struct list tx_wait; /* the link was full */
	enum tcp_state state;
	u32 iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_wnd;
	u32 irs, rcv_nxt, rcv_adv, last_ack; /* rcv_adv: right edge last advertised; last_ack: ACK last sent */
	u32 mss, rcv_mss, adv_mss, peer_mss, user_mss; /* mss: data per segment to the peer; user_mss: TCP_MAXSEG, 0 = none */
	u8 snd_wscale, rcv_wscale;
	bool wscale_ok, ts_ok, sack_ok, ecn_ok;
	bool fin_queued, fin_received, ack_now, delack, push, pingpong;
	u8 quick; /* segments yet to be acknowledged at once */
	u32 ts_recent, ts_offset, last_ecr, last_ecr_acked; /* echoes seen: with data; with the last ACK */
	s64 ts_recent_ns;
	struct tcp_ring snd, rcv;
	/* received out of order: tcp_data.c */
	struct tcp_run ooo[TCP_RUNS];
	u32 nr_ooo, ooo_fin, last_ooo;
	bool has_ooo_fin, has_dsack;
	struct tcp_run dsack; /* to be reported in the next ACK */
	/* urgent data */
	u32 snd_up, rcv_up; /* the byte after the urgent ones; the urgent byte's sequence number */
	bool snd_urg, rcv_urg, rcv_urg_read; /* rcv_urg: rcv_up is ahead of or at what was read; read: and was taken with MSG_OOB */
	/* outstanding: tcp_sack.c, tcp_rack.c */
	struct list recs, tx_order;
	u32 nr_recs, sacked_bytes, lost_bytes, high_sacked;
	u32 dup_acks; /* without SACK: duplicates since snd_una moved */
	s64 rack_sent, rack_rtt; /* of the segment last sent among those that arrived */
	u32 rack_end, rack_fack, reo_mult, reo_round;
	bool reordering, dsack_seen;
	u8 reo_persist;
	u32 tlp_end;
	bool tlp_out, tlp_is_rtx;
	u32 snd_sml; /* end of the last small segment sent: Nagle after Minshall */
	/* congestion control: tcp_cc.c */
	const struct tcp_cc_ops *cc;
	struct tcp_cubic cubic;
	enum tcp_ca ca;
	u32 cwnd, ssthresh, cwnd_acc, recover, prr_delivered, prr_out, recover_fs;
	u32 prior_cwnd, prior_ssthresh, undo_una, undo_rtx; /* undo_rtx: retransmissions no D-SACK has answered */
	u32 rtx_ts;			    /* our timestamp at the first retransmission of the episode, 0 = none */
	bool can_undo, cwnd_limited;
	bool ecn_echo, ecn_cwr_owed; /* we owe the peer ECE; our next data carries CWR */
	u32 hy_end, hy_count, hy_css; /* HyStart++ (RFC 9406) */
	s64 hy_last_min, hy_now_min, hy_css_base;
	/* RTT, RFC 6298 */
	s64 srtt, rttvar, rto, min_rtt, min_rtt_ns;
	s64 syn_sent_ns;
	u32 retries, segs_unacked, black_holes;
	u64 total_retrans, bytes_acked, bytes_received, bytes_sent, bytes_retrans, segs_out, segs_in, data_segs_out, data_segs_in;
	u32 delivered, delivered_ce, reord_seen, dsack_dups;
	/* deadlines, 0 = off; one timer serves the earliest */
	struct timer timer;
	s64 t_rexmit, t_probe, t_reo, t_persist, t_delack, t_keep, t_life, t_trim;
	u32 keep_idle_s, keep_intvl_s, keep_cnt, keep_probes, user_timeout_ms, persist_shift, persist_probes, syn_cnt, notsent_lowat;
	int linger2_s;
	s64 last_rx, last_ack_rx, last_tx_data, refused_ns, stalled_ns; /* stalled_ns: since when nothing was answered */
	int soft_error; /* what ICMP said; reported if the connection times out */
	/* path MTU: tcp_pmtu.c; bytes of IP packet, 0 = the route's */
	u32 pmtu;
	s64 pmtu_ns;
	/* receive window: tcp_tune.c */
	s64 rcv_rtt, tune_ns, rtt_win_ns;
	u32 rtt_win_seq, tune_copied, tune_space;
	/* listeners, and the children waiting in them */
	struct sock *listener;
	struct list accept_link, accept_queue, tw_link;
	u32 backlog, nr_accept, nr_half; /* waiting for accept(); in SYN_RECEIVED */
	u32 defer_accept_s;
	bool accept_deferred, cookies_sent;
	s64 cookie_ns; /* a cookie was sent last */
};

struct tcp_opts { /* of one segment */
	u32 ts_val, ts_ecr;
	u16 mss;      /* 0: none */
	s8 wscale;    /* -1: none */
	bool has_ts, sack_ok;
	u8 nr_sack;
	struct tcp_run sack[4];
};
struct tcp_seg { /* a parsed segment; lives on the stack */
	struct ip_addr src, dst;
	u16 sport, dport;
	u32 seq, ack, wnd, len, up;
	u8 flags;
	bool ce;
	u8 *data;
	struct tcp_opts o;
};

/* tcp_conn.c */
struct tcp_conn *tcp_conn_alloc(struct sock *s);
void tcp_conn_free(struct tcp_conn *c); /* rings, records, timer; the struct itself goes with the sock */
struct sock *tcp_find(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport);
struct sock *tcp_find_listener(struct ip_addr lip, u16 lport, u32 hash);
void tcp_hash_conn(struct sock *s);
void tcp_hash_listener(struct sock *s);
bool tcp_port_free(struct sock *s, struct ip_addr ip, u16 port);
int tcp_pick_port(struct sock *s, struct ip_addr ip, const struct ip_addr *rip, u16 rport); /* rip NULL: any peer */
u64 tcp_keyed_hash(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport, u64 extra); /* SipHash-2-4 under the instance's secret */
u32 tcp_new_iss(const struct sock *s);
void tcp_drop_data(struct tcp_conn *c);

/* tcp_state.c */
void tcp_set_state(struct tcp_conn *c, enum tcp_state st);
void tcp_established(struct tcp_conn *c);
bool tcp_fin_acked(struct tcp_conn *c); /* our FIN is; false: the connection is gone */
void tcp_fin_input(struct tcp_conn *c);
void tcp_enter_time_wait(struct tcp_conn *c);
bool tcp_time_wait_reuse(struct sock *s, u32 *iss); /* frees the pair for an active open, if that is safe */
void tcp_time_wait_end(struct sock *s);
void tcp_abort(struct tcp_conn *c, int err); /* error to the user, no segment */
void tcp_destroy(struct tcp_conn *c);	      /* the user is gone and the protocol is done */

/* tcp_ring.c */
u32 ring_space(const struct tcp_ring *r, u32 limit);
int ring_reserve(struct tcp_ring *r, u32 extra); /* room for extra bytes beyond len; 0 or -ENOMEM */
void ring_peek(const struct tcp_ring *r, u32 off, u8 *dst, u32 len);
void ring_put_ahead(struct tcp_ring *r, u32 off, const u8 *src, u32 len); /* at len + off; reserved before */
void ring_take_ahead(struct tcp_ring *r, u32 len); /* the first len bytes ahead are in order now */
void ring_drop(struct tcp_ring *r, u32 len);
void ring_free(struct tcp_ring *r);
static inline bool ring_is_empty(const struct tcp_ring *r)
{
	return !r->len && !r->ahead;
}
ssize ring_put_iter(struct tcp_ring *r, struct iov_iter *it, u32 len);
ssize ring_get_iter(struct tcp_ring *r, u32 off, struct iov_iter *it, u32 len);

/* tcp_opt.c */
void tcp_opt_parse(struct tcp_opts *o, const u8 *p, u32 len);
u32 tcp_opt_build(struct tcp_conn *c, u8 *out, u8 flags, u32 len); /* len: of the data that follows; at most 40 bytes */
u32 tcp_opt_syn(u8 *out, u32 mss, s8 wscale, bool sack, bool ts, u32 ts_val, u32 ts_ecr);
u32 tcp_ts_clock(void);
u32 tcp_ts_now(const struct tcp_conn *c);
/* What both sides of a handshake do with the peer's SYN. */
void tcp_opt_agree(struct tcp_conn *c, const struct tcp_seg *g);

/* tcp_in.c, tcp_ack.c, tcp_data.c */
void tcp_challenge_ack(struct tcp_conn *c);
void tcp_refuse_with_ack(struct tcp_conn *c, const struct tcp_seg *g);
bool tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *g);
void tcp_data_input(struct tcp_conn *c, struct tcp_seg *g);

/* tcp_out.c */
void tcp_output(struct tcp_conn *c);
void tcp_send_ack(struct tcp_conn *c);
void tcp_send_syn(struct tcp_conn *c);
void tcp_send_rst(struct tcp_conn *c);
void tcp_reply_rst(const struct tcp_seg *g);
int tcp_resend(struct tcp_conn *c, struct tcp_rec *r, u32 max); /* at most max bytes of it; the record is split there */
void tcp_send_probe(struct tcp_conn *c); /* keep-alive and zero-window */
bool tcp_tail_probe(struct tcp_conn *c); /* RFC 8985 7.3: new data if there is, else the last segment; false: nothing sent */
int tcp_send_raw(struct ip_addr src, struct ip_addr dst, const struct tcp_hdr *h, const u8 *opts, u32 olen);

/* tcp_open.c */
void tcp_listen_input(struct sock *l, struct tcp_seg *g);
struct tcp_conn *tcp_child_create(struct sock *l, const struct tcp_seg *g);
bool tcp_accept_full(const struct tcp_conn *l);
extern u32 tcp_half_open; /* connections in SYN_RECEIVED */

/* tcp_syncookie.c */
void tcp_cookie_send(struct sock *l, const struct tcp_seg *g);
struct tcp_conn *tcp_cookie_check(struct sock *l, const struct tcp_seg *g); /* NULL: not one of ours */

/* tcp_timer.c */
void tcp_timer_fn(struct timer *t);
void tcp_timer_update(struct tcp_conn *c);
void tcp_rexmit_start(struct tcp_conn *c); /* RTO from now */
void tcp_persist_start(struct tcp_conn *c);
void tcp_trim_later(struct tcp_conn *c); /* a ring has run empty: its memory goes when the connection rests */

/* tcp_sack.c */
struct tcp_delivery { /* what one ACK tells */
	u32 acked, delivered, newly_sacked, newly_lost, prior_una, prior_pipe;
	s64 now, rtt;	/* rtt: -1 = no sample */
	s64 sack_rtt;
	bool dsack, ece, rtx_acked, reordered;
};
u32 tcp_sack_option(struct tcp_conn *c, u8 *out, u32 max_blocks);
struct tcp_rec *tcp_rec_add(struct tcp_conn *c, u32 seq, u32 end); /* NULL: no memory */
void tcp_rec_del(struct tcp_conn *c, struct tcp_rec *r); /* neither sacked nor lost, or already subtracted */
int tcp_rec_split(struct tcp_conn *c, struct tcp_rec *r, u32 at);
void tcp_rec_sent_again(struct tcp_conn *c, struct tcp_rec *r);
void tcp_rec_lost(struct tcp_conn *c, struct tcp_rec *r);
void tcp_recs_free(struct tcp_conn *c);
void tcp_recs_acked(struct tcp_conn *c, u32 ack, struct tcp_delivery *d);
void tcp_sack_input(struct tcp_conn *c, const struct tcp_seg *g, struct tcp_delivery *d);
u32 tcp_pipe(const struct tcp_conn *c); /* bytes estimated in the network */

/* tcp_rack.c */
void tcp_rack_update(struct tcp_conn *c, const struct tcp_rec *r, struct tcp_delivery *d);
void tcp_rack_detect(struct tcp_conn *c, struct tcp_delivery *d);
void tcp_rack_dsack(struct tcp_conn *c);
void tcp_tlp_arm(struct tcp_conn *c);
void tcp_tlp_acked(struct tcp_conn *c, const struct tcp_seg *g, const struct tcp_delivery *d);
void tcp_mark_all_lost(struct tcp_conn *c);

/* tcp_cc.c */
void tcp_cc_init(struct tcp_conn *c);
int tcp_cc_select(struct tcp_conn *c, const char *name); /* -ENOENT: unknown */
void tcp_cc_ack(struct tcp_conn *c, struct tcp_delivery *d);
void tcp_cc_timeout(struct tcp_conn *c);
void tcp_cc_sent(struct tcp_conn *c, u32 len);
void tcp_cc_reduce(struct tcp_conn *c); /* one reduction per window without retransmission: ECN, TLP */
void tcp_cc_idle(struct tcp_conn *c);
void tcp_rtt_sample(struct tcp_conn *c, s64 rtt_ns);
extern int tcp_ecn_mode; /* as net.ipv4.tcp_ecn: 0 off, 1 ask and accept, 2 accept */

/* tcp_pmtu.c */
u32 tcp_pmtu_mss(const struct tcp_conn *c); /* without options */
void tcp_mss_update(struct tcp_conn *c); /* mss from what is known of peer, path and user */
void tcp_pmtu_black_hole(struct tcp_conn *c);
void tcp_pmtu_route_smaller(struct tcp_conn *c);

/* tcp_tune.c */
u32 tcp_rcv_window(const struct tcp_conn *c);
void tcp_tune_start(struct tcp_conn *c);
void tcp_tune_rtt(struct tcp_conn *c, const struct tcp_seg *g);
void tcp_tune_copied(struct tcp_conn *c, u32 len);

/* tcp_info.c */
struct tcp_info;
void tcp_info_fill(const struct tcp_conn *c, struct tcp_info *ti);

/* tcp_user.c */
ssize tcp_send(struct sock *s, struct iov_iter *it, u32 flags, bool nonblock);
ssize tcp_recv(struct sock *s, struct iov_iter *it, u32 flags, bool nonblock, u32 *out_flags);
void tcp_close(struct sock *s);
int tcp_shutdown(struct sock *s, int how);
int tcp_connect(struct sock *s, struct ip_addr ip, u16 port, bool nonblock);
int tcp_listen(struct sock *s, int backlog);
int tcp_accept(struct sock *s, bool nonblock, struct sock **out);
bool tcp_at_mark(const struct sock *s);
u64 tcp_unsent(void); /* bytes and FINs of closed connections to other hosts that are not acknowledged */
u32 tcp_readable(const struct tcp_conn *c); /* bytes up to the urgent mark; without the urgent byte unless it is inline */

/* Nobody holds it and nobody will: neither a descriptor nor a listener's queue. */
static inline bool tcp_is_orphan(const struct tcp_conn *c)
{
	return c->s->user_gone && !c->listener;
}

/* Open, with a user and without a FIN that waits for its place: segments without flags and short timers do not change its state. */
static inline bool tcp_is_plain(const struct tcp_conn *c)
{
	return (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT) && !c->s->user_gone && !c->s->dead && !c->has_ooo_fin;
}

static inline bool tcp_is_synchronized(const struct tcp_conn *c)
{
	return c->state >= TCP_ESTABLISHED;
}

#endif
