/* SPDX-License-Identifier: MIT */
/*
 * Conformance scripts in the style of packetdrill: segments that are injected and segments that are expected, calls on one socket, all in
 * simulated time (sim_rt.h) against the stack under test (nic_pair.h takes its packets). The stack is 127.0.0.1, the peer 127.0.0.2; the
 * stack listens on port 80 or connects to it.
 *
 * A line is "TIME STATEMENT"; TIME is "+SECONDS" after the line before, or "*" (only before ">": whenever it comes). # starts a comment.
 *   < [ECN] FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<OPTIONS>]     arrives
 *   > ... the same ...                                                 must leave now (+- 2 ms); what is not written is not checked
 *   nothing                         no segment has left since the line before
 *   listen [BACKLOG] | accept [ERRNO] | connect [ERRNO] | close | shutdown rd|wr|rdwr
 *   write N [= RESULT] | writeoob N | read N [= RESULT] | readoob [= RESULT] | peek N = RESULT
 *   sockopt NAME VALUE | cc NAME | ecn MODE | fill N                   fill: write until N bytes are queued
 *   check NAME OP VALUE             of the socket: see fields[] in pkt_script.c; OP is == < > <= >=
 *   count NAME OP VALUE             of a counter of net.h, since the script began
 *   poll NAMES                      exactly these of IN OUT PRI ERR HUP RDHUP
 *   icmp TYPE [MTU]                 arrives, quoting the segment that left last: too-big, port, host, stale-too-big (of an old segment)
 *   newpeer                         the peer's port changes: what follows is another connection to the listener
 * FLAGS are of SFRPUEC and "." for ACK; P is not compared. Numbers of the stack's segments count from its ISN, the peer's from its own. ECN is [ect0],
 * [ce] or [noecn]. OPTIONS: mss N, wscale N, sackOK, nop, TS val N ecr N (N may be * : any; in "<" the last seen, plus the time that has
 * passed for val), sack A:B..., and !sack, !TS, !wscale, !sackOK for what must not be there.
 */
#ifndef TESTS_LIB_PKT_SCRIPT_H
#define TESTS_LIB_PKT_SCRIPT_H

#include "base/types.h"

/* Runs the script in `path`; NULL, or what went wrong and in which line (static storage). */
const char *pkt_script_run(const char *path);

#endif
