"""Servers that fail, close, stall or are full, with the whole program in front of them; slow clients; what checks expect."""
import os
import re
import select
import socket
import sys
import time

import harness
import pki
from http2_frames import DATA, END_HEADERS, END_STREAM, GET, HEADERS, RST_STREAM, WINDOW_UPDATE, Frames, block, frame

CONFIG = '''
[listener.http]
listen = ["127.0.0.1:{port}"]
[pool.app]
servers = [SERVERS]
POOL
[[route]]
pool = "app"
ROUTE
'''


def config(*ports, pool='', route='', more=''):
    servers = ', '.join(port if isinstance(port, str) else f'"127.0.0.1:{port}"' for port in ports)
    return CONFIG.replace('SERVERS', servers).replace('POOL', pool).replace('ROUTE', route) + more


class KeepAlive(harness.Case):
    def test_a_server_that_closes_at_random_costs_no_request_that_may_be_sent_again(self):
        port = harness.free_port()
        origin = self.own(harness.Process('origin', [sys.executable, '-u', os.path.join(
            harness.ROOT, 'tests/system/closing_origin.py'), port], self.folder))
        origin.start()
        harness.wait_until(lambda: harness.accepts(port), what=lambda: origin.output)
        edge = self.portolan(config(port))
        wanted, seen = harness.scale(10_000, 1_000_000), 0
        while seen < wanted:
            result = self.wrk(edge.port, seconds=harness.scale(3, 20), connections=32)
            self.assertEqual((result['errors'], result['non2xx']), ([0, 0, 0, 0], 0), result['text'])
            seen += result['requests']
        self.assertGreater(edge.metric('portolan_stale_connections_total', pool='app'), wanted / 10_000,
                           'the race never happened')

    def test_a_limit_that_a_server_has_is_learnt(self):
        """nginx says nothing of its two seconds: after it closed twice, its connections are ended before it does."""
        origin = self.nginx(locations='keepalive_timeout 2s;')
        edge = self.portolan(config(origin.port, more='[server]\nname = "e"\nworkers = 1\n{control}'))

        def idles():
            edge.get('/name')
            begin = time.monotonic()
            harness.wait_until(lambda: not self.open_to(edge.pid, origin.port), 5)
            return time.monotonic() - begin
        self.assertGreater(idles(), 1.85)
        self.assertGreater(idles(), 1.85)
        self.assertLess(idles(), 1.8)

    @staticmethod
    def open_to(pid, port):
        """Established connections of the process to that port of the loopback."""
        with open(f'/proc/{pid}/net/tcp', encoding='ascii') as file:
            return [line for line in file if re.search(rf'^\s*\d+: \S+ 0100007F:{port:04X} 01 ', line)]


