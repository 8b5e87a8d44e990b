"""A client of steady pace, for tests that count what is lost. usage: paced_client.py HOST PORT THREADS PER_SECOND TIMEOUT

Half of the threads make a connection for every request, the others keep theirs, as browsers and proxies do: one that the
server has ended is made anew before a request is sent. Every request has TIMEOUT seconds. Prints JSON: requests, failed,
the first reasons, the longest time without an answer, and how many answers each node gave (its name in Via). Goes on until its standard input ends.
"""
import json
import select
import socket
import sys
import threading
import time

answers, failures, lock = [], [], threading.Lock()
over = threading.Event()


class Connection:
    def __init__(self, address, timeout):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile('rb')

    def ended(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def request(self):
        """(node, whether the connection goes on)"""
        self.socket.sendall(b'GET /name HTTP/1.1\r\nHost: vip\r\n\r\n')
        status = self.file.readline()
        if not status.startswith(b'HTTP/1.1 200'):
            raise OSError(f'answered {status!r}')
        fields = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b':')
            fields[name.lower()] = value.strip().decode()
        size = int(fields[b'content-length'])
        if len(self.file.read(size)) != size:
            raise OSError('a body cut short')
        return fields.get(b'via', '?').split()[-1], fields.get(b'connection') != 'close'

    def close(self):
        self.file.close()
        self.socket.close()


def run(address, timeout, pace, keeps):
    connection = None
    while not over.is_set():
        began = time.monotonic()
        try:
            if connection and connection.ended():
                connection.close()
                connection = None
            connection = connection or Connection(address, timeout)
            node, goes_on = connection.request()
            with lock:
                answers.append((began, time.monotonic(), node))
        except OSError as error:
            goes_on = False
            with lock:
                failures.append((time.monotonic(), repr(error)))
        if connection and not (goes_on and keeps):
            connection.close()
            connection = None
        over.wait(max(0, began + pace - time.monotonic()))


def main():
    host, port, threads, per_second, timeout = sys.argv[1], *map(float, sys.argv[2:])
    begin = time.monotonic()
    pace = threads / per_second
    clients = [threading.Thread(target=run, args=((host, int(port)), timeout, pace, i % 2 == 1))
               for i in range(int(threads))]
    for client in clients:
        client.start()
        time.sleep(pace / threads)
    sys.stdin.read()
    over.set()
    for client in clients:
        client.join()
    ends = sorted([begin] + [end for _, end, _ in answers])
    nodes = {}
    for *_, node in answers:
        nodes[node] = nodes.get(node, 0) + 1
    print(json.dumps({
        'requests': len(answers) + len(failures), 'failed': len(failures), 'reasons': sorted({f for _, f in failures})[:5],
        'gap_ms': round(1000 * max((b - a for a, b in zip(ends, ends[1:])), default=0)),
        'slowest_ms': round(1000 * max((end - start for start, end, _ in answers), default=0)),
        'failing_ms': round(1000 * (failures[-1][0] - failures[0][0])) if failures else 0, 'nodes': nodes}))


if __name__ == '__main__':
    main()
