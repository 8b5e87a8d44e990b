"""The HTTP rows: what is asked of which server, and how it is loaded."""
import contextlib
import dataclasses
import json
import os
import random
import resource
import signal
import socket

from . import measure, peers

PEERS = list(peers.PEERS)
POST = 'wrk.method = "POST"\nwrk.body = string.rep("x", 65536)\n'
CLOSE = 'wrk.headers["Connection"] = "close"\n'


@dataclasses.dataclass
class Task:
    """What one server is to do: `way` is cached, passed, static or grpc; `tls` a certificate with its key, or empty."""
    way: str
    folder: str
    port: int
    origin: int
    files: str
    logged: bool
    tls: str = ''
    on_disk: bool = False


@dataclasses.dataclass
class Row:
    name: str
    way: str
    size: int                                     # of the body
    connections: int = 64
    script: str = ''                              # Lua that shapes wrk's requests
    floor: tuple = ()                             # the floor program and its argument: a field of the row or the task
    columns: tuple = ('bare',)
    long: bool = False                            # left out of --quick
    certificate = ''                              # of rows with TLS
    on_disk = False                               # what is cached

    @property
    def peers(self):
        return {'cached': ['nginx', 'haproxy', 'varnish', 'trafficserver'],
                'passed': ['nginx', 'haproxy', 'h2o'], 'static': ['nginx', 'h2o']}[self.way]

    @property
    def setting(self):
        return f'{self.connections} connections'

    def prepare(self, folder):
        """The origin, and the file that a file server serves."""
        self.files = os.path.join(folder, 'www')
        os.mkdir(self.files)
        with open(os.path.join(self.files, 'o'), 'wb') as file:
            file.write(b'x' * self.size)
        port = measure.free_port()
        command = [os.path.join(measure.BUILD, 'bench/floor_answer'), port, self.size]
        if self.script == POST:
            command = peers.origin_of_posts(folder, port, self.size)
        self.origin = measure.start(command, measure.LOAD_CORE, folder, 'origin')
        measure.wait_for_port(self.origin, port, os.path.join(folder, 'origin'))
        return port

    def command(self, server, task):
        if server == 'portolan':
            return peers.portolan(task)
        if server in peers.PEERS:
            return peers.PEERS[server](task)
        if not self.floor:
            raise measure.Absent('this work has no floor program')
        program, argument = self.floor
        value = {'size': self.size, 'origin': task.origin, 'file': os.path.join(task.files, 'o')}[argument]
        return [os.path.join(measure.BUILD, f'bench/floor_{program}'), task.port, value]

    def start(self, server, folder, origin, logged):
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        task = Task(self.way, folder, measure.free_port(), origin, self.files, logged, self.certificate,
                    self.on_disk)
        command = self.command(server, task)
        if command[0] is None or not os.access(command[0], os.X_OK):
            raise measure.Absent('not installed')
        child = measure.start(command, measure.SERVER_CORE, folder, 'output')
        try:
            measure.wait_for_port(child, task.port, os.path.join(folder, 'output'))
            measure.soon(lambda: self.check(task.port))
        except measure.Absent:
            measure.stop(child)
            raise
        return child, task.port

    def check(self, port):
        measure.check(port, '/o', self.size)

    def settle(self, up):
        """From here on only a cache can answer; yields who can't, and why."""
        if self.way != 'cached':
            return
        self.origin.send_signal(signal.SIGSTOP)
        for server, (_, port) in list(up.items()):
            with contextlib.suppress(measure.Absent):
                self.check(port)
                continue
            yield server, 'its answer does not come from a cache'

    def load(self, pid, port, seconds, folder):
        return measure.wrk(pid, f'http://127.0.0.1:{port}/o', self.connections, seconds, folder, self.script)


class Stored(Row):
    """Off a disk: every server begins anew once it has stored, so that its memory holds nothing."""
    on_disk = True
    peers = ('nginx', 'trafficserver')

    def settle(self, up):
        for server, (process, port) in up.items():
            measure.stop(process)
            again = measure.start(process.args, measure.SERVER_CORE, self.files, server)
            measure.wait_for_port(again, port, os.path.join(self.files, server))
            up[server] = again, port
        yield from super().settle(up)


class Paced(Row):
    """Half of what the slowest can do, for all of them; latencies count from when each request was due."""

    @property
    def setting(self):
        return f'{self.connections} connections, {self.rate:.0f} requests/s' if hasattr(self, 'rate') else 'no rate'

    def settle(self, up):
        gone = list(super().settle(up))
        for server, (process, port) in up.items():
            if server not in dict(gone):
                capacity = measure.wrk(process.pid, f'http://127.0.0.1:{port}/o', self.connections, 1, self.files)
                self.rate = min(getattr(self, 'rate', 1e9), capacity['per_second'] / 2)
        return gone

    def load(self, pid, port, seconds, _folder):
        done, spent = measure.timed(
            pid, [os.path.join(measure.BUILD, 'bench/load_http'), '--server', f'127.0.0.1:{port}', '--path', '/o', '--rate',
                  self.rate, '--connections', self.connections, '--seconds', seconds], seconds)
        said = json.loads(done.stdout or '{}')
        if not said.get('answered'):
            raise measure.Absent(f'no answer: {done.stderr.strip()[:200]}')
        return {'cpu_us': spent / 1000 / said['answered'], 'per_second': said['answered'] / seconds,
                'p50_us': said['p50_us'], 'p99_us': said['p99_us'], 'p999_us': said['p999_us'],
                'resident_kib': measure.resident_kib(pid), 'errors': said['failed'] + said['asked'] - said['answered']}