class Ejection(harness.Case):
    def failing(self, status=None):
        """Closes without an answer, or answers with a status, while `failing`."""
        state = {'failing': True, 'seen': 0}

        def handler(client, _):
            while True:
                client.request_head()
                state['seen'] += 1
                if state['failing'] and status is None:
                    return
                code = status if state['failing'] else '200 OK'
                client.send(f'HTTP/1.1 {code}\r\nContent-Length: 0\r\n\r\n')
        return self.scripted(handler), state

    def test_one_failure_takes_nobody_out_and_many_do(self):
        bad, state = self.failing()
        good = self.echo('good')
        edge = self.portolan(config(bad.port, good.port, pool='eject = { time = "3s" }'))
        self.assertEqual(edge.get().status, 200)
        self.assertEqual(edge.get().status, 200)
        self.assertNotIn('ejected', edge.command('status'))
        self.assertEqual({edge.get().status for _ in range(40)}, {200}, 'retries hide it')
        harness.wait_until(lambda: 'ejected' in edge.command('status'), what=lambda: edge.command('status'))
        self.assertRegex(edge.command('status'), r'\d failed requests in a row, out for 3000 ms')
        seen = state['seen']
        for _ in range(20):
            edge.get()
        self.assertEqual(state['seen'], seen, 'an ejected server is left alone')
        server = f'127.0.0.1:{bad.port}'
        self.assertEqual(edge.metric('portolan_server_state', server=server, state='ejected'), 1)
        self.assertEqual(edge.metric('portolan_server_ejections_total', server=server), 1)
        self.assertRegex(edge.output, rf'event="server changed" pool=app server={server} state=ejected was=unknown reason="\d failed')
        state['failing'] = False
        harness.wait_until(lambda: 'ejected' not in edge.command('status'), 6)
        for _ in range(10):
            edge.get()
        self.assertGreater(state['seen'], seen)

    def test_of_all_servers_some_stay(self):
        origins = [self.failing()[0] for _ in range(4)]
        edge = self.portolan(config(*(origin.port for origin in origins), pool='retry = { attempts = 0 }'))
        self.assertEqual({edge.get().status for _ in range(100)}, {502}, 'they are asked, and never "no server"')
        self.assertLessEqual(edge.metric('portolan_server_state', state='ejected'), 2)
        self.assertIn('server not ejected', edge.output)

    def test_answers_count_where_they_are_named(self):
        bad, _ = self.failing('500 Internal Server Error')
        edge = self.portolan(config(bad.port, self.echo().port, pool='eject = { statuses = [500] }'))
        statuses = [edge.get().status for _ in range(30)]
        harness.wait_until(lambda: 'ejected' in edge.command('status'))
        self.assertGreaterEqual(statuses.count(500), 5)
        self.assertEqual({edge.get().status for _ in range(10)}, {200})
        self.assertIn('HTTP 500', edge.command('status'))

    def test_a_reload_keeps_it(self):
        bad, _ = self.failing()
        text = config(bad.port, self.echo().port)
        edge = self.portolan(text)
        for _ in range(20):
            edge.get()
        harness.wait_until(lambda: 'ejected' in edge.command('status'))
        edge.reload(text + '[[route]]\npath = "/new"\nrespond = {}\n')
        self.assertIn('ejected', edge.command('status'))
        self.assertEqual(edge.metric('portolan_server_ejections_total'), 1)


class Queue(harness.Case):
    def test_requests_wait_for_a_server_with_room_in_their_turn(self):
        origin = self.echo(delay=0.05)
        edge = self.portolan(config(f'{{ address = "127.0.0.1:{origin.port}", max_connections = 2 }}',
                                    pool='queue = { size = 30, timeout = "5s" }'))
        clients = [edge.client().request() for _ in range(20)]
        self.assertEqual({client.answer().status for client in clients}, {200})
        self.assertGreater(edge.metric('portolan_queued_requests_total', outcome='served'), 10)
        self.assertEqual(edge.metric('portolan_queue_length', pool='app'), 0)

    def test_no_longer_than_allowed_and_no_more_than_allowed(self):
        origin = self.echo(delay=3)
        edge = self.portolan(config(f'{{ address = "127.0.0.1:{origin.port}", max_connections = 1 }}',
                                    pool='queue = { size = 1, timeout = "500ms" }'))
        first = edge.client().request()
        harness.wait_until(lambda: edge.metric('portolan_server_in_flight') == 1)
        begin = time.monotonic()
        waits = edge.client().request()
        harness.wait_until(lambda: edge.metric('portolan_queue_length', pool='app') == 1)
        self.assertIn(', 1 waiting', edge.command('status'))
        refused = edge.get()
        self.assertEqual((refused.status, refused.get('Retry-After')), (503, '5'))
        self.assertLess(time.monotonic() - begin, 0.5)
        answer = waits.answer()
        self.assertEqual((answer.status, answer.get('Retry-After')), (503, '5'))
        self.assertGreater(time.monotonic() - begin, 0.45)
        self.assertEqual(first.answer().status, 200)

    def test_under_load_over_all_workers_nobody_is_forgotten(self):
        origin = self.nginx()
        edge = self.portolan(config(f'{{ address = "127.0.0.1:{origin.port}", max_connections = 4 }}',
                                    pool='queue = { size = 1000, timeout = "5s" }'))
        result = self.wrk(edge.port, '/name', harness.scale(3, 20), 100)
        self.assertEqual((result['errors'], result['non2xx']), ([0, 0, 0, 0], 0), result['text'])
        self.assertGreater(edge.metric('portolan_queued_requests_total', outcome='served'), 100)
        harness.wait_until(lambda: edge.metric('portolan_server_in_flight') == 0)


