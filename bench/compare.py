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

from comparison import measure, peers, report

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, 'build/release')
BINARY = os.environ.get('PORTOLAN_BINARY', os.path.join(BUILD, 'portolan'))
FLOORS = os.path.join(BUILD, 'bench')
WORK = {                                         # name: (body bytes, cached, connections)
    'cached-1KiB': (1 << 10, True, 64), 'cached-1KiB-512': (1 << 10, True, 512),
    'cached-1KiB-4096': (1 << 10, True, 4096),
    'cached-64KiB': (64 << 10, True, 64), 'cached-1MiB': (1 << 20, True, 64), 'passed-1KiB': (1 << 10, False, 64)}


def command_of(server, folder, port, origin, size, cached, logged):
    if server == 'floor':
        program, argument = ('answer', size) if cached else ('forward', origin)
        return [os.path.join(FLOORS, f'floor_{program}'), port, argument]
    if server == 'portolan':
        return peers.portolan(folder, port, origin, cached, logged, measure.free_port(), BINARY)
    return peers.PEERS[server](folder, port, origin, cached, logged, None)


def start_server(server, folder, origin, size, cached, logged):
    os.mkdir(folder)
    port = measure.free_port()
    command = command_of(server, folder, port, origin, size, cached, logged)
    if command[0] is None or not os.access(command[0], os.X_OK):
        raise measure.Absent('not installed')
    child = measure.start(command, measure.SERVER_CORE, folder, 'output')
    try:
        measure.wait_for_port(child, port, os.path.join(folder, 'output'))
        measure.check(port, size)
    except measure.Absent:
        measure.stop(child)
        raise
    return child, port


def run_row(name, column, servers, options):
    """All servers up at once, idle but for the one under load; a round runs each once, in an order that turns."""
    size, cached, connections = WORK[name]
    runs, absent, up = {}, {}, {}
    with tempfile.TemporaryDirectory(prefix='portolan-bench-') as folder:
        try:
            origin = measure.free_port()
            child = measure.start([os.path.join(FLOORS, 'floor_answer'), origin, size], measure.LOAD_CORE, folder,
                                  'origin')
            measure.wait_for_port(child, origin, os.path.join(folder, 'origin'))
            for server in servers:
                try:
                    up[server] = start_server(server, os.path.join(folder, server), origin, size, cached,
                                              column == 'logged')
                except measure.Absent as reason:
                    absent[server] = str(reason)
            if cached:
                child.send_signal(signal.SIGSTOP)             # from here on only a cache can answer
                for server in list(up):
                    try:
                        measure.check(up[server][1], size)
                    except measure.Absent as reason:
                        absent[server] = f'not a cache hit: {reason}'
                        measure.stop(up.pop(server)[0])
            for number in range(-1, options.rounds):              # round -1 warms up and is not counted
                order = list(up)
                turn = number % max(len(order), 1)
                for server in order[turn:] + order[:turn]:
                    process, port = up[server]
                    seconds = options.seconds if number >= 0 else 1
                    run = measure.timed_run(process.pid, port, connections, seconds, folder)
                    if number >= 0:
                        runs.setdefault(server, []).append(run)
        finally:
            measure.stop_all()
    return {'connections': connections, 'servers': report.summarise(runs), 'absent': absent}


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
                         'wrk': output_of('wrk', '-v')}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='three rounds of a second: a look, not a figure to quote')
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--seconds', type=int)
    parser.add_argument('--only', default='', help='rows (work:column) that match this regular expression')
    parser.add_argument('--peers', default=','.join(peers.PEERS))
    parser.add_argument('--results', default=os.path.join(ROOT, 'bench/results'))
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.seconds = options.seconds or (1 if options.quick else 2)
    asked = [name for name in options.peers.split(',') if name]
    if unknown := set(asked) - set(peers.PEERS):
        parser.error(f'unknown peers {sorted(unknown)}; there are {sorted(peers.PEERS)}')
    if measure.SERVER_CORE == measure.LOAD_CORE:
        sys.exit('server and load need a core each: this machine has one')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = {}
    for name in WORK:
        for column in ('bare', 'logged'):
            if re.search(options.only, f'{name}:{column}'):
                print(f'{name}, {column} …', file=sys.stderr, flush=True)
                rows[name, column] = run_row(name, column, ['portolan', 'floor'] + asked, options)
    if not rows:
        sys.exit(f'no row matches {options.only!r}')
    print(report.write(options.results, machine(), rows))


if __name__ == '__main__':
    main()
