#!/usr/bin/python3
"""The comparison behind `./dev bench hit-ratio`: what share of the same requests Portolan, nginx and Varnish answer from
caches of the same size.

    bench/hit_ratio.py [--memory MIB,…] [--requests N] [--objects N] [--peers NAME,…] [--results FILE]

The requests are drawn from the sizes and popularities of ../shared/data/traces/meta-cdn-*.json, one after the other on one
connection. A hit is an answer whose number the origin has given before. docs/eviction.md has the figures.
"""
import argparse
import bisect
import collections
import email.utils
import itertools
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time

from comparison import measure, peers

TRACES = os.environ.get('PORTOLAN_TRACES', os.path.join(measure.ROOT, '../shared/data/traces'))
HEAD = ('HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: image/jpeg\r\nCache-Control: max-age=86400\r\n'
        'X-Number: {number}\r\nContent-Length: {size}\r\n\r\n')
NGINX_RATE = 400                                            # requests a second, so that it can keep its limit
NGINX = '''daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log error; {user}
events {{ worker_connections 1000; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  proxy_cache_path {folder}/store keys_zone=c:64m max_size={memory}m inactive=1d use_temp_path=off
    manager_files=10000 manager_sleep=50ms manager_threshold=10s;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 16; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache c; }} }}
}}
'''
PORTOLAN = '''[server]
workers = 1
admin = "unix:{folder}/admin.sock"
[log.access]
path = "off"
[listener.http]
listen = ["127.0.0.1:{port}"]
[pool.origin]
servers = ["127.0.0.1:{origin}"]
[cache.c]
memory = "{memory} MiB"
max_object = "{largest} MiB"
eviction = "{eviction}"
{disk}
[[route]]
pool = "origin"
cache = "c"
'''


def draw(requests, objects, seed=1):
    """[(object, bytes)]: of every class of popularity as large a share as the network has."""
    try:
        with open(os.path.join(TRACES, 'meta-cdn-sizes.json'), encoding='ascii') as file:
            sizes = json.load(file)
        with open(os.path.join(TRACES, 'meta-cdn-pop.json'), encoding='ascii') as file:
            popularity = json.load(file)
    except OSError as error:
        sys.exit(f'the distributions are not here: {error}')
    buckets, weights = popularity['popularityBuckets'], popularity['popularityWeights']
    scale, owed, each = sum(buckets) / objects, 0.0, []
    for count, weight in zip(buckets, weights):
        owed += count / scale
        each += [weight / count] * int(owed)
        owed -= int(owed)
    rng = random.Random(seed)
    size_of = [int(size) for size in rng.choices(sizes['valSizeRange'], sizes['valSizeRangeProbability'], k=len(each))]
    upto = list(itertools.accumulate(each))
    drawn = (min(bisect.bisect(upto, rng.random() * upto[-1]), len(each) - 1) for _ in range(requests))
    return [(number, size_of[number]) for number in drawn]


