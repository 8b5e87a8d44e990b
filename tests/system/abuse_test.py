"""Clients that mean harm, over HTTP/1: what others notice, and the memory. docs/limits.md says what holds it."""
import os
import sys
import time

import harness
import http2_frames as h2

FOLDER = os.path.dirname(os.path.abspath(__file__))
BUFFERS_MIB = 64
# Beside the buffers: the program itself, and what a connection, a request and a descriptor keep.
BASE_KIB, A_CONNECTION_KIB = 64 * 1024, 4
CONFIG = '''
[server]
name = "edge"
workers = 1
buffers = "{buffers} MiB"
{{control}}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{origin}"]
[[route]]
pool = "app"
[[route]]
path_exact = "/k"
respond = {{ status = 200, body = "{k}" }}
'''
# Kind, connections in `./dev test`, in full; what must be seen in the metrics.
KINDS = (('slowloris', 2000, 10_000, None),
         ('large heads that stall', 2000, 8000, None),
         ('slow read', 1500, 4000, 'portolan_slow_readers_cut_total'),
         ('idle connections', 2000, 8000, None),
         ('header flood', 1, 1, None),
         ('header flood, refused', 1, 1, None))


class Abuse(harness.Case):
    def setUp(self):
        super().setUp()

        def large(path):
            with open(path, 'wb') as file:
                file.truncate(64 << 20)
        origin = self.nginx({'large': large})
        self.edge = self.portolan(CONFIG.format(buffers=BUFFERS_MIB, origin=origin.port, k='k' * 1024),
                                  preexec_fn=lambda: os.sched_setaffinity(0, {0}))

    def attacker(self, kind, count):
        attacker = self.own(harness.Process(kind, [sys.executable, os.path.join(FOLDER, 'http1_attack.py'), self.edge.port,
                                                   kind, count, os.cpu_count() - 1], self.subfolder('attack')))
        return attacker.start()

    def p99_ms(self, kind, count):
        attacker = self.attacker(kind, count)
        # Its connections stand. While they come and memory is full nobody has read slowly yet: newcomers get 503.
        time.sleep(harness.scale(1.5, 4))
        took = []
        for _ in range(harness.scale(10, 100)):
            with harness.Client(self.edge.port) as client:
                for _ in range(20):
                    began = time.perf_counter()
                    self.assertEqual(client.request(target='/k').answer().status, 200)
                    took.append(time.perf_counter() - began)
        self.assertTrue(attacker.alive, attacker.output)
        attacker.kill()
        return sorted(took)[len(took) * 99 // 100] * 1000

    def test_leaves_others_their_speed_and_the_memory_bounded(self):
        told = []
        for kind, short, full, sign in KINDS:
            count, pairs = harness.scale(short, full), []
            for _ in range(4):                         # the machine has other things to do as well
                pairs.append((self.p99_ms(kind, count), self.p99_ms('idle program', 0)))
                if pairs[-1][0] <= 1.5 * pairs[-1][1] + 1:
                    break
            under, idle = pairs[-1]
            peak = self.edge.memory_kib('VmHWM')
            told.append(f'{kind}, {count}: {under:.2f} ms, beside an idle program {idle:.2f} ms, {peak >> 10} MiB')
            print(told[-1])
            with self.subTest(kind):
                self.assertLessEqual(under, 1.5 * idle + 5, told[-1])   # the scheduler's own milliseconds
                self.assertLess(peak, BASE_KIB + BUFFERS_MIB * 1024 + count * A_CONNECTION_KIB, told[-1])
                if sign:
                    self.assertGreater(self.edge.metric(sign), 0)

    def with_room_for(self, connections):
        self.edge.write(CONFIG.format(buffers=BUFFERS_MIB, origin=1, k='k').replace(
            'workers = 1', f'workers = 1\nmax_connections = {connections}'))
        self.edge.reload()

    def test_a_full_house_takes_in_new_clients(self):
        """The attacker holds every connection there is with heads that stall; others are served at once."""
        self.with_room_for(500)
        self.attacker('slowloris', 600)
        harness.wait_until(lambda: self.edge.metric('portolan_connections_evicted_total') > 100, 20, 'the house is full')
        for _ in range(50):
            with harness.Client(self.edge.port) as client:
                self.assertEqual(client.request(target='/k').answer().status, 200)
        self.assertGreater(self.edge.metric('portolan_connections_evicted_total', state='incomplete'), 0)

    def test_http2_connections_that_give_way_are_told(self):
        self.with_room_for(20)
        with h2.Frames(self.edge.port) as idle:
            idle.next(h2.SETTINGS)
            held = [harness.Client(self.edge.port) for _ in range(19)]
            idle.next(h2.GOAWAY)
            self.assertTrue(idle.closed())
        for client in held:
            client.close()

    def test_connections_get_fewer_streams_the_fuller_it_is(self):
        self.with_room_for(100)

        def streams():
            with h2.Frames(self.edge.port) as client:
                settings = client.next(h2.SETTINGS)[3]
                pairs = {settings[at:at + 2]: int.from_bytes(settings[at + 2:at + 6], 'big') for at in range(0, len(settings), 6)}
                return pairs[b'\0\3']
        self.assertEqual(streams(), 100)
        held = [harness.Client(self.edge.port) for _ in range(74)]
        harness.wait_until(lambda: self.edge.metric('portolan_connections') >= 74)
        self.assertIn(streams(), range(45, 55))
        held += [harness.Client(self.edge.port) for _ in range(40)]
        self.assertLess(streams(), 20)
        for client in held:
            client.close()


if __name__ == '__main__':
    harness.main()
