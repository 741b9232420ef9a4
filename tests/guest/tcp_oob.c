/* SPDX-License-Identifier: MIT */
/* Urgent data: MSG_OOB, SIOCATMARK, POLLPRI, reads that stop at the mark. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void show(const char *what, int fd, int flags)
{
	char b[64];
	int mark = -1, n = (int)recv(fd, b, sizeof(b), flags);

	ioctl(fd, SIOCATMARK, &mark);
	printf("%s: %d %.*s errno %d, at mark %d\n", what, n, n > 0 ? n : 0, b, n < 0 ? errno : 0, mark);
}

int main(void)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	struct pollfd p;

	if (bind(l, (void *)&a, n) || listen(l, 1) || getsockname(l, (void *)&a, &n) || connect(c, (void *)&a, n))
		return 1;
	d = accept(l, NULL, NULL);
	show("nothing urgent", d, MSG_OOB | MSG_DONTWAIT);
	if (send(c, "abc", 3, 0) != 3 || send(c, "X", 1, MSG_OOB) != 1 || send(c, "def", 3, 0) != 3)
		return 1;
	usleep(100000);
	p = (struct pollfd){ d, POLLIN | POLLPRI, 0 };
	poll(&p, 1, 0);
	printf("poll %x\n", p.revents);
	show("up to the mark", d, 0);
	show("urgent", d, MSG_OOB);
	show("again", d, MSG_OOB);
	show("behind", d, 0);
	return 0;
}
