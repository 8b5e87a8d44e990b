"""Peers go through the table of strictness_cases.py: strictness_peers.py OUT writes the grid as Markdown (./dev strictness).

Each runs as its own documentation shows a reverse proxy, and nothing else is set: what is measured is what one gets.
"""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness
import strictness_cases as cases
import strictness_grid as grid

# nginx and HAProxy speak HTTP/2 without TLS at a port of its own; {user} lets nginx stay who it is in a container.
NGINX = '''daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin}; }} }}
  server {{ listen 127.0.0.1:{port2} http2; location / {{ proxy_pass http://127.0.0.1:{origin}; }} }}
}}
'''
HAPROXY = '''defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:{port}
  bind 127.0.0.1:{port2} proto h2
  default_backend origin
backend origin
  server one 127.0.0.1:{origin}
'''
CADDY = '''{{
  admin off
  auto_https off
  servers {{
    protocols h1 h2c
  }}
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{origin}
}}
'''
PORTOLAN = '''[server]
admin = "unix:{folder}/admin.sock"
[listener.http]
listen = ["127.0.0.1:{port}"]
[pool.app]
servers = ["127.0.0.1:{origin}"]
[[route]]
pool = "app"
'''


def write(folder, name, text, **values):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='ascii') as file:
        file.write(text.format(folder=folder, user='user root;' if os.geteuid() == 0 else '', **values))
    return path


def nginx(folder, **at):
    return ['/usr/sbin/nginx', '-e', 'stderr', '-c', write(folder, 'nginx.conf', NGINX, **at)]


def haproxy(folder, **at):
    return ['/usr/sbin/haproxy', '-db', '-f', write(folder, 'haproxy.cfg', HAPROXY, **at)]


def caddy(folder, **at):
    return [shutil.which('caddy'), 'run', '--adapter', 'caddyfile', '--config', write(folder, 'Caddyfile', CADDY, **at)]


def varnish(folder, port, origin, **_):
    return ['/usr/sbin/varnishd', '-F', '-n', os.path.join(folder, 'varnish'), '-a', f'127.0.0.1:{port}', '-b', f'127.0.0.1:{origin}',
            '-p', 'feature=+http2']


def portolan(folder, **at):
    return [harness.BINARY, 'run', '--config', write(folder, 'portolan.toml', PORTOLAN, **at)]


# What starts it, whether HTTP/2 has a port of its own, and how it tells its version.
PEERS = {'Portolan': (portolan, False, [harness.BINARY, '--version']),
         'nginx': (nginx, True, ['/usr/sbin/nginx', '-v']),
         'HAProxy': (haproxy, True, ['/usr/sbin/haproxy', '-v']),
         'Caddy': (caddy, False, ['caddy', 'version']),
         'Varnish': (varnish, False, ['/usr/sbin/varnishd', '-V'])}
WORDS = {grid.REFUSED: 'refused', grid.NORMALISED: 'normalised', grid.RAW: '**passed on raw**', grid.CHANGED: '**changed**',
         grid.ACCEPTED: 'accepted', grid.LOCAL: 'answered'}


def version(command):
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return re.search(r'\d+\.\d+[.\d]*', told.stdout + told.stderr).group(0)


@contextlib.contextmanager
def running(start, folder, **at):
    environment = dict(os.environ, HOME=folder, XDG_DATA_HOME=folder, XDG_CONFIG_HOME=folder)
    process = harness.Process('peer', start(folder, **at), folder, env=environment).start()
    try:
        harness.wait_until(lambda: harness.accepts(at['port']) and harness.accepts(at['port2'] or at['port']),
                           what=lambda: process.output)
        yield process
    finally:
        process.stop(5)