class Origin:
    """Answers /o/OBJECT/BYTES with so many bytes, and numbers its answers."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.date = email.utils.formatdate(usegmt=True)
        self.body = memoryview(bytes(8 << 20))
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            asked = b''
            try:
                while True:
                    while b'\r\n\r\n' not in asked:
                        more = client.recv(16384)
                        if not more:
                            return
                        asked += more
                    line, _, _ = asked.partition(b'\r\n')
                    _, _, asked = asked.partition(b'\r\n\r\n')
                    size = int(line.split()[1].rpartition(b'/')[2])
                    head = HEAD.format(number=next(self.numbers), size=size, date=self.date).encode()
                    sent = client.sendmsg([head, self.body[:size]])
                    if sent < len(head) + size:
                        client.sendall(self.body[sent - len(head):size] if sent >= len(head) else
                                       head[sent:] + bytes(self.body[:size]))
            except OSError:
                return


class Client:
    def __init__(self, port):
        self.port, self.socket, self.room = port, None, memoryview(bytearray(8 << 20))

    def get(self, number, size):
        """The number of the answer, or None where it broke."""
        for _ in range(2):                                  # the server may have closed an idle connection
            try:
                if self.socket is None:
                    self.socket = socket.create_connection(('127.0.0.1', self.port), 20)
                    self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket.sendall(b'GET /o/%d/%d HTTP/1.1\r\nHost: mix.test\r\n\r\n' % (number, size))
                return self.read(size)
            except OSError:
                self.socket.close()
                self.socket = None
        return None

    def read(self, size):
        got = 0
        while True:
            n = self.socket.recv_into(self.room[got:])
            if n == 0:
                raise ConnectionError
            got += n
            head, end, _ = bytes(self.room[:min(got, 4096)]).partition(b'\r\n\r\n')
            if end:
                break
        whole = len(head) + 4 + size
        while got < whole:
            n = self.socket.recv_into(self.room[got:whole], whole - got, socket.MSG_WAITALL)
            if n == 0:
                raise ConnectionError
            got += n
        if not head.startswith(b'HTTP/1.1 200 ') or b'content-length: %d' % size not in head.lower():
            raise measure.Absent(f'answers {head.splitlines()[0]!r}')
        _, _, rest = head.lower().partition(b'x-number: ')
        return int(rest.split(None, 1)[0])


def command(server, folder, port, origin, memory):
    if server == 'nginx':
        path = measure.write(folder, 'nginx.conf', NGINX.format(folder=folder, port=port, origin=origin, memory=memory,
                                                                user=peers.user()))
        return [shutil.which('nginx', path='/usr/sbin'), '-c', path]
    if server == 'varnish':
        return [shutil.which('varnishd', path='/usr/sbin'), '-F', '-n', os.path.join(folder, 'varnish'), '-a',
                f'127.0.0.1:{port}', '-b', f'127.0.0.1:{origin}', '-s', f'malloc,{memory}m', '-p', 'nuke_limit=10000']
    eviction, disk = server.partition(' ')[2] or 's3-fifo', ''
    if eviction == 'disk':                                  # of its size a sixteenth is memory
        disk = f'disk = {{ path = "{folder}/store", size = "{memory - memory // 16} MiB" }}'
        eviction, memory = 's3-fifo', memory // 16
    path = measure.write(folder, 'portolan.toml', PORTOLAN.format(
        folder=folder, port=port, origin=origin, memory=memory, largest=min(16, memory // 4), eviction=eviction, disk=disk))
    return [measure.BINARY, 'run', '--config', path]


def stored_kib(folder):
    """Of a store of files: what the disk holds of it."""
    total = 0
    for where, _, names in os.walk(os.path.join(folder, 'store')):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name)).st_blocks // 2
            except OSError:
                pass                                        # evicted meanwhile
    return total


def shared_kib(pid):
    """Of memory that no process maps: anonymous files."""
    total = 0
    for process in measure.family(pid):
        folder = f'/proc/{process}/fd'
        for name in os.listdir(folder):
            try:
                if os.readlink(os.path.join(folder, name)).startswith('/memfd:'):
                    total += os.stat(os.path.join(folder, name)).st_blocks // 2
            except OSError:
                pass
    return total


def count_lru(memory, requests):
    """What the least-recently-used order would have, without any overhead."""
    held, room, hits, hit_bytes, total = collections.OrderedDict(), memory << 20, 0, 0, 0
    for number, size in requests:
        total += size
        if number in held:
            held.move_to_end(number)
            hits, hit_bytes = hits + 1, hit_bytes + size
            continue
        held[number], room = size, room - size
        while room < 0:
            room += held.popitem(last=False)[1]
    return {'objects': 100 * hits / len(requests), 'bytes': 100 * hit_bytes / total, 'broken': 0, 'memory_mib': memory,
            'seconds': 0}


def run(server, memory, requests):
    if server == 'counted lru':
        return count_lru(memory, requests)
    with tempfile.TemporaryDirectory(prefix='portolan-bench-', dir='/dev/shm') as folder:
        os.chmod(folder, 0o755)                             # for peers that drop their privileges
        origin, port = Origin(), measure.free_port()
        words = command(server, folder, port, origin.port, memory)
        if words[0] is None or not os.access(words[0], os.X_OK):
            raise measure.Absent('not installed')
        child = measure.start(words, measure.SERVER_CORE, folder, 'output')
        try:
            measure.wait_for_port(child, port, os.path.join(folder, 'output'))
            client, known, began = Client(port), 0, time.monotonic()
            measure.soon(lambda: client.get(1 << 40, 1) or fail('no answer'))
            idle_kib, most_kib = measure.resident_kib(child.pid), 0
            hits = hit_bytes = broken = total = 0
            for count, (number, size) in enumerate(requests):
                total += size
                if server == 'nginx' and count % 100 == 99:     # its manager looks at the limit every ten seconds
                    time.sleep(max(0.0, began + count / NGINX_RATE - time.monotonic()))
                answer = client.get(number, size)
                if answer is None:
                    broken += 1
                elif answer > known:
                    known = answer
                else:
                    hits += 1
                    hit_bytes += size
                if count % 1000 == 999:
                    most_kib = max(most_kib, measure.resident_kib(child.pid) - idle_kib + shared_kib(child.pid) +
                                   stored_kib(folder))
        finally:
            measure.stop_all()
    return {'objects': 100 * hits / len(requests), 'bytes': 100 * hit_bytes / total, 'broken': broken,
            'memory_mib': most_kib / 1024, 'seconds': time.monotonic() - began}


def fail(reason):
    raise measure.Absent(reason)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memory', default='32,128', help='sizes of the caches in MiB')
    parser.add_argument('--requests', type=int, default=100_000)
    parser.add_argument('--objects', type=int, default=20_000)
    parser.add_argument('--peers', default='portolan,portolan lru,nginx,varnish',
                        help='also "portolan disk" and "counted lru"')
    parser.add_argument('--results', help='a JSON file to write')
    options = parser.parse_args()
    requests = draw(options.requests, options.objects)
    sizes = dict(requests)
    print(f'{len(requests)} requests for {len(sizes)} objects of {sum(sizes.values()) / 2**20:.0f} MiB')
    print('| cache | server | of the objects | of the bytes | memory and files taken | broken answers |\n|---|---|---|---|---|---|')
    rows = []
    for memory in map(int, options.memory.split(',')):
        for server in options.peers.split(','):
            try:
                row = run(server, memory, requests)
            except measure.Absent as reason:
                print(f'{server} is left out: {reason}', file=sys.stderr)
                continue
            rows.append({'server': server, 'cache_mib': memory, **row})
            print(f'| {memory} MiB | {server} | {row["objects"]:.1f} % | {row["bytes"]:.1f} % | '
                  f'{row["memory_mib"]:.0f} MiB | {row["broken"]} |', flush=True)
    if options.results:
        with open(options.results, 'w', encoding='ascii') as file:
            json.dump(rows, file, indent=1)


if __name__ == '__main__':
    main()
