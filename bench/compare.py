#!/usr/bin/python3
"""The comparison behind `./dev bench`: Portolan, its peers and the floor on the same work, interleaved.

    bench/compare.py [--quick] [--rounds N] [--seconds S] [--only REGEX] [--peers NAME,…] [--results FOLDER]

PORTOLAN_BINARY is the binary under test, PORTOLAN_BENCH_LOCK a file every timed run locks.
docs/benchmark.md has the method.
"""
import argparse
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from comparison import dns, http, measure, report, scale, tls

ROOT = measure.ROOT


def run_row(row, column, servers, options):
    if column == 'times':
        return row.measure(servers, options.rounds)
    return run_loaded(row, column, servers, options)


def run_loaded(row, column, servers, options):
    """All servers up at once, idle but for the one under load; a round runs each once, in an order that turns."""
    runs, absent, up = {}, {}, {}
    with tempfile.TemporaryDirectory(prefix='portolan-bench-') as folder:
        os.chmod(folder, 0o755)                               # for peers that drop their privileges
        try:
            place = row.prepare(folder)
            for server in servers:
                try:
                    up[server] = row.start(server, os.path.join(folder, server), place, column == 'logged')
                except measure.Absent as reason:
                    absent[server] = str(reason)
            for server, reason in list(row.settle(up)):
                absent[server] = reason
                measure.stop(up.pop(server)[0])
            for number in range(-1, options.rounds):              # round -1 warms up and is not counted
                order = list(up)
                turn = number % max(len(order), 1)
                for server in order[turn:] + order[:turn]:
                    process, port = up[server]
                    try:
                        run = row.load(process.pid, port, options.seconds if number >= 0 else 1, folder)
                    except measure.Absent as reason:
                        absent[server] = str(reason)
                        measure.stop(up.pop(server)[0])
                        runs.pop(server, None)
                        continue
                    if number >= 0:
                        runs.setdefault(server, []).append(run)
        finally:
            measure.stop_all()
    return {'setting': row.setting, 'servers': report.summarise(runs), 'absent': absent}


def output_of(*command):
    if shutil.which(command[0], path='/usr/sbin:/usr/bin:/bin') is None and not os.access(command[0], os.X_OK):
        return 'absent'
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                          env={'PATH': '/usr/sbin:/usr/bin:/bin'}, cwd=ROOT)
    return ((done.stdout + done.stderr).strip().splitlines() or ['unknown'])[0]


def machine():
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        cpu = re.search(r'model name\s*:\s*(.*)', file.read())
    return {'cpu': f'{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} cores',
            'kernel': platform.release(),
            'commit': 'of another build' if 'PORTOLAN_BINARY' in os.environ else
                      output_of('git', 'rev-parse', '--short', 'HEAD'),
            'versions': {'nginx': output_of('nginx', '-v'), 'haproxy': output_of('haproxy', '-v'),
                         'varnish': output_of('varnishd', '-V'), 'h2o': output_of('h2o', '-v'),
                         **{package: output_of('dpkg-query', '-W', '-f', '${Version}', package)
                            for package in ('trafficserver', 'gdnsd', 'knot', 'nsd', 'pdns-server')},
                         'wrk': output_of('wrk', '-v'), 'h2load': output_of('h2load', '--version')}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='three rounds of a second: a look, not a figure to quote')
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--seconds', type=int)
    parser.add_argument('--only', default='', help='rows (work:column) that match this regular expression')
    everybody = list(dict.fromkeys([*http.PEERS, 'nghttpx', *dns.PEERS]))
    parser.add_argument('--peers', default=','.join(everybody))
    parser.add_argument('--results', default=os.path.join(ROOT, 'bench/results'))
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.seconds = options.seconds or (1 if options.quick else 2)
    asked = [name for name in options.peers.split(',') if name]
    if unknown := set(asked) - set(everybody):
        parser.error(f'unknown peers {sorted(unknown)}; there are {everybody}')
    if measure.SERVER_CORE == measure.LOAD_CORE:
        sys.exit('server and load need a core each: this machine has one')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows, here = {}, machine()
    for row in http.ROWS + tls.ROWS + dns.ROWS + scale.ROWS:
        for column in row.columns:
            if re.search(options.only, f'{row.name}:{column}') and not (options.quick and row.long):
                print(f'{row.name}, {column} …', file=sys.stderr, flush=True)
                contenders = ['portolan', 'floor'] + [peer for peer in asked if peer in row.peers]
                try:
                    rows[row.name, column] = run_row(row, column, contenders, options)
                except measure.Absent as reason:
                    print(f'  left out: {reason}', file=sys.stderr, flush=True)
                    continue
                report.write(options.results, here, rows)   # what is measured is kept, whatever comes
    if not rows:
        sys.exit(f'no row matches {options.only!r}')
    print(report.write(options.results, here, rows))


if __name__ == '__main__':
    main()