class Hedging(harness.Case):
    def test_a_frozen_server_costs_little(self):
        slow, quick = self.nginx(name='slow'), self.nginx(name='quick')
        edge = self.portolan(config(slow.port, quick.port, route='hedge = { after = "50ms" }'))
        self.assertEqual({edge.get('/name').body for _ in range(10)}, {b'slow\n', b'quick\n'})
        slow.freeze()
        begin = time.monotonic()
        self.assertEqual({edge.get('/name').body for _ in range(10)}, {b'quick\n'})
        self.assertLess(time.monotonic() - begin, 5)
        self.assertGreater(edge.metric('portolan_hedges_won_total', pool='app'), 0)
        slow.thaw()


class Statuses(harness.Case):
    def test_are_tried_elsewhere_where_they_are_named(self):
        bad = self.nginx(name='bad', locations='location /busy { return 503 "bad"; }')
        good = self.nginx(name='good', locations='location /busy { return 200 "good"; }')
        edge = self.portolan(config(bad.port, good.port, pool='retry = { statuses = [502, 503, 504] }'))
        self.assertEqual({edge.get('/busy').body for _ in range(10)}, {b'good'})
        self.assertEqual({edge.get('/busy', method='POST', body=b'x').status for _ in range(10)}, {200, 503})


class SlowClients(harness.Case):
    MORE = '[timeouts]\nmin_rate_after = "1s"\n'

    def test_an_upload_that_takes_long_is_let_be(self):
        edge = self.portolan(config(self.echo().port, more=self.MORE))
        with edge.client() as client:
            client.request('POST', fields={'Content-Length': '6000'})
            for _ in range(30):
                client.send(b'x' * 200)                # 1,000 bytes a second, for six times min_rate_after
                time.sleep(0.2)
            self.assertEqual(client.answer().status, 200)

    def test_an_upload_of_drops_is_ended(self):
        edge = self.portolan(config(self.echo().port, more=self.MORE))
        with edge.client() as client:
            client.request('POST', fields={'Content-Length': '6000'})
            begin = time.monotonic()
            while not select.select([client.socket], [], [], 0.1)[0]:
                client.send(b'x')
                self.assertLess(time.monotonic() - begin, 5)
            self.assertEqual(client.answer().status, 408)
            self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertEqual(edge.metric('portolan_slow_clients_total', body='request'), 1)

    def reader(self, edge):
        """Of a large answer, with a small buffer."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(('127.0.0.1', edge.port))
        raw.sendall(b'GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
        return raw

    def large(self):
        return self.nginx(files={'large': lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 64 << 20)})

    def test_a_slow_reader_is_let_be(self):
        """The kernel holds megabytes for it and takes no more for minutes; what the client takes of them counts."""
        edge = self.portolan(config(self.large().port, more=self.MORE + 'idle = "3s"\n'))
        with self.reader(edge) as raw:
            for _ in range(80):
                self.assertNotEqual(raw.recv(1000), b'')   # 10,000 bytes a second
                time.sleep(0.1)
        self.assertEqual(edge.metric('portolan_slow_clients_total'), 0)

    def test_a_reader_of_drops_is_ended(self):
        edge = self.portolan(config(self.large().port, more=self.MORE))
        begin = time.monotonic()
        with self.reader(edge) as raw:
            while edge.metric('portolan_slow_clients_total', body='answer') == 0:
                raw.recv(10)
                time.sleep(0.1)
                self.assertLess(time.monotonic() - begin, 10)


    def test_over_http2_drops_are_ended_either_way(self):
        origin = self.nginx(files={'large': lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 20)})
        edge = self.portolan(config(origin.port, more=self.MORE))

        def drops(send, wanted):
            """Sends one again and again until a frame of that type comes; how long that took."""
            begin, peer.buffer = time.monotonic(), b''
            peer.socket.settimeout(0.2)
            while time.monotonic() - begin < 10:
                peer.send(send)
                try:
                    while peer.next(wanted)[2] != 1:
                        pass
                    return time.monotonic() - begin
                except TimeoutError:
                    peer.buffer = b''
            return self.fail('it is not ended')
        with Frames(edge.port) as peer:
            get = block(*GET[:2], ('__path', '/large'), GET[3])
            peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, get))
            peer.next(HEADERS)
            for _ in range(100):
                if peer.next(DATA)[3] and len(peer.buffer) == 0 and not self.more(peer):
                    break
            self.assertLess(drops(frame(WINDOW_UPDATE, 0, 1, b'\0\0\0\1'), RST_STREAM), 5)
        post = block(('__method', 'POST'), *GET[1:], ('content-length', '6000'))
        with Frames(edge.port) as peer:
            peer.send(frame(HEADERS, END_HEADERS, 1, post))
            self.assertLess(drops(frame(DATA, 0, 1, b'x'), HEADERS), 5)

    @staticmethod
    def more(peer):
        """Whether bytes come within a moment."""
        return bool(select.select([peer.socket], [], [], 0.3)[0])


class Checks(harness.Case):
    def state(self, pool, *origins):
        edge = self.portolan(config(*(o.port for o in origins), pool=pool), name=f'edge{len(self.processes)}')
        return lambda: re.findall(r'127\.0\.0\.1:\d+ +(up|down|unknown) ', edge.command('status'))

    def test_expect_a_status_a_field_and_a_part_of_the_body(self):
        origin = self.nginx(locations='location = /state { add_header X-State ready; return 200 "all is well"; } '
                                      'location = /odd { return 418; }')
        for check, good in (('http = "/odd", expect_status = 418', True), ('http = "/odd", expect_status = "400-417"', False),
                            ('http = "/state", expect_header = "X-State: ready"', True),
                            ('http = "/state", expect_header = "X-State: busy"', False),
                            ('http = "/state", expect_body = "is well"', True),
                            ('http = "/state", expect_body = "is ill"', False),
                            ('http = "/state", method = "HEAD"', True)):
            with self.subTest(check):
                status = self.state(f'health = {{ {check}, interval = "50ms", fall = 2 }}', origin)
                harness.wait_until(lambda status=status, good=good: status() == ['up' if good else 'down'], what=status)

    def test_have_a_port_of_their_own(self):
        site, admin = self.nginx(), self.nginx()
        status = self.state(f'health = {{ http = "/healthz", port = {admin.port}, interval = "50ms", fall = 2, rise = 1 }}', site)
        harness.wait_until(lambda: status() == ['up'], what=status)
        admin.kill()
        harness.wait_until(lambda: status() == ['down'], what=status)

    def test_speak_https_though_the_pool_does_not(self):
        authority = pki.Authority(self.folder)
        certificate = authority.issue('origin.pem', 'app.internal')
        port = harness.free_port()
        origin = self.nginx(locations=f'listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate};')
        for name, state in (('app.internal', 'up'), ('wrong.internal', 'down')):
            tls = f'tls = {{ ca = "{authority.file}", name = "{name}" }}'
            status = self.state(f'health = {{ http = "/healthz", port = {port}, {tls}, interval = "50ms", fall = 2 }}', origin)
            harness.wait_until(lambda status=status, state=state: status() == [state], what=status)


if __name__ == '__main__':
    harness.main()
