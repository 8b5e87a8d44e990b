/* The floor of a forwarding proxy: one upstream connection a client connection, one recv and one send each way, nothing
 * parsed. Sends block: for answers that fit a socket's buffer only.
 * usage: floor_forward PORT UPSTREAM_PORT */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536, EVENTS = 512 };
static int peer[DESCRIPTORS];
static char buffer[65536];

static struct sockaddr_in loopback(const char *port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void watch(int ep, int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int listener, int ep, const struct sockaddr_in *upstream) {
  int client;
  while ((client = accept4(listener, NULL, NULL, 0)) >= 0) {
    int up = socket(AF_INET, SOCK_STREAM, 0);
    if (up < 0 || up >= DESCRIPTORS || client >= DESCRIPTORS ||
        connect(up, (const struct sockaddr *)upstream, sizeof *upstream)) {
      if (up >= 0) close(up);
      close(client);
      continue;
    }
    peer[client] = up;
    peer[up] = client;
    watch(ep, client);
    watch(ep, up);
  }
}

static void move(int fd) {
  int other = peer[fd];
  if (other == 0) return;
  ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got > 0 && send(other, buffer, (size_t)got, MSG_NOSIGNAL) == got) return;
  peer[other] = peer[fd] = 0;
  close(other);
  close(fd);
}

int main(int count, char **argument) {
  if (count != 3) { fprintf(stderr, "usage: floor_forward PORT UPSTREAM_PORT\n"); return 2; }
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = loopback(argument[1]), upstream = loopback(argument[2]);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) { perror("bind"); return 1; }
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(ep, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == listener) accept_all(listener, ep, &upstream);
      else move(events[i].data.fd);
    }
  }
}
