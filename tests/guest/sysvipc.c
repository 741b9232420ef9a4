/* SPDX-License-Identifier: MIT */
/* System V shared memory, semaphores and message queues: within a process, across fork, after removal; errors. */
#include "t.h"
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};
struct mb {
	long type;
	char text[64];
};

static void shared_memory(void)
{
	struct shmid_ds ds;
	int id, id2, st, key = 0x4a000000 | (getpid() & 0xffff);
	char *a, *b;

	R(shmget(key, 100, 0));
	OK(id = shmget(key, 10000, IPC_CREAT | 0600));
	R(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
	R(shmget(key, 20000, 0600));
	R(shmget(key, 0, 0) == id);
	R(shmget(IPC_PRIVATE, 0, 0600));
	R(shmctl(id, IPC_STAT, &ds));
	Y(ds.shm_segsz == 10000 && ds.shm_nattch == 0 && ds.shm_cpid == getpid() && ds.shm_lpid == 0 && ds.shm_perm.mode == 0600 &&
	  ds.shm_perm.__key == key && ds.shm_perm.uid == geteuid() && ds.shm_atime == 0 && ds.shm_ctime > 0);
	a = shmat(id, NULL, 0);
	b = shmat(id, NULL, SHM_RDONLY);
	Y(a != (void *)-1 && b != (void *)-1 && a != b);
	strcpy(a, "hello");
	t_say("%s", b);
	a[9999] = 7;
	a[12287] = 8;
	Y(b[9999] == 7 && b[12287] == 8);
	R(shmctl(id, IPC_STAT, &ds));
	R(ds.shm_nattch);
	fflush(stdout);
	if (fork() == 0) {
		struct shmid_ds d2;

		shmctl(id, IPC_STAT, &d2);
		t_say("in the child: %lu attached, %s", d2.shm_nattch, a);
		strcpy(a, "from the child");
		R(shmdt(b));
		if (fork() == 0) {
			execl("/bin/true", "true", NULL);
			_exit(9);
		}
		wait(&st);
		shmctl(id, IPC_STAT, &d2);
		t_say("after an exec: %lu", d2.shm_nattch);
		_exit(0);
	}
	wait(&st);
	t_say("%s", b);
	R(shmctl(id, IPC_STAT, &ds));
	R(ds.shm_nattch);
	R(shmdt(b));
	R(shmdt(b));
	R(shmdt(a + 4096));
	R(shmdt(a + 1));
	R(shmctl(id, IPC_STAT, &ds));
	R(ds.shm_nattch);
	Y(ds.shm_lpid == getpid() && ds.shm_dtime > 0);
	R((long)shmat(id, a, 0));
	R((long)shmat(id, (char *)4097, 0));
	R((long)shmat(id, NULL, SHM_REMAP));
	Y(shmat(id, a, SHM_REMAP) == a);
	/* a segment lives as long as it is attached somewhere */
	R(shmctl(id, IPC_RMID, NULL));
	R(shmctl(id, IPC_STAT, &ds));
	Y(ds.shm_perm.mode == (0600 | SHM_DEST) && ds.shm_perm.__key == IPC_PRIVATE && ds.shm_nattch == 1);
	R(shmget(key, 100, 0));
	b = shmat(id, NULL, 0);
	Y(b != (void *)-1 && !strcmp(b, "from the child"));
	R(shmdt(a));
	R(shmdt(b));
	R(shmctl(id, IPC_STAT, &ds));
	R((long)shmat(id, NULL, 0));
	R(shmctl(id, IPC_RMID, NULL));
	/* gone with the process that had it */
	OK(id = shmget(IPC_PRIVATE, 4096, 0600));
	if (fork() == 0) {
		a = shmat(id, NULL, 0);
		a[0] = 1;
		shmctl(id, IPC_RMID, NULL);
		_exit(0);
	}
	wait(&st);
	R(shmctl(id, IPC_STAT, &ds));
	/* munmap of a part */
	OK(id2 = shmget(IPC_PRIVATE, 5 * 4096, 0600));
	a = shmat(id2, NULL, 0);
	munmap(a + 8192, 4096);
	R(shmctl(id2, IPC_STAT, &ds));
	R(ds.shm_nattch);
	R(shmdt(a));
	R(shmctl(id2, IPC_STAT, &ds));
	R(ds.shm_nattch);
	ds.shm_perm.mode = 0;
	R(shmctl(id2, IPC_SET, &ds));
	R(shmctl(id2, 99, &ds));
	R(shmctl(id2, IPC_STAT, (void *)1));
	R(shmctl(id2, IPC_RMID, NULL));
	R(shmctl(-1, IPC_RMID, NULL));
}

static int semid;

static int op(int num, int n, int flags)
{
	struct sembuf b = { num, n, flags };

	return semop(semid, &b, 1);
}

static void none(int sig)
{
	(void)sig;
}

static void semaphores(void)
{
	struct sembuf two[2] = { { 0, -1, 0 }, { 1, -1, IPC_NOWAIT } };
	struct timespec ts = { 0, 20000000 };
	unsigned short v[3] = { 5, 0, 2 }, w[3];
	struct semid_ds ds;
	union semun u;
	int st;
	pid_t c;

	R(semget(0x4b000001 + getpid(), 1, 0));
	R(semget(IPC_PRIVATE, 0, 0600));
	OK(semid = semget(IPC_PRIVATE, 3, 0600));
	u.array = v;
	R(semctl(semid, 0, SETALL, u));
	u.array = w;
	R(semctl(semid, 0, GETALL, u));
	t_say("%d %d %d", w[0], w[1], w[2]);
	R(op(0, -2, 0));
	R(op(1, -1, IPC_NOWAIT));
	R(op(0, 0, IPC_NOWAIT));
	R(op(1, 0, IPC_NOWAIT));
	R(op(3, 1, 0));
	R(op(0, 32767, 0));
	R(semop(semid, two, 2));
	R(semctl(semid, 0, GETVAL));
	R(semop(semid, two, 0));
	R(semop(semid, (void *)1, 1));
	R(semtimedop(semid, two, 600, NULL));
	two[1].sem_flg = 0;
	R(semtimedop(semid, two, 2, &ts));
	ts.tv_nsec = 2000000000;
	R(semtimedop(semid, two, 2, &ts));
	Y(semctl(semid, 0, GETPID) == getpid());
	fflush(stdout);
	/* a child that waits; counts; undo at its end */
	c = fork();
	if (c == 0) {
		op(0, 3, SEM_UNDO);
		op(2, -1, SEM_UNDO);
		_exit(semop(semid, two, 2) == 0 ? 0 : 1);
	}
	for (int i = 0; i < 300 && semctl(semid, 1, GETNCNT) != 1; i++)
		t_sleep_ms(5);
	R(semctl(semid, 0, GETNCNT));
	R(semctl(semid, 1, GETNCNT));
	R(semctl(semid, 0, GETVAL));
	R(semctl(semid, 2, GETVAL));
	R(op(1, 1, 0));
	waitpid(c, &st, 0);
	t_status("waiter", st);
	R(semctl(semid, 0, GETVAL));
	R(semctl(semid, 1, GETVAL));
	R(semctl(semid, 2, GETVAL));
	/* wait for zero */
	c = fork();
	if (c == 0)
		_exit(op(2, 0, 0) == 0 ? 0 : 1);
	for (int i = 0; i < 300 && semctl(semid, 2, GETZCNT) != 1; i++)
		t_sleep_ms(5);
	R(semctl(semid, 2, GETZCNT));
	u.val = 0;
	R(semctl(semid, 2, SETVAL, u));
	waitpid(c, &st, 0);
	t_status("zero waiter", st);
	u.val = 40000;
	R(semctl(semid, 2, SETVAL, u));
	/* a signal ends the wait whatever SA_RESTART says */
	c = fork();
	if (c == 0) {
		signal(SIGUSR1, none);
		_exit(op(1, -1, 0) == -1 && errno == EINTR ? 0 : 1);
	}
	for (int i = 0; i < 300 && semctl(semid, 1, GETNCNT) != 1; i++)
		t_sleep_ms(5);
	kill(c, SIGUSR1);
	waitpid(c, &st, 0);
	t_status("interrupted", st);
	R(semctl(semid, 1, GETNCNT));
	u.buf = &ds;
	R(semctl(semid, 0, IPC_STAT, u));
	Y(ds.sem_nsems == 3 && ds.sem_perm.mode == 0600 && ds.sem_otime > 0 && ds.sem_ctime > 0);
	/* removal wakes */
	c = fork();
	if (c == 0)
		_exit(op(1, -1, 0) == -1 && errno == EIDRM ? 0 : 1);
	for (int i = 0; i < 300 && semctl(semid, 1, GETNCNT) != 1; i++)
		t_sleep_ms(5);
	R(semctl(semid, 0, IPC_RMID));
	waitpid(c, &st, 0);
	t_status("removed", st);
	R(op(0, 1, 0));
	R(semctl(semid, 0, GETVAL));
}

/* Two processes and two threads in each add to a counter under a semaphore. */
static int *counter;

static void *add(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		op(0, -1, 0);
		++*counter;
		op(0, 1, 0);
	}
	return arg;
}

