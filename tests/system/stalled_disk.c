// A disk that takes a second for everything, for LD_PRELOAD: calls on files below $STALLED_STORE wait while $STALLED_WHILE
// exists. Stands in for the C library's functions that the disk tier uses.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void stall(int fd) {
  const char* store = getenv("STALLED_STORE");
  const char* reason = getenv("STALLED_WHILE");
  if (!store || !reason || access(reason, F_OK) != 0) return;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return;
  path[n] = 0;
  if (strncmp(path, store, strlen(store)) == 0) sleep(1);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pread(int fd, void* to, size_t size, off_t at) {
  stall(fd);
  return REAL(pread)(fd, to, size, at);
}
ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  stall(fd);
  return REAL(pwrite)(fd, from, size, at);
}
int fdatasync(int fd) {
  stall(fd);
  return REAL(fdatasync)(fd);
}
int fsync(int fd) {
  stall(fd);
  return REAL(fsync)(fd);
}
int fallocate(int fd, int mode, off_t at, off_t size) {
  stall(fd);
  return REAL(fallocate)(fd, mode, at, size);
}
