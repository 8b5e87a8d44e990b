"""The seven processes of the demo: where they listen, their files in a folder of their own, their start and end."""
import collections
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.path.abspath(os.environ.get('PORTOLAN_BINARY', os.path.join(ROOT, 'build/release/portolan')))
READY_S = 20                                   # whatever isn't so by then never will be
END_S = 4                                      # for a gentle end; then SIGKILL

Datacenter = collections.namedtuple('Datacenter', 'city latitude longitude edge address servers')
DATACENTERS = {
    'us-east': Datacenter('Ashburn, Virginia', 39.04, -77.49, 'east', '127.0.0.10',
                          {'east-1': '127.0.0.11', 'east-2': '127.0.0.12'}),
    'us-west': Datacenter('San Jose', 37.24, -121.78, 'west', '127.0.0.20',
                          {'west-1': '127.0.0.21', 'west-2': '127.0.0.22'}),
}
DNS_ADDRESS = '127.0.0.1'
PORTS = {'http': 8080, 'metrics': 9145, 'peers': 9146, 'dns': 5300}         # the next free ones where these are taken


class Failure(Exception):
    """What was said is untrue, or could not be shown."""


def styled(code, text):
    return f'\033[{code}m{text}\033[0m' if sys.stdout.isatty() and 'NO_COLOR' not in os.environ else text


def bold(text):
    return styled('1', text)


def dim(text):
    return styled('2', text)