static void exclusion(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600), st;
	union semun u = { .val = 1 };
	pthread_t t;
	pid_t c;

	counter = shmat(id, NULL, 0);
	semid = semget(IPC_PRIVATE, 1, 0600);
	semctl(semid, 0, SETVAL, u);
	fflush(stdout);
	c = fork();
	pthread_create(&t, NULL, add, NULL);
	add(NULL);
	pthread_join(t, NULL);
	if (c == 0)
		_exit(0);
	waitpid(c, &st, 0);
	t_say("counted %d", *counter);
	semctl(semid, 0, IPC_RMID);
	shmctl(id, IPC_RMID, NULL);
	shmdt(counter);
}

static void messages(void)
{
	struct mb m = { 3, "three" }, r;
	struct msqid_ds ds;
	int id, st, n;
	pid_t c;

	OK(id = msgget(IPC_PRIVATE, 0600));
	R(msgsnd(id, &m, 6, 0));
	m = (struct mb){ 1, "one" };
	R(msgsnd(id, &m, 4, 0));
	m = (struct mb){ 2, "two" };
	R(msgsnd(id, &m, 4, 0));
	m = (struct mb){ 1, "one more" };
	R(msgsnd(id, &m, 9, 0));
	m.type = 0;
	R(msgsnd(id, &m, 1, 0));
	m.type = 1;
	R(msgsnd(id, &m, 9000, 0));
	R(msgsnd(id, (void *)1, 1, 0));
	R(msgctl(id, IPC_STAT, &ds));
	Y(ds.msg_qnum == 4 && ds.msg_qbytes == 16384 && ds.__msg_cbytes == 23 && ds.msg_lspid == getpid() && ds.msg_lrpid == 0);
	R(msgrcv(id, &r, 3, 2, 0));
	R(msgrcv(id, &r, 3, 2, MSG_NOERROR));
	t_say("%ld %.3s", r.type, r.text);
	R(msgrcv(id, &r, 64, -2, 0));
	t_say("%ld %s", r.type, r.text);
	R(msgrcv(id, &r, 64, 3, MSG_EXCEPT));
	t_say("%ld %s", r.type, r.text);
	R(msgrcv(id, &r, 64, 9, IPC_NOWAIT));
	R(msgrcv(id, &r, 64, 0, 0));
	t_say("%ld %s", r.type, r.text);
	R(msgrcv(id, &r, 64, 0, IPC_NOWAIT));
	fflush(stdout);
	c = fork();
	if (c == 0) {
		n = msgrcv(id, &r, 64, 0, 0);
		_exit(n == 4 && !strcmp(r.text, "two") ? 0 : 1);
	}
	t_sleep_ms(50);
	m = (struct mb){ 2, "two" };
	R(msgsnd(id, &m, 4, 0));
	waitpid(c, &st, 0);
	t_status("receiver", st);
	for (n = 0; msgsnd(id, &m, 64, IPC_NOWAIT) == 0; n++)
		;
	t_say("full after %d: %s", n, strerrorname_np(errno));
	c = fork();
	if (c == 0)
		_exit(msgsnd(id, &m, 64, 0) == 0 ? 0 : 1);
	t_sleep_ms(50);
	R(msgrcv(id, &r, 64, 0, 0));
	waitpid(c, &st, 0);
	t_status("sender", st);
	c = fork();
	if (c == 0)
		_exit(msgrcv(id, &r, 64, 77, 0) == -1 && errno == EIDRM ? 0 : 1);
	t_sleep_ms(50);
	R(msgctl(id, IPC_RMID, NULL));
	waitpid(c, &st, 0);
	t_status("removed", st);
	R(msgctl(id, IPC_STAT, &ds));
	R(msgrcv(id, &r, 64, 0, 0));
}

/* /proc/sysvipc: a header and one line for each object. */
static void listing(void)
{
	static const char *const names[] = { "shm", "sem", "msg" };
	int ids[3] = { shmget(IPC_PRIVATE, 5000, 0640), semget(IPC_PRIVATE, 2, 0600), msgget(IPC_PRIVATE, 0644) };

	for (int i = 0; i < 3; i++) {
		char name[40], line[400];
		int found = 0, key, id;
		unsigned mode = 0;
		FILE *f;

		snprintf(name, sizeof(name), "/proc/sysvipc/%s", names[i]);
		f = fopen(name, "r");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f))
			printf("%s", line);
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%d %d %o", &key, &id, &mode) == 3 && id == ids[i]) {
				found++;
				t_say("%s mode %o", names[i], mode);
			}
		R(found);
		fclose(f);
	}
	shmctl(ids[0], IPC_RMID, NULL);
	semctl(ids[1], 0, IPC_RMID);
	msgctl(ids[2], IPC_RMID, NULL);
}

int main(void)
{
	shared_memory();
	semaphores();
	exclusion();
	messages();
	listing();
	return 0;
}