class Idle(Row):
    """The usual load while many connections that have asked once stay open."""
    idle = 8000

    @property
    def setting(self):
        return f'{self.connections} connections, {self.idle} more idle'

    def settle(self, up):
        gone = list(super().settle(up))
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return gone

    def load(self, pid, port, seconds, folder):
        clients = []
        try:
            for number in range(self.idle):
                # Loopback has addresses for them all.
                client = socket.create_connection(('127.0.0.1', port), 5, (f'127.0.1.{1 + number % 8}', 0))
                clients.append(client)
                client.sendall(f'GET /o HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n'.encode())
                left = self.size
                while left > 0:
                    left -= len(client.recv(65536)) or self.size
            return super().load(pid, port, seconds, folder)
        except OSError as error:
            raise measure.Absent(f'takes only {len(clients)} connections: {error}') from error
        finally:
            for client in clients:
                client.close()


class Mix(Row):
    """Many objects, as large and as popular as a content network's."""
    objects = 2000

    @property
    def setting(self):
        return f'{self.connections} connections, {self.objects} objects'

    def prepare(self, folder):
        self.files = os.path.join(folder, 'www')
        os.mkdir(self.files)
        sizes, weights = traces(self.objects)
        for number, size in enumerate(sizes):
            with open(os.path.join(self.files, f'o{number}'), 'wb') as file:
                file.write(b'x' * size)
        with open(os.path.join(self.files, 'o'), 'wb') as file:
            file.write(b'x' * self.size)
        asked = random.Random(2).choices(range(self.objects), weights, k=50_000)
        self.script = ('local list, at = {}, 0\nfor n in ("' + ' '.join(map(str, asked)) +
                       '"):gmatch("%d+") do list[#list + 1] = "/o" .. n end\nfunction request()\n'
                       '  at = at % #list + 1\n  return wrk.format("GET", list[at])\nend\n')
        port = measure.free_port()
        self.origin = measure.start(peers.origin_of_files(folder, port, self.files), measure.LOAD_CORE, folder, 'origin')
        measure.wait_for_port(self.origin, port, os.path.join(folder, 'origin'))
        return port

    def settle(self, up):
        for server, (_, port) in list(up.items()):          # into the caches
            with contextlib.suppress(measure.Absent):
                for number in range(self.objects):
                    path = os.path.join(self.files, f'o{number}')
                    measure.check(port, f'/o{number}', os.path.getsize(path), times=1)
                continue
            yield server, 'does not serve every object'


def traces(objects):
    """Of so many objects, the most asked for first: sizes (at most 1 MiB) and popularities."""
    folder = os.path.join(measure.ROOT, '../shared/data/traces')
    try:
        with open(os.path.join(folder, 'meta-cdn-sizes.json'), encoding='ascii') as file:
            sizes = json.load(file)
        with open(os.path.join(folder, 'meta-cdn-pop.json'), encoding='ascii') as file:
            popularity = json.load(file)
    except OSError as error:
        raise measure.Absent('the traces are not here') from error
    drawn = random.Random(1).choices(sizes['valSizeRange'], sizes['valSizeRangeProbability'], k=objects)
    weights = []                                            # a bucket of n objects shares its weight
    for weight, count in zip(popularity['popularityWeights'], popularity['popularityBuckets']):
        weights += [weight / count] * min(int(count), objects - len(weights))
    return [min(int(size), 1 << 20) for size in drawn], weights


BOTH = ('bare', 'logged')
ROWS = [
    Row('cached-1KiB', 'cached', 1 << 10, floor=('answer', 'size'), columns=BOTH),
    Row('cached-1KiB-512', 'cached', 1 << 10, 512, floor=('answer', 'size'), long=True),
    Row('cached-1KiB-4096', 'cached', 1 << 10, 4096, floor=('answer', 'size'), long=True),
    Row('cached-1KiB-close', 'cached', 1 << 10, script=CLOSE, long=True),
    Row('cached-64KiB', 'cached', 64 << 10, floor=('sendfile', 'file')),
    Row('cached-1MiB', 'cached', 1 << 20, floor=('sendfile', 'file')),
    Stored('stored-1MiB', 'cached', 1 << 20, 8, floor=('sendfile', 'file'), long=True),
    Stored('stored-10MiB', 'cached', 10 << 20, 8, floor=('sendfile', 'file'), long=True),
    Row('passed-1KiB', 'passed', 1 << 10, floor=('forward', 'origin'), columns=BOTH),
    Row('passed-64KiB', 'passed', 64 << 10, floor=('forward', 'origin'), long=True),
    Row('post-64KiB', 'passed', 1 << 10, script=POST, long=True),
    Mix('cached-mix', 'cached', 1 << 10, long=True),
    Idle('cached-1KiB-idle', 'cached', 1 << 10, floor=('answer', 'size'), long=True),
    Paced('cached-1KiB-half', 'cached', 1 << 10, floor=('answer', 'size'), long=True),
    Paced('passed-1KiB-half', 'passed', 1 << 10, floor=('forward', 'origin'), long=True),
    Row('static-64KiB', 'static', 64 << 10, floor=('sendfile', 'file')),
]