def results(name):
    """What a peer makes of every case, in the order of ALL."""
    start, own_port, _ = PEERS[name]
    folder, origin = tempfile.mkdtemp(prefix='strictness-'), grid.Recorder()
    port, port2 = harness.free_port(), harness.free_port() if own_port else 0
    try:
        with running(start, folder, port=port, port2=port2, origin=origin.port) as process:
            found = []
            for case, run, second in ALL:
                found.append(run(port2 or port if second else port, origin, case))
                if not process.alive:
                    sys.exit(f'{name} ended at "{case.name}": {process.output[-2000:]}')
            return found
    finally:
        origin.close()
        shutil.rmtree(folder, ignore_errors=True)


def run_request(port, origin, case):
    return grid.run_request(port, origin, case, cases.CANARY)


ALL = ([(case, run_request, False) for case in cases.REQUESTS] + [(case, grid.run_surplus, False) for case in cases.SURPLUS] +
       [(case, grid.run_upgrade, False) for case in cases.UPGRADES] + [(case, grid.run_answer, False) for case in cases.RESPONSES] +
       [(case, grid.run_head2, True) for case in cases.HTTP2])

HEAD = '''# Who does what with what could be read two ways

Written by `./dev strictness` from the table of `tests/system/strictness_cases.py`, each peer as Debian ships it and as its
documentation shows a plain reverse proxy, with HTTP/2 without TLS switched on where it must be; nothing else is set. What an
origin or a client got is judged by a strict reader of its own (`tests/system/strict_http.py`).

- **refused**: an error status or the end of the connection, and nothing whole reached the other side;
- **normalised**: the other side got a message that can be read in one way only;
- **passed on raw**: the other side got what could be read two ways, or more than one side takes it for;
- **changed**: well-formed, but its body or a field that should pass did not, or one that ends here did;
- **accepted**: well-formed, and it arrived, also where it is more than Portolan takes by default;
- **answered**: the proxy answered it itself, and the other side got nothing.

"Normalised" is lawful in many rows (RFC 9112 lets a proxy take a bare LF for a line's end, or drop `Content-Length` beside
`Transfer-Encoding`): what Portolan refuses, others may repair. Chunked bodies that arrive in pieces may have begun to pass
before their fault is seen; they count as refused when they never become whole. Bytes behind an answer and behind an upgrade
are "normalised" when they went nowhere. The rules are the strictest reading of the RFCs, which is Portolan's: others have
chosen otherwise, and newer versions of them than Debian's differ in some rows.

'''


def table(columns):
    names = list(columns)
    lines = [HEAD + 'Versions: ' + ', '.join(f'{name} {version(PEERS[name][2])}' for name in names) + '.\n']
    lines.append('| of ' + str(len(ALL)) + ' cases | ' + ' | '.join(names) + ' |\n|---|' + '---|' * len(names))
    for word, what in ((grid.RAW, 'passed on raw'), (grid.CHANGED, 'changed what is well-formed'), (grid.NORMALISED, 'normalised what is malformed'), (grid.REFUSED, 'refused')):
        lines.append(f'| {what} | ' + ' | '.join(str(columns[name].count(word)) for name in names) + ' |')
    area = None
    for number, (case, _, _) in enumerate(ALL):
        if case.area != area:
            area = case.area
            lines.append(f'\n## {area}\n\n| case | rule | who got it wrong | ' + ' | '.join(names) + ' |\n|---|---|---|' + '---|' * len(names))
        wrong = case.wrong.replace('|', '\\|')
        lines.append(f'| {case.name} | {case.rule} | {wrong} | ' + ' | '.join(WORDS[columns[name][number]] for name in names) + ' |')
    return '\n'.join(lines) + '\n'


def main():
    columns = {}
    for name in sys.argv[2:] or PEERS:
        columns[name] = results(name)
        print(f'{name}: ' + ', '.join(f'{columns[name].count(word)} {word}' for word in WORDS), flush=True)
    with open(sys.argv[1], 'w', encoding='utf-8') as file:
        file.write(table(columns))


if __name__ == '__main__':
    main()
