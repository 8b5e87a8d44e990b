"""The zone of the cases as each server takes it, and how each is started."""
import os
import shutil

SBIN = '/usr/sbin'
BIG, HUGE = 'b' * 200, 'h' * 250
ZONE = f'''$ORIGIN example.com.
$TTL 300
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 60
@ IN NS ns1
ns1 IN A 127.0.0.1
www IN A 192.0.2.1
alias IN CNAME www
a.ent IN A 192.0.2.2
*.wild IN A 192.0.2.3
there.wild IN A 192.0.2.4
sub IN NS ns.sub
ns.sub IN A 192.0.2.5
''' + ''.join(f'big IN TXT "{i}{BIG}"\n' for i in range(3)) + ''.join(f'huge IN TXT "{i}{HUGE}"\n' for i in range(8))

PORTOLAN = '''
[geodns]
listen = ["127.0.0.1:{port}"]
[zone."example.com"]
nameservers = ["ns1.example.com"]
records = [
  {{ name = "ns1", type = "A", value = "127.0.0.1" }},
  {{ name = "www", type = "A", value = "192.0.2.1" }},
  {{ name = "alias", type = "CNAME", value = "www" }},
  {{ name = "a.ent", type = "A", value = "192.0.2.2" }},
  {{ name = "*.wild", type = "A", value = "192.0.2.3" }},
  {{ name = "there.wild", type = "A", value = "192.0.2.4" }},
  {{ name = "sub", type = "NS", value = "ns.sub.example.com" }},
  {{ name = "ns.sub", type = "A", value = "192.0.2.5" }},
''' + ''.join(f'  {{{{ name = "big", type = "TXT", value = "{i}{BIG}" }}}},\n' for i in range(3)) + ''.join(
    f'  {{{{ name = "huge", type = "TXT", value = "{i}{HUGE}" }}}},\n' for i in range(8)) + ']\n'


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)
    return path


def gdnsd(folder, port, zones):
    write(folder, 'run/keep', '')
    write(folder, 'state/keep', '')
    write(folder, 'etc/config', f'options => {{ listen => 127.0.0.1, dns_port => {port}, udp_threads => 1, tcp_threads => 1, '
                                f'lock_mem => false, run_dir => {folder}/run, state_dir => {folder}/state }}\n')
    for origin, text in zones.items():
        write(folder, f'etc/zones/{origin}', text)
    return [shutil.which('gdnsd', path=SBIN), '-c', os.path.join(folder, 'etc'), 'start']


def knot(folder, port, zones):
    for origin, text in zones.items():
        write(folder, f'{origin}.zone', text)
    return [shutil.which('knotd', path=SBIN), '-c', write(folder, 'knot.conf', f'''server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}
template:
  - id: default
    storage: {folder}
    zonefile-sync: -1
zone:
''' + ''.join(f'  - domain: {origin}\n    file: {origin}.zone\n' for origin in zones))]


def nsd(folder, port, zones):
    for origin, text in zones.items():
        write(folder, f'{origin}.zone', text)
    return [shutil.which('nsd', path=SBIN), '-d', '-c', write(folder, 'nsd.conf', f'''server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  database: ""
  username: ""
  zonesdir: {folder}
  pidfile: {folder}/nsd.pid
  xfrdfile: {folder}/xfrd
  zonelistfile: {folder}/zones
  cookie-secret-file: {folder}/cookies
  xfrdir: {folder}
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
''' + ''.join(f'zone:\n  name: {origin}\n  zonefile: {origin}.zone\n' for origin in zones))]


def pdns(folder, port, zones):
    for origin, text in zones.items():
        write(folder, f'{origin}.zone', text)
    write(folder, 'named.conf', ''.join(f'zone "{origin}" {{ type master; file "{folder}/{origin}.zone"; }};\n'
                                        for origin in zones))
    modules = os.path.join('/usr/lib', os.uname().machine + '-linux-gnu', 'pdns')
    write(folder, 'pdns.conf', f'''launch=bind
bind-config={folder}/named.conf
module-dir={modules}
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
setuid=
setgid=
''')
    return [shutil.which('pdns_server', path=SBIN), f'--config-dir={folder}', '--daemon=no', '--guardian=no']


SERVERS = {'gdnsd': (gdnsd, 'gdnsd'), 'knot': (knot, 'knotd'), 'nsd': (nsd, 'nsd'), 'pdns': (pdns, 'pdns_server')}


def installed(server):
    return shutil.which(SERVERS[server][1], path=SBIN) is not None
