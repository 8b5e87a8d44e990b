"""The HTTP rows: what is asked of which server, and how it is loaded."""
import contextlib
import dataclasses
import os
import signal

from . import measure, peers

PEERS = list(peers.PEERS)
POST = 'wrk.method = "POST"\nwrk.body = string.rep("x", 65536)\n'
CLOSE = 'wrk.headers["Connection"] = "close"\n'


@dataclasses.dataclass
class Task:
    """What one server is to do: `way` is cached, passed or static."""
    way: str
    folder: str
    port: int
    origin: int
    files: str
    logged: bool


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

    @property
    def peers(self):
        return {'cached': ['nginx', 'haproxy', 'varnish'], 'passed': ['nginx', 'haproxy', 'h2o'],
                'static': ['nginx', 'h2o']}[self.way]

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
        task = Task(self.way, folder, measure.free_port(), origin, self.files, logged)
        command = self.command(server, task)
        if command[0] is None or not os.access(command[0], os.X_OK):
            raise measure.Absent('not installed')
        child = measure.start(command, measure.SERVER_CORE, folder, 'output')
        try:
            measure.wait_for_port(child, task.port, os.path.join(folder, 'output'))
            measure.check(task.port, '/o', self.size)
        except measure.Absent:
            measure.stop(child)
            raise
        return child, task.port

    def settle(self, up):
        """From here on only a cache can answer; yields who can't, and why."""
        if self.way != 'cached':
            return
        self.origin.send_signal(signal.SIGSTOP)
        for server, (_, port) in list(up.items()):
            with contextlib.suppress(measure.Absent):
                measure.check(port, '/o', self.size)
                continue
            yield server, 'its answer does not come from a cache'

    def load(self, pid, port, seconds, folder):
        return measure.wrk(pid, f'http://127.0.0.1:{port}/o', self.connections, seconds, folder, self.script)


BOTH = ('bare', 'logged')
ROWS = [
    Row('cached-1KiB', 'cached', 1 << 10, floor=('answer', 'size'), columns=BOTH),
    Row('cached-1KiB-512', 'cached', 1 << 10, 512, floor=('answer', 'size'), long=True),
    Row('cached-1KiB-4096', 'cached', 1 << 10, 4096, floor=('answer', 'size'), long=True),
    Row('cached-1KiB-close', 'cached', 1 << 10, script=CLOSE, long=True),
    Row('cached-64KiB', 'cached', 64 << 10, floor=('answer', 'size')),
    Row('cached-1MiB', 'cached', 1 << 20),
    Row('passed-1KiB', 'passed', 1 << 10, floor=('forward', 'origin'), columns=BOTH),
    Row('passed-64KiB', 'passed', 64 << 10, long=True),
    Row('post-64KiB', 'passed', 1 << 10, script=POST, long=True),
    Row('static-64KiB', 'static', 64 << 10, floor=('sendfile', 'file')),
]
