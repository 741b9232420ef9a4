/* SPDX-License-Identifier: MIT */
/* System calls on signals, time, credentials, limits and miscellany (sys_signal.c, sys_time.c, sys_timer.c, sys_cred.c, sys_misc.c, sys_sched.c). */
#ifndef USERLIB_SYS_SIGNAL_CALLS_H
#define USERLIB_SYS_SIGNAL_CALLS_H

#include "base/types.h"

/* sys_signal.c */
long sys_rt_sigaction(int sig, const void __app *act, void __app *old, size_t size);
long sys_rt_sigprocmask(int how, const u64 __app *set, u64 __app *old, size_t size);
long sys_rt_sigpending(u64 __app *set, size_t size);
long sys_rt_sigtimedwait(const u64 __app *set, void __app *info, const void __app *timeout, size_t size);
long sys_rt_sigsuspend(const u64 __app *set, size_t size);
long sys_rt_sigqueueinfo(int pid, int sig, const void __app *info);
long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, const void __app *info);
long sys_sigaltstack(const void __app *ss, void __app *old);
long sys_kill(int pid, int sig);
long sys_tkill(int tid, int sig);
long sys_tgkill(int tgid, int tid, int sig);
long sys_pause(void);
long sys_restart_syscall(void);
/* sys_pidfd.c */
long sys_pidfd_open(int pid, unsigned flags);
long sys_pidfd_send_signal(int pidfd, int sig, const void __app *info, unsigned flags);
struct uproc;
struct ksiginfo;
long signal_send_checked(struct uproc *p, int sig, const struct ksiginfo *info); /* with the rights of kill(2); info NULL = SI_USER */

/* sys_time.c */
long sys_nanosleep(const void __app *req, void __app *rem);
long sys_clock_nanosleep(int clock, int flags, const void __app *req, void __app *rem);
long sys_clock_gettime(int clock, void __app *ts);
long sys_clock_settime(int clock, const void __app *ts);
long sys_clock_getres(int clock, void __app *ts);
long sys_clock_adjtime(int clock, void __app *tx);
long sys_adjtimex(void __app *tx);
long sys_gettimeofday(void __app *tv, void __app *tz);
long sys_settimeofday(const void __app *tv, const void __app *tz);
long sys_time(s64 __app *t);
long sys_times(void __app *tms);
long sys_getrusage(int who, void __app *ru);
/* sys_timer.c */
long sys_getitimer(int which, void __app *cur);
long sys_setitimer(int which, const void __app *val, void __app *old);
long sys_alarm(unsigned seconds);
long sys_timer_create(int clock, const void __app *sev, int __app *id);
long sys_timer_settime(int id, int flags, const void __app *val, void __app *old);
long sys_timer_gettime(int id, void __app *cur);
long sys_timer_getoverrun(int id);
long sys_timer_delete(int id);

/* sys_cred.c */
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_getresuid(u32 __app *r, u32 __app *e, u32 __app *s);
long sys_getresgid(u32 __app *r, u32 __app *e, u32 __app *s);
long sys_setuid(u32 uid);
long sys_setgid(u32 gid);
long sys_setreuid(u32 r, u32 e);
long sys_setregid(u32 r, u32 e);
long sys_setresuid(u32 r, u32 e, u32 s);
long sys_setresgid(u32 r, u32 e, u32 s);
long sys_setfsuid(u32 uid);
long sys_setfsgid(u32 gid);
long sys_getgroups(int n, u32 __app *list);
long sys_setgroups(int n, const u32 __app *list);
long sys_capget(void __app *hdr, void __app *data);
long sys_capset(void __app *hdr, const void __app *data);

/* sys_misc.c */
long sys_uname(void __app *buf);
long sys_sethostname(const char __app *name, int len);
long sys_setdomainname(const char __app *name, int len);
long sys_sysinfo(void __app *info);
long sys_getrandom(void __app *buf, size_t len, unsigned flags);
long sys_prctl(int op, u64 a2, u64 a3, u64 a4, u64 a5);
/* sys_cred.c: the part of prctl(2) that is about capabilities. */
long prctl_caps(int op, u64 a2, u64 a3, u64 a4, u64 a5);
long sys_getrlimit(unsigned res, void __app *rl);
long sys_setrlimit(unsigned res, const void __app *rl);
long sys_prlimit64(int pid, unsigned res, const void __app *new_rl, void __app *old_rl);
long sys_getcpu(u32 __app *cpu, u32 __app *node, void __app *cache);
long sys_membarrier(int cmd, unsigned flags, int cpu);
long sys_syslog(int type, char __app *buf, int len);
long sys_personality(u64 persona);
long sys_iopl(unsigned level);
long sys_ioperm(u64 from, u64 num, int on);
long sys_vhangup(void);
long sys_pidfd_getfd(int pidfd, int target, unsigned flags);
/* sys_sched.c */
long sys_getpriority(int which, int who);
long sys_setpriority(int which, int who, int nice);
long sys_sched_getscheduler(int pid);
long sys_sched_setscheduler(int pid, int policy, const void __app *param);
long sys_sched_getparam(int pid, void __app *param);
long sys_sched_setparam(int pid, const void __app *param);
long sys_sched_getattr(int pid, void __app *attr, unsigned size, unsigned flags);
long sys_sched_setattr(int pid, void __app *attr, unsigned flags);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_sched_rr_get_interval(int pid, void __app *ts);
long sys_sched_getaffinity(int pid, unsigned len, void __app *mask);
long sys_sched_setaffinity(int pid, unsigned len, const void __app *mask);
long sys_ioprio_get(int which, int who);
long sys_ioprio_set(int which, int who, int prio);

#endif
