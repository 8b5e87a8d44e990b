"""Many clients of one object, in a process of their own. usage: crowd_client.py HOST PORT PATH SIZE READERS LEAVERS STALLERS

READERS read the whole and check every byte (byte i of the object is PATTERN[i % 251]); LEAVERS read 1 MB and leave,
STALLERS read 1 MB and then nothing more. All connect first, then ask at once. Prints JSON: whole (bodies read to the end
and right), left, stalled, wrong, failed, with reasons; first_ms (when the kernel had each client's first bytes, counted
from the first of all, whose fetch it is); done_s.
"""
import json
import resource
import selectors
import socket
import struct
import sys
import time

PATTERN = bytes(range(251))
SO_TIMESTAMPNS = 35
ENOUGH = 1_000_000


class Reader:
    def __init__(self, address, kind):
        self.kind, self.head, self.got, self.first, self.arrived, self.state = kind, b'', 0, None, 0, 'open'
        self.socket = socket.socket()
        if kind == 'stall':
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.connect(address)
        self.socket.setblocking(False)

    def receive(self):
        if self.first is not None:
            return self.socket.recv(1 << 18)
        data, notes, _, _ = self.socket.recvmsg(1 << 18, 64)
        for level, kind, value in notes:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack('qq', value)
                self.arrived = seconds + nanoseconds / 1e9
        return data

    def take(self):
        """Reads what is there. False: it reads no more."""
        while True:
            try:
                data = self.receive()
            except BlockingIOError:
                return True
            except OSError as error:
                return self.ends(f'failed: {error}')
            if not data:
                return self.ends('failed: closed early')
            if self.first is None:
                self.head += data
                head, blank, data = self.head.partition(b'\r\n\r\n')
                if not blank:
                    continue
                if not head.startswith(b'HTTP/1.1 200'):
                    return self.ends(f'failed: {head[:40]!r}')
                if not data:
                    self.head = head + blank
                    continue
                self.first, self.head = self.arrived, b''
            if data != (PATTERN * (len(data) // 251 + 2))[self.got % 251:][:len(data)]:
                return self.ends('wrong')
            self.got += len(data)
            if self.kind == 'whole':
                if self.got == SIZE:
                    return self.ends('whole')
            elif self.got >= ENOUGH:
                return self.ends('left' if self.kind == 'leave' else 'stalled')

    def ends(self, state):
        self.state = state
        return False


def main():
    host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    readers, leavers, stallers = map(int, sys.argv[5:8])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    kinds = ['whole'] * readers + ['leave'] * leavers + ['stall'] * stallers
    clients = [Reader((host, port), kind) for kind in kinds]
    request = f'GET {path} HTTP/1.1\r\nHost: test\r\n\r\n'.encode()
    selector = selectors.EpollSelector()
    began = time.perf_counter()
    for client in clients:
        client.socket.send(request)
        selector.register(client.socket, selectors.EVENT_READ, client)
    left = len(clients)
    while left and time.perf_counter() - began < 600:
        for key, _ in selector.select(10):
            client = key.data
            if not client.take():
                left -= 1
                selector.unregister(key.fileobj)
                if client.state != 'stalled':
                    client.socket.close()
    states = [client.state for client in clients]
    firsts = [client.first for client in clients if client.first is not None]
    lead = min(firsts, default=0)
    print(json.dumps({'whole': states.count('whole'), 'left': states.count('left'), 'stalled': states.count('stalled'),
                      'wrong': states.count('wrong'),
                      'failed': [state for state in states if state.startswith(('failed', 'open'))][:5],
                      'first_ms': sorted((first - lead) * 1000 for first in firsts),
                      'done_s': time.perf_counter() - began}), flush=True)
    sys.stdin.read()                                   # those who stall stay until the test has looked


if __name__ == '__main__':
    SIZE = int(sys.argv[4])
    main()
