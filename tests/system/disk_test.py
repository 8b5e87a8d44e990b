"""The disk tier: warm after kill -9, and never in the way of a request."""
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import harness

CONFIG = '''
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{port}"]
[[route]]
pool = "app"
cache = "edge"
[cache.edge]
memory = "{memory} MiB"
disk = {{ path = "{path}", size = "{size} MiB" }}
'''
OBJECTS = 600


def size_of(number):
    return (number * 7919) % 5000 if number % 3 else (number * 104729) % 400_000


def body_of(number):
    """Bytes that no other object has."""
    seed = hashlib.sha256(b'%d' % number).digest()
    return (seed * (size_of(number) // 32 + 1))[:size_of(number)]


def origin(client, _):
    with contextlib.suppress(OSError):
        while True:
            number = int(client.request_head()[1].rpartition('/')[2])
            body = body_of(number)
            client.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\nETag: "%d"\r\nContent-Length: %d\r\n\r\n' %
                        (number, len(body)) + body)


class Load:
    """Clients that ask for random objects and check every byte; who was answered when is in `stored` (by number)."""

    def __init__(self, port, stored, seed, clients=4, churn=False):
        self.port, self.stored, self.over, self.churn = port, stored, threading.Event(), churn
        self.wrong, self.failed, self.done, self.first_hit_s = [], [], 0, None
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.run, args=(random.Random(f'{seed} {n}'),)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, rng):
        connection = None
        while not self.over.is_set():
            number = rng.randrange(OBJECTS if not self.churn or rng.random() < 0.5 else 1_000_000)
            try:
                connection = connection or harness.Client(self.port)
                answer = connection.request('GET', f'/o/{number}').answer()
            except (OSError, AssertionError, EOFError, ValueError) as error:
                if not self.over.is_set():
                    self.failed.append(repr(error))
                connection = None
                continue
            if answer.status != 200 or answer.body != body_of(number):
                self.wrong.append((number, answer.status, len(answer.body)))
            self.done += 1
            hit = '; hit' in (answer['Cache-Status'] or '')
            if hit and self.first_hit_s is None:
                self.first_hit_s = time.monotonic() - self.began
            self.stored.setdefault(number, time.monotonic())

    def stop(self):
        self.over.set()

    def join(self):
        for thread in self.threads:
            thread.join(30)


class Killed(harness.Case):
    def test_warm_after_kill_9_again_and_again(self):
        """At random points under load: no wrong byte, and what was stored a second before is there."""
        cycles, rng, stored = harness.scale(50, 1000), random.Random(5), {}
        server = self.scripted(origin)
        config = CONFIG.format(port=server.port, memory=16, path=f'{self.folder}/store', size=512)
        edge = self.portolan(config)
        kept = asked = 0
        slowest = 0.0
        for cycle in range(cycles):
            load = Load(edge.port, stored, cycle)
            time.sleep(rng.uniform(0.1, harness.scale(1.2, 2.0)))
            load.stop()                                     # what fails from here on is the kill's
            killed = time.monotonic()
            os.kill(edge.child.pid, signal.SIGKILL)
            load.join()
            edge.child.wait()
            self.assertEqual((load.wrong, load.failed), ([], []), f'cycle {cycle}')
            began = time.monotonic()
            edge.begin()
            expected = [n for n, when in stored.items() if when < killed - 1]
            first = True
            for number in rng.sample(expected, min(len(expected), harness.scale(30, 60))):
                answer = edge.get(f'/o/{number}')
                self.assertEqual(answer.body, body_of(number), f'object {number}, cycle {cycle}')
                asked += 1
                if '; hit' in answer['Cache-Status']:
                    if first:
                        slowest = max(slowest, time.monotonic() - began)
                    first = False
                    kept += 1
        print(f'\n  {cycles} kills: {kept} of {asked} objects were still there, the first hit came after '
              f'{slowest * 1000:.0f} ms at most', file=sys.stderr)
        self.assertGreaterEqual(kept, 0.99 * asked)
        self.assertLessEqual(slowest, 1.0)

    def test_a_restart_in_good_order_keeps_everything(self):
        server = self.scripted(origin)
        edge = self.portolan(CONFIG.format(port=server.port, memory=16, path=f'{self.folder}/store', size=512))
        for number in range(100):
            edge.get(f'/o/{number}')
        edge.stop()
        edge.begin()
        for number in range(100):
            answer = edge.get(f'/o/{number}')
            self.assertIn('; hit', answer['Cache-Status'])
            self.assertEqual(answer.body, body_of(number))

    def test_another_size_keeps_what_fits(self):
        server = self.scripted(origin)
        shape = CONFIG.format(port=server.port, memory=16, path=f'{self.folder}/store', size='{size}')
        edge = self.portolan(shape.replace('{size}', '512'))
        for number in range(50):
            edge.get(f'/o/{number}')
        edge.reload(shape.replace('{size}', '1024'))
        edge.stop()
        edge.begin()
        hits = sum('; hit' in edge.get(f'/o/{number}')['Cache-Status'] for number in range(50))
        self.assertGreaterEqual(hits, 49)