def wait_until(condition, what, timeout=READY_S):
    """The first true value of condition(), or a Failure."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failure(f'not within {timeout} s: {what}')
        time.sleep(0.05)
    return value


def clean_environment():
    """A proxy for the Internet is none for loopback."""
    return {key: value for key, value in os.environ.items() if not key.lower().endswith('_proxy')}


def free_port(first, addresses, kinds):
    """The first port from `first` on that is free at all addresses."""
    for port in range(first, first + 1000):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for address in addresses:
                for kind in kinds:
                    each = stack.enter_context(socket.socket(socket.AF_INET, kind))
                    if kind == socket.SOCK_STREAM:
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)     # TIME_WAIT isn't taken
                    each.bind((address, port))
                    if kind == socket.SOCK_STREAM:
                        each.listen(1)
            return port
    raise Failure(f'no free port from {first} on')


def dies_with_parent():
    """In the child: when this script is killed outright, what it started goes too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """One Portolan with its file and its log. Only ever ended by its own id."""

    def __init__(self, name, folder):
        self.name = name
        self.config_path = os.path.join(folder, f'{name}.toml')
        self.log_path = os.path.join(folder, f'{name}.log')
        self.child = None

    def start(self):
        with open(self.log_path, 'ab') as log:
            self.child = subprocess.Popen([BINARY, 'run', '--config', self.config_path], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True, preexec_fn=dies_with_parent)

    @property
    def pid(self):
        return self.child.pid

    def ended(self):
        """How it ended; None while it runs."""
        if self.child is None or self.child.poll() is None:
            return None
        status = self.child.returncode
        return f'was killed by {signal.Signals(-status).name}' if status < 0 else f'ended with status {status}'

    def kill(self):
        self.child.kill()
        self.child.wait()


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='portolan-demo-')
        self.processes = {}
        self.ports = {}
        self.dns_address = DNS_ADDRESS

    # ── how it is reached ───────────────────────────────────────────────────────────────────────────────────────
    def url(self, address):
        return f'http://{address}:{self.ports["http"]}'

    def admin(self, name):
        return f'unix:{self.folder}/{name}.sock'

    @property
    def dig_words(self):
        return f'dig +short @{self.dns_address} -p {self.ports["dns"]}'

    @property
    def binary_words(self):
        return os.path.relpath(BINARY, ROOT) if BINARY.startswith(ROOT + os.sep) else BINARY

    def status(self, name):
        """What `portolan status --json` says; None while it says nothing."""
        done = subprocess.run([BINARY, 'status', '--json', '--admin', self.admin(name)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=READY_S, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def all_up(self):
        """Every server as its edge sees it, and every datacentre as DNS does."""
        statuses = [self.status(name) for name in ('dns', *(site.edge for site in DATACENTERS.values()))]
        return all(statuses) and all(
            part['state'] == 'up' for status in statuses
            for group, parts in (('services', 'sites'), ('pools', 'servers'))
            for whole in status[group] for part in whole[parts])

    # ── start and end ───────────────────────────────────────────────────────────────────────────────────────────
    def choose_ports(self):
        edges = [site.address for site in DATACENTERS.values()]
        servers = [address for site in DATACENTERS.values() for address in site.servers.values()]
        both = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        tcp = (socket.SOCK_STREAM,)
        for name, addresses, kinds in (('http', edges + servers, tcp), ('metrics', [*edges, DNS_ADDRESS], tcp),
                                       ('peers', edges, tcp), ('dns', [DNS_ADDRESS], both)):
            first = max(PORTS[name], 1 + self.ports['metrics']) if name == 'peers' else PORTS[name]
            self.ports[name] = free_port(first, addresses, kinds)

    def write(self, template, name, **values):
        with open(os.path.join(HERE, f'{template}.toml'), encoding='utf-8') as file:
            text = file.read().replace('${…}', '$${…}')
        with open(os.path.join(self.folder, f'{name}.toml'), 'w', encoding='utf-8') as file:
            file.write(string.Template(text).substitute(self.ports, name=name, folder=self.folder, **values))
        self.processes[name] = Process(name, self.folder)

    def write_files(self):
        www = os.path.join(self.folder, 'www')
        shutil.copytree(os.path.join(HERE, 'www'), www)
        week_ago = time.time() - 7 * 86400         # a cache may keep what has no lifetime for a tenth of its age
        for entry in os.scandir(www):
            os.utime(entry.path, (week_ago, week_ago))
        subprocess.run([BINARY, 'geo-demo', os.path.join(self.folder, 'cities.mmdb')], stdout=subprocess.DEVNULL,
                       timeout=READY_S, check=True)
        for datacenter, site in DATACENTERS.items():
            for name, address in site.servers.items():
                self.write('origin', name, datacenter=datacenter, address=address)
        for datacenter, site in DATACENTERS.items():
            first, second = site.servers.values()
            self.write('edge', site.edge, datacenter=datacenter, address=site.address, server1=first, server2=second)
        self.write('geodns', 'dns', address=DNS_ADDRESS, **{site.edge: site.address for site in DATACENTERS.values()})

    def start(self):
        for tool in ('curl', 'dig'):
            if not shutil.which(tool):
                raise Failure(f'{tool} is not installed (packages curl and bind9-dnsutils)')
        try:
            self.choose_ports()
            self.write_files()
        except (OSError, subprocess.SubprocessError) as error:
            raise Failure(f'could not prepare the demo: {error}') from error
        for process in self.processes.values():
            process.start()
        self.await_all()

    def await_all(self, timeout=READY_S):
        """Until everything is up; at once a Failure where a process ended instead."""
        def up():
            for process in self.processes.values():
                if how := process.ended():
                    raise Failure(f'{process.name} {how}')
            return self.all_up()
        wait_until(up, 'all servers up, and DNS told so', timeout)

    def tell_logs(self):
        for process in self.processes.values():
            with contextlib.suppress(OSError), open(process.log_path, encoding='utf-8', errors='replace') as file:
                for line in file.readlines()[-8:]:
                    print(f'  {process.name}: {line.rstrip()}')

    def end(self):
        """All that was started, gently and then not; the folder goes last."""
        running = [process.child for process in self.processes.values() if process.child and not process.ended()]
        for child in running:
            child.terminate()
        until = time.monotonic() + END_S
        for child in running:
            try:
                child.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
