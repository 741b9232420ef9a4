/* SPDX-License-Identifier: MIT */
/*
 * TCP (RFC 9293), inside net/. Names of variables and states are the RFC's. Everything here runs under net_lock.
 * Files: tcp_conn.c life and look-up, tcp_open.c connect/listen/accept, tcp_in.c segments in, tcp_out.c segments out,
 * tcp_timer.c timers, tcp_user.c send/receive/close, tcp_cc.c congestion control (Reno with NewReno recovery, RFC 5681/6582).
 * tcp_sack.c selective acknowledgment. Not in this form: urgent data, Fast Open, ECN.
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
#define TCP_MAX_RETRIES 15u
#define TCP_ORPHAN_RETRIES 8u /* nobody waits for it any more */
#define TCP_SYN_RETRIES 6u
#define TCP_WSCALE 7
#define TCP_BUF_MIN 16384u
#define TCP_OOO_MAX 256

/* A ring of bytes that grows from TCP_BUF_MIN to its limit as it fills, and is given back when empty. */
struct tcp_ring {
	u8 *buf;
	u32 cap, start, len;
};
struct tcp_run { /* [start, end) of sequence space */
	u32 start, end;
};
#define TCP_RUNS 32
struct tcp_ooo { /* data beyond rcv_nxt */
	struct list link;
	u32 seq, len;
	bool fin;
	u8 data[];
};

struct tcp_conn {
	struct sock *s;
	enum tcp_state state;
	u32 iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_wnd;
	u32 irs, rcv_nxt, rcv_adv; /* rcv_adv: right edge last advertised */
	u32 mss, rcv_mss;
	u8 snd_wscale, rcv_wscale;
	bool wscale_ok, ts_ok, fin_queued, fin_received, ack_now, delack, quickack_mode, push;
	u32 ts_recent;
	s64 ts_recent_ns;
	struct tcp_ring snd, rcv;
	struct list ooo;
	u32 nr_ooo, ooo_bytes;
	/* congestion control: tcp_cc.c */
	u32 cwnd, ssthresh, recover, dupacks, cwnd_acc;
	bool in_recovery, rto_recovery; /* the latter: after a timeout, until recover is acknowledged */
	/* tcp_sack.c */
	bool sack_ok, probed; /* probed: a tail-loss probe is out */
	u32 nr_sacked, rtx_nxt, last_ooo; /* rtx_nxt: holes below it have been sent again */
	struct tcp_run sacked[TCP_RUNS];
	/* RTT, RFC 6298 */
	s64 srtt, rttvar, rto;
	u32 rtt_seq;
	s64 rtt_start;
	u32 retries, segs_unacked;
	u64 total_retrans;
	/* deadlines, 0 = off; one timer serves the earliest */
	struct timer timer;
	s64 t_rexmit, t_probe, t_persist, t_delack, t_keep, t_life;
	u32 keep_idle_s, keep_intvl_s, keep_cnt, keep_probes, user_timeout_ms, persist_shift;
	s64 last_rx, refused_ns, stalled_ns; /* stalled_ns: the first retransmission without an answer */
	/* listeners, and the children waiting in them */
	struct sock *listener;
	struct list accept_link, accept_queue;
	u32 backlog, nr_queue; /* nr_queue: SYN_RECEIVED + not yet accepted */
};

struct tcp_seg { /* a parsed segment; lives on the stack */
	struct ip_addr src, dst;
	u16 sport, dport;
	u32 seq, ack, wnd, len;
	u8 flags;
	u8 *data;
	bool has_ts;
	u32 ts_val, ts_ecr;
	u16 opt_mss;
	s8 opt_wscale;
	bool opt_sack;
	u8 nr_sack;
	struct tcp_run sack[4];
};