class Verification(harness.Case):
    NUMBERS = range(1, 60)
    DAMAGED = 7

    def setUp(self):
        super().setUp()
        self.path = f'{self.folder}/store'
        self.server = self.scripted(origin)

    def stored(self):
        """A daemon whose store has all objects."""
        edge = self.portolan(CONFIG.format(port=self.server.port, memory=16, path=self.path, size=512))
        for number in self.NUMBERS:
            edge.get(f'/o/{number}')
        harness.wait_until(lambda: edge.metric('portolan_cache_disk_writes_total', cache='edge') == len(self.NUMBERS), 10)
        return edge

    def verify(self, *options):
        return subprocess.run([harness.BINARY, 'cache', 'verify', '--store', self.path, *options], capture_output=True,
                              text=True, timeout=60, check=False)

    def damage(self, number):
        """One bit in the middle of the body."""
        body = body_of(number)
        with open(f'{self.path}/data', 'r+b') as data:
            at = data.read().index(body) + len(body) // 2
            data.seek(at)
            byte = data.read(1)[0]
            data.seek(at)
            data.write(bytes([byte ^ 4]))

    def test_every_record_is_checked(self):
        edge = self.stored()
        whole = f'{len(self.NUMBERS)} records, {sum(map(size_of, self.NUMBERS)) / (1 << 20):.1f} MiB, none damaged'
        self.assertEqual(edge.command('cache', 'verify'), f'edge: {whole}\n')
        opened = self.verify()
        self.assertEqual((opened.returncode, opened.stdout), (2, ''))
        self.assertIn('a daemon has it open', opened.stderr)
        edge.stop()
        closed = self.verify()
        self.assertEqual((closed.returncode, closed.stdout), (0, f'{self.path}: {whole}\n'), closed.stderr)
        self.assertRegex(self.verify('--sizes').stdout, r'under 1.0 MiB +\d+')

        self.damage(self.DAMAGED)
        closed = self.verify('--json')
        self.assertEqual(closed.returncode, 1, closed.stderr)
        found = json.loads(closed.stdout)['stores'][0]
        self.assertEqual((found['records'], found['damaged']), (len(self.NUMBERS), 1))
        self.assertEqual(sum(segment['damaged'] for segment in found['segments']), 1)

        edge.begin()
        online = edge.command('cache', 'verify', '--cache', 'edge', '--json', check=False)
        self.assertEqual(online.returncode, 1, online.stderr)
        found = json.loads(online.stdout)['stores'][0]
        self.assertEqual((found['name'], found['damaged'], found['failure']), ('edge', 1, ''))
        self.assertEqual(sum(segment['current'] for segment in found['segments']), len(self.NUMBERS) - 1)
        self.assertEqual(edge.metric('portolan_cache_disk_damaged_total', cache='edge'), 1)
        for number in self.NUMBERS:
            answer = edge.get(f'/o/{number}')
            self.assertEqual(answer.body, body_of(number))
            self.assertEqual('; hit' in answer['Cache-Status'], number != self.DAMAGED, number)
        self.assertIn('; hit', edge.get(f'/o/{self.DAMAGED}')['Cache-Status'])

    def test_the_disk_in_counts(self):
        edge = self.stored()
        disk = json.loads(edge.command('cache', 'stats', '--json'))['caches'][0]['disk']
        self.assertEqual((disk['state'], disk['reason'], disk['objects'], disk['size'], disk['damaged']),
                         ('serving', '', len(self.NUMBERS), 512 << 20, 0))
        self.assertEqual(edge.metric('portolan_cache_disk_objects', cache='edge'), len(self.NUMBERS))
        self.assertEqual(edge.metric('portolan_cache_disk_serving', cache='edge'), 1)
        self.assertRegex(edge.command('cache', 'stats'), r'\ndisk +serving\n')
        segments = json.loads(edge.command('cache', 'stats', '--segments', '--json'))['caches'][0]['segments']
        self.assertEqual(sum(segment['objects'] for segment in segments), len(self.NUMBERS))
        self.assertIn('under a minute', edge.command('cache', 'stats', '--segments'))

    def test_without_a_disk_there_is_nothing_to_check(self):
        edge = self.portolan(CONFIG.format(port=self.server.port, memory=16, path=self.path, size=512).replace(
            'disk =', '# disk ='))
        done = edge.command('cache', 'verify', check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (2, '', 'portolan: no cache has a disk\n'))
        self.assertEqual(self.verify().returncode, 2)


