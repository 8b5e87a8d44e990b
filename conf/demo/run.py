#!/usr/bin/env python3
"""Two datacentres on one machine. usage: run.py [--tour]

Without --tour they run until Ctrl-C, and what to try is printed; with it they are walked with curl and dig (tour.py).
PORTOLAN_BINARY names the binary; left out, build/release/portolan.
"""
import argparse
import os
import signal
import sys
import time

sys.dont_write_bytecode = True

import tour                                                       # noqa: E402
from world import DATACENTERS, Failure, World, bold, dim          # noqa: E402

COMES_BACK_S = 20                              # what you kill is started again after so long


class Ended(Exception):
    pass


def end(*_):
    """Once is enough: what follows is the orderly end, which takes a moment."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Ended


def introduce(world):
    print(bold('Two datacentres stand on this machine.'), 'Everything is in', world.folder)
    print()
    for name, site in DATACENTERS.items():
        servers = ', '.join(f'{server} {address}' for server, address in site.servers.items())
        print(f'  {name}  {site.city:<18} edge {site.edge} {world.url(site.address)}, in front of {servers}')
    print(f'  dns      {"":<18} {world.dns_address} port {world.ports["dns"]}, told by both edges how their servers are')
    print()


def what_to_try(world):
    east = DATACENTERS['us-east']
    url, dig, portolan = world.url(east.address), world.dig_words, world.binary_words
    server = next(iter(east.servers))
    if any(os.environ.get(name) for name in ('http_proxy', 'all_proxy', 'ALL_PROXY')):
        print(dim("  # a proxy is set in this shell; keep curl from it\n  export no_proxy='*'\n"))
    for title, lines in (
            ('Two servers take turns', [f'for i in 1 2 3 4; do curl -s {url}/; done']),
            ('The second one is a hit', [f'curl -si {url}/files/harbours.txt', f'curl -si {url}/files/harbours.txt',
                                         f'{portolan} purge {url}/files/harbours.txt --admin {world.admin(east.edge)}']),
            ('New York, San Francisco, London, Tokyo ask for the nearest',
             [f'{dig} www.demo.test +subnet={tour.CITIES[city].network}'
              for city in ('New York', 'San Francisco', 'London', 'Tokyo')]),
            ('And go where they are told', [f'curl -s http://$({dig} www.demo.test +subnet='
                                            f'{tour.CITIES["Tokyo"].network}):{world.ports["http"]}/']),
            ('By weight; by order', [f'{dig} beta.demo.test', f'{dig} primary.demo.test']),
            ('Who is up, and why', [f'{portolan} status --admin {world.admin(name)}' for name in (east.edge, 'dns')]),
            ('Everything counted', [f'curl -s http://{east.address}:{world.ports["metrics"]}/metrics']),
            (f'Kill a server, or the edge of us-east (each comes back after {COMES_BACK_S} s), and try again',
             [f'kill -9 {world.processes[server].pid}    # {server}',
              f'kill -9 {world.processes[east.edge].pid}    # the edge of us-east']),
            ('Watch', [f'tail -f {world.folder}/*.log'])):
        print(f'  {dim("# " + title)}')
        for line in lines:
            print(f'  {line}')
        print()


def stay(world):
    """Until a signal: what was killed from outside is told, and comes back."""
    introduce(world)
    what_to_try(world)
    print(bold('Ctrl-C ends everything.'), flush=True)
    back_at = {}
    while True:
        time.sleep(0.2)
        for name, process in world.processes.items():
            if name not in back_at and (how := process.ended()):
                back_at[name] = time.monotonic() + COMES_BACK_S
                print(f'{time.strftime("%H:%M:%S")} {name} {how}; it comes back in {COMES_BACK_S} s', flush=True)
            elif name in back_at and time.monotonic() >= back_at[name]:
                del back_at[name]
                process.start()
                print(f'{time.strftime("%H:%M:%S")} {name} is back, as process {process.pid}', flush=True)


def main():
    parser = argparse.ArgumentParser(prog='./dev demo', description='Two datacentres on one machine.')
    parser.add_argument('--tour', action='store_true', help='walk them with curl and dig, and check what is shown')
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding='utf-8', errors='replace', line_buffering=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    world = World()
    try:
        world.start()
        if options.tour:
            introduce(world)
            tour.walk(world)
        else:
            stay(world)
        return 0
    except Ended:
        print()
        return 130 if options.tour else 0
    except Failure as failure:
        print(f'\n{failure}')
        world.tell_logs()
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        world.end()
        if not options.tour:
            print('All seven processes are gone.')


if __name__ == '__main__':
    sys.exit(main())
