"""Who answers DNS in the comparison: each server's files, as its own documentation advises for speed on one core."""
import os
import shutil

from . import measure

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

# By continent, as Knot's module and PowerDNS's backend choose: neither knows the nearest of several places.
CONTINENTS = {'NA': 1, 'SA': 6, 'EU': 3, 'AF': 3, 'AS': 5, 'OC': 4}
ZONE = '''$ORIGIN bench.test.
@ 3600 SOA ns1 hostmaster 1 7200 3600 1209600 60
@ 3600 NS ns1
ns1 3600 A 127.0.0.1
static 3600 A 192.0.2.99
'''
KNOT = '''server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
log:
  - target: stderr
    any: error
database:
  storage: {folder}
mod-geoip:
  - id: geo
    config-file: {folder}/geo.conf
    ttl: 30
    mode: geodb
    geodb-file: {database}
    geodb-key: continent/code
template:
  - id: default
    storage: {folder}
    zonefile-sync: -1
zone:
  - domain: bench.test
    file: bench.test.zone
    {module}
'''
NSD = '''server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  database: ""
  zonesdir: {folder}
  pidfile: {folder}/nsd.pid
  xfrdfile: {folder}/xfrd
  zonelistfile: {folder}/zones
  username: ""
  chroot: ""
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: bench.test
  zonefile: bench.test.zone
'''
PDNS = '''launch=geoip
module-dir={modules}
geoip-zones-file={folder}/zones.yaml
geoip-database-files=mmdb:{database}
edns-subnet-processing=yes
local-address=127.0.0.1
local-port={port}
receiver-threads=1
distributor-threads=1
socket-dir={folder}
loglevel=3
'''


def portolan(folder, port, database):
    sites = '\n'.join(f'[datacenter.{name}]\nlocation = [{at[0]}, {at[1]}]' for name, at in SITES.items())
    addresses = '\n'.join(f'{name} = {{ addresses = ["192.0.2.{i}", "2001:db8::{i}"] }}'
                          for i, name in enumerate(SITES, 1))
    return [measure.BINARY, 'run', '--config', measure.write(folder, 'portolan.toml', PORTOLAN.format(
        folder=folder, port=port, database=database, sites=sites, addresses=addresses))]


def gdnsd(folder, port, database):
    for name in ('etc/geoip', 'run', 'state'):
        os.makedirs(os.path.join(folder, name))
    measure.write(folder, 'etc/config', GDNSD.format(
        folder=folder, port=port, database=database, names=', '.join(SITES),
        coordinates=', '.join(f'{name} => [{at[0]},{at[1]}]' for name, at in SITES.items()),
        addresses=', '.join(f'{name} => {{addrs_v4 => [192.0.2.{i}]}}' for i, name in enumerate(SITES, 1))))
    measure.write(folder, 'etc/zones/bench.test', GDNSD_ZONE)
    return [shutil.which('gdnsd', path='/usr/sbin'), '-c', os.path.join(folder, 'etc'), 'start']


def knot(folder, port, database):
    module = 'module: mod-geoip/geo' if database else ''
    measure.write(folder, 'bench.test.zone', ZONE + 'www 30 A 192.0.2.1\n')
    measure.write(folder, 'geo.conf', 'www.bench.test:\n' + ''.join(
        f'  - geo: "{code}"\n    A: 192.0.2.{i}\n' for code, i in [('*', 1), *CONTINENTS.items()]))
    return [shutil.which('knotd', path='/usr/sbin'), '-c',
            measure.write(folder, 'knot.conf', KNOT.format(folder=folder, port=port, database=database, module=module))]


def nsd(folder, port, _database):
    measure.write(folder, 'bench.test.zone', ZONE)
    return [shutil.which('nsd', path='/usr/sbin'), '-d', '-c',
            measure.write(folder, 'nsd.conf', NSD.format(folder=folder, port=port))]


def pdns(folder, port, database):
    places = {'unknown': 1, '"--': 1} | {code.lower(): i for code, i in CONTINENTS.items()}
    records = ''.join('    ' + (f'{name}.c.bench.test"' if name[0] == '"' else f'{name}.c.bench.test') +
                      f':\n      - a: 192.0.2.{i}\n' for name, i in places.items())
    measure.write(folder, 'zones.yaml', '''domains:
- domain: bench.test
  ttl: 30
  records:
    bench.test:
      - soa: ns1.bench.test hostmaster.bench.test 1 7200 3600 1209600 60
      - ns: ns1.bench.test
    ns1.bench.test:
      - a: 127.0.0.1
    static.bench.test:
      - a: 192.0.2.99
''' + records + '  services:\n    www.bench.test: "%cn.c.bench.test"\n')
    modules = os.path.join('/usr/lib', os.uname().machine + '-linux-gnu', 'pdns')
    measure.write(folder, 'pdns.conf', PDNS.format(folder=folder, port=port, database=database, modules=modules))
    return [shutil.which('pdns_server', path='/usr/sbin'), f'--config-dir={folder}', '--daemon=no', '--guardian=no']


def floor(_folder, port, _database):
    return [os.path.join(measure.BUILD, 'bench/floor_dns'), port]


SERVERS = {'portolan': portolan, 'floor': floor, 'gdnsd': gdnsd, 'knot': knot, 'nsd': nsd, 'pdns': pdns}