PROBE = '''
function delay() return 2 end
function done(_, latency, _) io.write(string.format("PROBE %f %f\\n", latency:percentile(99), latency.max)) end
'''


class Failures(harness.Case):
    """No failure of the disk costs an answer, or those from memory their time."""

    def config(self, path, size=512):
        return CONFIG.format(port=self.scripted(origin).port, memory=16, path=path, size=size)

    def mount(self, size):
        mount = f'{self.folder}/mount'
        os.mkdir(mount)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}m', 'none', mount], check=False,
                          capture_output=True).returncode:
            self.skipTest('mounting takes rights that are not here')
        self.addCleanup(subprocess.run, ['umount', '-l', mount], check=False)
        return mount

    def probe(self, edge, seconds):
        """The 99th percentile and the longest of answers from memory, asked for every two milliseconds, in ms."""
        script = f'{self.folder}/probe.lua'
        with open(script, 'w', encoding='ascii') as file:
            file.write(PROBE)
        text = self.wrk(edge.port, '/o/1', seconds, connections=1, script=script)['text']
        return [float(us) / 1000 for us in re.search(r'PROBE (\S+) (\S+)', text).groups()]

    def fail_under_load(self, edge, failure, said):
        load = Load(edge.port, {}, 1, clients=2, churn=True)
        time.sleep(1)
        before = self.probe(edge, harness.scale(2, 20))
        failure()
        during = self.probe(edge, harness.scale(3, 30))
        harness.wait_until(lambda: re.search(said, edge.output), 20, f'"{said}" in the log')
        load.stop()
        load.join()
        print(f'memory hits: 99 % within {before[0]:.2f} ms, {during[0]:.2f} with the failure; '
              f'the longest {before[1]:.1f} and {during[1]:.1f} ms', file=sys.stderr)
        self.assertEqual((load.wrong, load.failed), ([], []))
        self.assertLessEqual(during[0], 1.5 * before[0] + harness.scale(30, 2))       # for a machine that is busy with others
        return during

    def state(self, edge):
        return edge.command('cache', 'stats')

    def test_a_full_disk(self):
        """A small tmpfs that others fill up."""
        mount = self.mount(300)
        edge = self.portolan(self.config(f'{mount}/store'))

        def fill():
            with open(f'{mount}/others', 'wb') as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 20))
        self.fail_under_load(edge, fill, 'has no room for all of')

    def test_a_directory_that_vanishes(self):
        path = f'{self.folder}/store'
        edge = self.portolan(self.config(path))
        self.fail_under_load(edge, lambda: shutil.rmtree(path, ignore_errors=True), 'goes on without its disk.* is gone')

    def test_a_file_system_that_becomes_read_only(self):
        """As ext4 does when it finds that something is wrong with it."""
        image, mount = f'{self.folder}/image', f'{self.folder}/mount'
        os.mkdir(mount)
        with open(image, 'xb') as file:
            file.truncate(600 << 20)
        for command in (['mkfs.ext4', '-q', image], ['mount', '-o', 'loop,errors=remount-ro', image, mount]):
            if subprocess.run(command, check=False, capture_output=True, env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}).returncode:
                self.skipTest(f'{command[0]} takes rights that are not here')
        self.addCleanup(subprocess.run, ['umount', '-l', mount], check=False)
        device = os.path.basename(os.path.realpath(subprocess.run(
            ['findmnt', '-n', '-o', 'SOURCE', mount], check=True, capture_output=True, text=True).stdout.strip()))
        edge = self.portolan(self.config(f'{mount}/store'))

        def fail():
            # What is about to be written at that moment the kernel forgets.
            writing = threading.Thread(target=os.sync)
            writing.start()
            with open(f'/sys/fs/ext4/{device}/trigger_fs_error', 'w', encoding='ascii') as file:
                file.write('a test')
            writing.join()
        self.fail_under_load(edge, fail, 'goes on without its disk.*Read-only')

    def test_a_disk_that_takes_a_second_for_everything(self):
        path, reason = f'{self.folder}/store', f'{self.folder}/stalled'
        edge = self.portolan(self.config(path), env=os.environ | {
            'LD_PRELOAD': self.stalled_disk(), 'STALLED_STORE': path, 'STALLED_WHILE': reason})
        self.addCleanup(lambda: os.path.exists(reason) and os.remove(reason))
        longest = self.fail_under_load(edge, lambda: open(reason, 'x', encoding='ascii').close(),
                                       "goes on without its disk.*doesn't answer")[1]
        self.assertLess(longest, 900, 'a worker waited for the disk')
        os.remove(reason)
        harness.wait_until(lambda: 'is aside' not in self.state(edge), 30)

    def test_a_disk_that_stalls_holds_no_other_up(self):
        """Neither another cache's disk nor its purges."""
        path, reason = f'{self.folder}/store', f'{self.folder}/stalled'
        config = self.config(path) + f'''
[[route]]
path = "/other"
pool = "app"
cache = "other"
[cache.other]
memory = "16 MiB"
disk = {{ path = "{self.folder}/other", size = "256 MiB" }}
'''
        edge = self.portolan(config, env=os.environ | {
            'LD_PRELOAD': self.stalled_disk(), 'STALLED_STORE': path, 'STALLED_WHILE': reason})
        self.addCleanup(lambda: os.path.exists(reason) and os.remove(reason))
        load = Load(edge.port, {}, 1, clients=8, churn=True)
        time.sleep(harness.scale(2, 10))
        edge.get('/other/1')
        before = self.longest_purge(edge)
        open(reason, 'x', encoding='ascii').close()
        during = self.longest_purge(edge)
        load.stop()
        load.join()
        os.remove(reason)
        print(f'a purge took {before:.0f} ms, and {during:.0f} beside a disk that stalls', file=sys.stderr)
        self.assertEqual((load.wrong, load.failed), ([], []))
        self.assertLess(during, before + 500)

    def test_a_reload_waits_for_no_disk(self):
        """One that stalls gets another size, and is taken away: what the daemon does besides goes on."""
        path, reason = f'{self.folder}/store', f'{self.folder}/stalled'
        config = self.config(path)
        edge = self.portolan(config, env=os.environ | {
            'LD_PRELOAD': self.stalled_disk(), 'STALLED_STORE': path, 'STALLED_WHILE': reason})
        self.addCleanup(lambda: os.path.exists(reason) and os.remove(reason))
        load = Load(edge.port, {}, 1, clients=8, churn=True)
        time.sleep(harness.scale(2, 10))
        open(reason, 'x', encoding='ascii').close()
        time.sleep(1)
        began = time.monotonic()
        edge.reload(config.replace('size = "', 'size = "1'))
        edge.command('cache', 'stats')
        took = time.monotonic() - began
        load.stop()
        load.join()
        os.remove(reason)
        print(f'a reload beside a disk that stalls took {took:.2f} s', file=sys.stderr)
        self.assertLess(took, 3)
        harness.wait_until(lambda: edge.output.count('disk tier serves') > 1, 30)

    def longest_purge(self, edge):
        took = []
        end = time.monotonic() + 3
        while time.monotonic() < end:
            began = time.monotonic()
            edge.command('purge', '--cache', 'other', 'http://127.0.0.1/other/1')
            took.append((time.monotonic() - began) * 1000)
        return max(took)

    def stalled_disk(self):
        library = f'{self.folder}/stalled_disk.so'
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'stalled_disk.c')
        subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-o', library, source], check=True)
        return library

    def test_a_place_that_cannot_be_written_is_said(self):
        edge = self.portolan(self.config('/proc/portolan'))
        self.assertEqual(edge.get('/o/1').body, body_of(1))
        harness.wait_until(lambda: 'goes on without its disk' in edge.output, 10)
        self.assertIn('; hit', edge.get('/o/1')['Cache-Status'])
        done = edge.command('cache', 'verify', check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('edge: not checked: ', done.stderr)
        self.assertIn('the disk of edge is aside: ', self.state(edge))


if __name__ == '__main__':
    harness.main()
