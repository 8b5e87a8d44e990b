// The floor of a file server: one recv, one send of a head and sendfile(2) until the file is out; the file is kept open.
// usage: sendfile PORT FILE
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static off_t left[65536];  // of the file, a connection

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  signal(SIGPIPE, SIG_IGN);  // the load ends amid bodies
  const int one = 1, file = open(argv[2], O_RDONLY);
  struct stat about;
  if (file < 0 || fstat(file, &about) != 0) return 1;
  char head[256];
  const int head_size =
      sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %lld\r\n\r\n", (long long)about.st_size);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(door, (struct sockaddr*)&at, sizeof at) != 0 || listen(door, 4096) != 0) return 1;
  int loop = epoll_create1(0);
  struct epoll_event ready[512], wanted = {.events = EPOLLIN, .data.fd = door};
  epoll_ctl(loop, EPOLL_CTL_ADD, door, &wanted);
  for (;;) {
    const int count = epoll_wait(loop, ready, 512, -1);
    for (int i = 0; i < count; i++) {
      static char request[16384];
      const int fd = ready[i].data.fd;
      if (fd == door) {
        for (int client; (client = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          left[client] = 0;
          wanted = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = client};
          epoll_ctl(loop, EPOLL_CTL_ADD, client, &wanted);
        }
        continue;
      }
      if (left[fd] == 0 && (ready[i].events & EPOLLIN)) {
        const ssize_t got = recv(fd, request, sizeof request, 0);
        if (got == 0) close(fd);
        if (got <= 0) continue;
        send(fd, head, (size_t)head_size, MSG_NOSIGNAL | MSG_MORE);
        left[fd] = about.st_size;
      }
      while (left[fd] > 0) {
        off_t from = about.st_size - left[fd];
        const ssize_t sent = sendfile(fd, file, &from, (size_t)left[fd]);
        if (sent <= 0) {
          if (sent == 0 || errno != EAGAIN) close(fd);
          break;
        }
        left[fd] -= sent;
      }
    }
  }
}
