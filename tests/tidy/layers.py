#!/usr/bin/env python3
"""Who may include whom. usage: layers.py ROOT

The table is the plan of the house: a room includes itself and the rooms named here, never upward; a library has one
owner; time and entropy are read in one file. An exception is an entry with its reason, here and nowhere else.
"""
import os
import re
import sys

from source import ROOMS_ABOVE, code_only, files, read, report

MAY_INCLUDE = {
    'core/base': '',
    'core/crypto': 'core/base',
    'core/conf': 'core/base',
    'core/http': 'core/base core/conf',
    'core/compress': 'core/base core/conf core/http',
    'core/dns': 'core/base',
    'core/geo': 'core/base core/conf',
    'core/loop': 'core/base core/crypto core/conf core/dns',
    'core/client': 'core/base core/conf core/http core/loop',
    'core/health': 'core/base core/crypto core/conf core/http core/loop core/client',
    'edge': 'core/base core/crypto core/conf core/http core/compress',
    'geodns': 'core/base core/crypto core/conf core/dns core/geo core/loop core/health',
    'proxy': 'core/base core/crypto core/conf core/http core/geo core/loop core/client core/health edge',
    'daemon': 'core/base core/crypto core/conf core/http core/compress core/dns core/geo core/loop core/client core/health edge '
              'geodns proxy',
}

# Header (a prefix of what stands between < and >) → the rooms that may see it.
LIBRARIES = {
    'event2/': ['core/loop'],
    'event.h': ['core/loop'],
    'ares': ['core/loop'],
    'openssl/': ['core/crypto', 'core/loop'],
    'crypt.h': ['core/crypto'],
    'zlib.h': ['core/compress'],
    'zstd.h': ['core/compress'],
    'brotli/': ['core/compress'],
    'xxhash.h': ['core/crypto', 'edge', 'proxy'],
    're2/': ['core/http'],
    'maxminddb.h': ['core/geo'],
    'toml++/': ['core/conf'],
    'CLI/': ['daemon'],
    'systemd/': ['daemon'],
    'coroutine': [],                                   # g++ 12 miscompiles them
    'iostream': ['daemon'],                            # static constructors; everybody else logs
    'regex': [],                                       # std::regex recurses by input: a stack overflow from outside
}
# What rooms that know no sockets must not include.
SOCKETLESS = ['core/crypto', 'core/conf', 'core/http', 'core/compress', 'core/dns', 'core/geo', 'edge']
SOCKETS = ('sys/socket.h', 'sys/epoll.h', 'netinet/', 'poll.h', 'netdb.h')
# Costly to compile: in sources only.
HEAVY = ('toml++/', 'nlohmann/json.hpp', 'CLI/')

# Workers share three things and no more; a lock or a thread anywhere else is a fourth. A path ending in / is a room.
LOCKS = ('mutex', 'shared_mutex', 'condition_variable', 'semaphore', 'latch', 'barrier')
LOCKS_ALLOWED = [
    'core/base/metrics',            # the list of shards, touched when a worker starts or metrics are read
    'core/base/log',                # the sink of the event log
    'core/loop/',                   # mailboxes, the log writer, the thread pool
    'core/health/server_state',     # pools whose counts must be exact
    'core/health/wait_queue',       # requests that wait, of all workers, in the order they came
    'edge/',                        # the cache store's sharded locks
    'daemon/',                      # start, reload and drain wait for workers
]
THREADS_ALLOWED = ['core/loop/', 'daemon/']

CLOCK = re.compile(r'\b(clock_gettime|gettimeofday|timespec_get|getrandom|random_device|(?:steady|system|'
                   r'high_resolution)_clock|std::time|s?rand|time)\b(?=\s*\(|\s*::)')
CLOCK_ALLOWED = ['core/base/clock']
TIME_CALL = re.compile(r'(?<![\w.>:])time\s*\(\s*(nullptr|NULL|0|&)')
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:<([^>]+)>|"([^"]+)")')


def room_of(path):
    parts = path.split('/')
    return '/'.join(parts[:2]) if parts[0] == 'core' else parts[0]


def within(path, allowed):
    return any(path.startswith(entry) for entry in allowed)


def check_system(path, room, header):
    for prefix, owners in LIBRARIES.items():
        if header.startswith(prefix) and room not in owners:
            yield f'<{header}> belongs to {", ".join(owners) or "nobody"}'
    if path.endswith('.hh') and header.startswith(HEAVY):
        yield f'<{header}> is heavy: include it in a source'
    if header in LOCKS and not within(path, LOCKS_ALLOWED):
        yield f'<{header}>: no lock may live here (LOCKS_ALLOWED)'
    if header == 'thread' and not within(path, THREADS_ALLOWED):
        yield '<thread>: threads belong to core/loop and daemon'
    if room in SOCKETLESS and header.startswith(SOCKETS):
        yield f'<{header}>: {room} knows no sockets'


def check_own(root, room, header):
    if not os.path.exists(os.path.join(root, header)):
        yield f'"{header}" is not a path from the root'
        return
    target = room_of(header)
    if target == room:
        return
    if target not in MAY_INCLUDE:
        yield f'"{header}" is in no room'
    elif target not in MAY_INCLUDE[room].split():
        yield f'{room} may not include {target} ("{header}")'


def check_file(root, path):
    room = room_of(path)
    if room not in MAY_INCLUDE:
        yield f'{path}:1: {room} is not a room of the plan'
        return
    text = read(root, path)
    for number, line in enumerate(code_only(text).splitlines(), 1):
        found = []
        include = INCLUDE.match(line)
        if include and include.group(1):
            found += check_system(path, room, include.group(1))
        elif include:
            found += check_own(root, room, include.group(2))
        else:
            match = CLOCK.search(line)
            if match and match.group(1) == 'time' and not TIME_CALL.search(line):
                match = None
            if match and not within(path, CLOCK_ALLOWED):
                found.append(f'{match.group(1)}: time and entropy are read in core/base/clock only')
            if re.search(r'\bthrow\b', line):
                found.append('throw: errors are values (Result<T>)')
            if re.search(r'\bco_(await|yield|return)\b', line):
                found.append('no coroutines')
        yield from (f'{path}:{number}: {what}' for what in found)
    if path.endswith('.hh') and not text.startswith('#pragma once'):
        yield f'{path}:1: a header begins with #pragma once'


def findings(root):
    return [finding for path in files(root, ROOMS_ABOVE, ('.cc', '.hh')) for finding in check_file(root, path)]


if __name__ == '__main__':
    report(findings(sys.argv[1]))
