/* The floor of an answering server, and the origin behind passed-through work: one thread, edge-triggered epoll, one recv
 * and one send a request, nothing parsed. A body that does not fit the socket goes on when there is room.
 * usage: floor_answer PORT BODY_BYTES */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536, EVENTS = 512, IN_BYTES = 16384 };
static size_t left[DESCRIPTORS];
static char in[IN_BYTES];

static void accept_all(int listener, int ep) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= DESCRIPTORS) { close(fd); continue; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
    left[fd] = 0;
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
  }
}

/* 0 when the connection is over. */
static int push(int fd, const char *answer, size_t size) {
  while (left[fd] > 0) {
    ssize_t sent = send(fd, answer + size - left[fd], left[fd], MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    left[fd] -= (size_t)sent;
  }
  return 1;
}

static int serve(int fd, unsigned events, const char *answer, size_t size) {
  if (left[fd] > 0) return push(fd, answer, size);
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return 1;
  ssize_t got = recv(fd, in, sizeof in, 0);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return 0;
  left[fd] = size;
  return push(fd, answer, size);
}

int main(int count, char **argument) {
  if (count != 3) { fprintf(stderr, "usage: floor_answer PORT BODY_BYTES\n"); return 2; }
  size_t body = (size_t)atol(argument[2]);
  char *answer = malloc(body + 512);
  if (!answer) return 1;
  size_t size = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nContent-Type: text/plain\r\n"
                                "Cache-Control: public, max-age=3600\r\n\r\n", body);
  memset(answer + size, 'x', body);
  size += body;
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argument[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) { perror("bind"); return 1; }
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(ep, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener, ep);
      else if (!serve(fd, events[i].events, answer, size)) close(fd);
    }
  }
}
