"""Start and reload with a large configuration: how long until it is served. One row has its own columns: milliseconds."""
import http.client
import os
import shutil
import signal
import socket
import tempfile
import time

from . import dns, dns_peers, measure, peers

POOLS, ROUTES, RECORDS, ZONES = 1_000, 10_000, 100_000, 10


def _addresses():
    return ((zone, i, f'10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}')
            for zone in range(ZONES) for i in range(RECORDS // ZONES))


# Each of these writes the whole configuration, whose canary answers `word`, and returns the command that serves it.

def http_portolan(folder, port, word):
    pools = ''.join(f'[pool.p{i}]\nservers = ["127.0.0.1:{20000 + i % 50}"]\n' for i in range(POOLS))
    routes = ''.join(f'[[route]]\nhost = "h{i // 4}.example.com"\npath = "/s{i % 4}/"\npool = "p{i % POOLS}"\n'
                     for i in range(ROUTES))
    path = measure.write(folder, 'portolan.toml', f'[server]\nworkers = 1\nadmin = "unix:{folder}/admin.sock"\n[listener.http]\n'
                  f'listen = ["127.0.0.1:{port}"]\n{pools}{routes}[[route]]\nrespond = {{ body = "{word}" }}\n')
    return [measure.BINARY, 'run', '--config', path]


def http_nginx(folder, port, word):
    pools = ''.join(f'upstream p{i} {{ server 127.0.0.1:{20000 + i % 50}; }}\n' for i in range(POOLS))
    sites = ''.join(f'server {{ listen 127.0.0.1:{port}; server_name h{i}.example.com;\n' +
                    ''.join(f'location /s{j}/ {{ proxy_pass http://p{(i * 4 + j) % POOLS}; }}\n' for j in range(4)) + '}\n'
                    for i in range(ROUTES // 4))
    path = measure.write(folder, 'nginx.conf', f'daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; '
                  f'{peers.user()}\nevents {{ }}\nhttp {{ access_log off; server_names_hash_max_size 8192;\n{pools}'
                  f'server {{ listen 127.0.0.1:{port} default_server; location / {{ return 200 {word}; }} }}\n{sites}}}\n')
    return [shutil.which('nginx', path='/usr/sbin'), '-c', path]


def http_haproxy(folder, port, word):
    pools = ''.join(f'backend p{i}\n  server s 127.0.0.1:{20000 + i % 50}\n' for i in range(POOLS))
    routes = measure.write(folder, 'routes.map', ''.join(f'h{i // 4}.example.com/s{i % 4}/ p{i % POOLS}\n' for i in range(ROUTES)))
    path = measure.write(folder, 'haproxy.cfg', 'global\n  nbthread 1\n  maxconn 1000\ndefaults\n  mode http\n  timeout connect 5s\n'
                  f'  timeout client 5s\n  timeout server 5s\nfrontend f\n  bind 127.0.0.1:{port}\n'
                  f'  use_backend %[base,map_beg({routes})] if {{ base,map_beg({routes}) -m found }}\n'
                  f'  http-request return status 200 content-type text/plain string {word}\n{pools}')
    return [shutil.which('haproxy', path='/usr/sbin'), '-W', '-f', path]


def dns_portolan(folder, port, word):
    zones = []
    for zone, i, address in _addresses():
        if i == 0:
            zones.append((']\n' if zone else '') + f'[zone."z{zone}.bench.test"]\nnameservers = ["ns.z{zone}.bench.test"]\n'
                         'records = [\n{ name = "ns", type = "A", value = "192.0.2.1" },\n'
                         f'{{ name = "canary", type = "A", value = "192.0.2.{word}" }},\n')
        zones.append(f'{{ name = "n{i}", type = "A", value = "{address}" }},\n')
    path = measure.write(folder, 'portolan.toml', f'[server]\nworkers = 1\nadmin = "unix:{folder}/admin.sock"\n[geodns]\n'
                  f'listen = ["127.0.0.1:{port}"]\n{"".join(zones)}]\n')
    return [measure.BINARY, 'run', '--config', path]


def _zone_files(folder, word):
    texts = {}
    for zone, i, address in _addresses():
        if i == 0:
            texts[zone] = [f'$ORIGIN z{zone}.bench.test.\n@ 3600 SOA ns h {int(word) + 1} 7200 3600 1209600 60\n@ 3600 NS ns\n'
                           f'ns 3600 A 192.0.2.1\ncanary 60 A 192.0.2.{word}\n']
        texts[zone].append(f'n{i} 60 A {address}\n')
    return {zone: measure.write(folder, f'z{zone}.zone', ''.join(text)) for zone, text in texts.items()}


def dns_nsd(folder, port, word):
    zones = _zone_files(folder, word)
    text = dns_peers.NSD.format(folder=folder, port=port).split('zone:')[0]
    return [shutil.which('nsd', path='/usr/sbin'), '-d', '-c', measure.write(folder, 'nsd.conf', text + ''.join(
        f'zone:\n  name: z{zone}.bench.test\n  zonefile: {path}\n' for zone, path in zones.items()))]


def dns_knot(folder, port, word):
    zones = _zone_files(folder, word)
    return [shutil.which('knotd', path='/usr/sbin'), '-c', measure.write(folder, 'knot.conf', (
        f'server:\n  rundir: {folder}\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  tcp-workers: 1\n'
        f'  background-workers: 1\ndatabase:\n  storage: {folder}\ntemplate:\n  - id: default\n    storage: {folder}\n'
        '    zonefile-sync: -1\nzone:\n' +
        ''.join(f'  - domain: z{zone}.bench.test\n    file: {path}\n' for zone, path in zones.items())))]


def city(server):
    return lambda folder, port, _word: dns_peers.SERVERS[server](folder, port, dns.city_database())


def says_http(port):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
    try:
        connection.request('GET', '/')
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def says_dns(name):
    question = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0\0\1\0\1'

    def ask(port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            try:
                client.connect(('127.0.0.1', port))
                client.send(b'\0\1\1\0\0\1\0\0\0\0\0\0' + question)
                answer = client.recv(1500)
            except OSError:
                return None
            # The last byte of the first record's address; the record's name is a pointer.
            return str(answer[12 + len(question) + 15]) if answer[3] & 15 == 0 and answer[7] else None
    return ask


class Row:
    """`servers`: what writes and starts each; `says`: what a canary answers now; `reloads`: the signal is SIGHUP."""
    columns, long = ('times',), True

    def __init__(self, name, setting, servers, says, reloads=True):
        self.name, self.setting, self.servers, self.says, self.reloads = name, setting, servers, says, reloads
        self.peers = [server for server in servers if server != 'portolan']

    def wait(self, child, port, word, seconds=60):
        """Milliseconds until the canary says `word`; None: anything."""
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            if child.poll() is not None:
                raise measure.Absent(f'ended with status {child.returncode}')
            said = self.says(port)
            if said and (word is None or said == word):
                return (time.monotonic() - began) * 1000
            time.sleep(0.002)
        raise measure.Absent(f'does not say {word} after {seconds} s')

    def once(self, server, folder):
        port, words = measure.free_port(), iter(map(str, range(10, 60)))
        word = next(words)
        command = self.servers[server](folder, port, word)
        if command[0] is None or not os.access(command[0], os.X_OK):
            raise measure.Absent('not installed')
        child = measure.start(command, measure.SERVER_CORE, folder, 'output')
        try:
            figures = {'start_ms': self.wait(child, port, word if self.reloads else None)}
            reloads = []
            for _ in range(3 if self.reloads else 0):
                time.sleep(1)
                word = next(words)
                self.servers[server](folder, port, word)
                child.send_signal(signal.SIGUSR2 if server == 'haproxy' else signal.SIGHUP)
                reloads.append(self.wait(child, port, word))
            if reloads:
                figures['reload_ms'] = sorted(reloads)[1]
            time.sleep(1)
            return figures | {'resident_kib': measure.resident_kib(child.pid)}
        finally:
            measure.stop(child)

    def measure(self, servers, rounds):
        runs, absent = {}, {}
        for _ in range(min(rounds, 3)):
            for server in servers:
                if server not in self.servers or server in absent:
                    continue
                with tempfile.TemporaryDirectory(prefix='portolan-bench-') as folder:
                    os.chmod(folder, 0o755)
                    try:
                        runs.setdefault(server, []).append(self.once(server, folder))
                    except measure.Absent as reason:
                        absent[server] = str(reason)
        times = {server: {key: measure.summary([run[key] for run in each]) for key in each[0]}
                 for server, each in runs.items() if each and server not in absent}
        return {'setting': self.setting, 'times': times, 'servers': {}, 'absent': absent}


ROWS = [
    Row('scale-http', f'{POOLS:,} pools, {ROUTES:,} routes',
        {'portolan': http_portolan, 'nginx': http_nginx, 'haproxy': http_haproxy}, says_http),
    Row('scale-dns', f'{RECORDS:,} records in {ZONES} zones',
        {'portolan': dns_portolan, 'nsd': dns_nsd, 'knot': dns_knot}, says_dns('canary.z9.bench.test')),
    Row('scale-geo', 'the full city database', {server: city(server) for server in ('portolan', 'gdnsd', 'knot', 'pdns')},
        says_dns('www.bench.test'), reloads=False),
]