/* tcp_conn.c */
struct tcp_conn *tcp_conn_alloc(struct sock *s);
void tcp_conn_free(struct tcp_conn *c); /* rings, out-of-order data, timer; the struct itself goes with the sock */
void tcp_set_state(struct tcp_conn *c, enum tcp_state st);
struct sock *tcp_find(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport);
struct sock *tcp_find_listener(struct ip_addr lip, u16 lport, u32 hash);
void tcp_hash_conn(struct sock *s);
void tcp_hash_listener(struct sock *s);
bool tcp_port_free(struct sock *s, struct ip_addr ip, u16 port);
int tcp_pick_port(struct sock *s, struct ip_addr ip, const struct ip_addr *rip, u16 rport); /* rip NULL: any peer */
void tcp_abort(struct tcp_conn *c, int err); /* error to the user, no segment */
void tcp_destroy(struct tcp_conn *c);	      /* the user is gone and the protocol is done */
u32 tcp_new_iss(const struct sock *s);
u32 tcp_ts_now(void);

/* tcp_ring */
u32 ring_space(const struct tcp_ring *r, u32 limit);
int ring_reserve(struct tcp_ring *r, u32 extra, u32 limit); /* makes room for extra more bytes; 0 or -ENOMEM */
void ring_peek(const struct tcp_ring *r, u32 off, u8 *dst, u32 len);
void ring_put(struct tcp_ring *r, const u8 *src, u32 len);
void ring_drop(struct tcp_ring *r, u32 len);
void ring_free(struct tcp_ring *r);
ssize ring_put_iter(struct tcp_ring *r, struct iov_iter *it, u32 len);
ssize ring_get_iter(struct tcp_ring *r, u32 off, struct iov_iter *it, u32 len);

/* tcp_out.c */
void tcp_output(struct tcp_conn *c);
void tcp_send_ack(struct tcp_conn *c);
void tcp_send_syn(struct tcp_conn *c);
void tcp_send_rst(struct tcp_conn *c);
void tcp_reply_rst(const struct tcp_seg *g);
u32 tcp_resend(struct tcp_conn *c, u32 seq, u32 len); /* bytes (FIN counts) sent again */
void tcp_resend_first(struct tcp_conn *c);
void tcp_send_probe(struct tcp_conn *c); /* keep-alive and zero-window */
u32 tcp_rcv_window(const struct tcp_conn *c);

/* tcp_open.c */
void tcp_listen_input(struct sock *l, const struct tcp_seg *g);

/* tcp_timer.c */
void tcp_timer_fn(struct timer *t);
void tcp_timer_update(struct tcp_conn *c);
void tcp_rexmit_start(struct tcp_conn *c);
void tcp_enter_time_wait(struct tcp_conn *c);

/* tcp_sack.c */
u32 tcp_sack_option(const struct tcp_conn *c, u8 *out, u32 max_blocks);
u32 tcp_sack_input(struct tcp_conn *c, const struct tcp_seg *g);
u32 tcp_sack_bytes(const struct tcp_conn *c);
u32 tcp_sack_credit(const struct tcp_conn *c);
bool tcp_sack_next(const struct tcp_conn *c, u32 seq, struct tcp_run *out);
void tcp_sack_retransmit(struct tcp_conn *c, bool force);

/* tcp_cc.c */
void tcp_cc_init(struct tcp_conn *c);
void tcp_cc_ack(struct tcp_conn *c, u32 acked);
void tcp_cc_dupack(struct tcp_conn *c); /* an ACK that says something arrived, but not what was next */
void tcp_cc_timeout(struct tcp_conn *c);
void tcp_rtt_sample(struct tcp_conn *c, s64 rtt_ns);

/* tcp_user.c */
ssize tcp_send(struct sock *s, struct iov_iter *it, u32 flags, bool nonblock);
ssize tcp_recv(struct sock *s, struct iov_iter *it, u32 flags, bool nonblock);
void tcp_close(struct sock *s);
int tcp_shutdown(struct sock *s, int how);
int tcp_connect(struct sock *s, struct ip_addr ip, u16 port, bool nonblock);
int tcp_listen(struct sock *s, int backlog);
int tcp_accept(struct sock *s, bool nonblock, struct sock **out);

#endif
