"""The proxy: who is asked, what travels, and what happens when servers or clients misbehave."""
import contextlib
import json
import struct
import threading
import time

import harness


def config(servers, pool='', route='', listener='', more=''):
    listed = ', '.join(server if server.startswith('{') else f'"{server}"' for server in servers)
    return f'''
[listener.http]
listen = ["127.0.0.1:{{port}}"]
{listener}
[pool.app]
servers = [{listed}]
{pool}
[[route]]
pool = "app"
{route}
{more}
'''


def at(*origins):
    return [f'127.0.0.1:{origin.port}' for origin in origins]


def server(port, **keys):
    written = ''.join(f', {key} = {json.dumps(value)}' for key, value in keys.items())
    return f'{{ address = "127.0.0.1:{port}"{written} }}'


def said(answer):
    """What an echo origin was asked: its JSON, with the fields as an Answer to look in."""
    value = json.loads(answer.body)
    return value, harness.Answer(0, '', [tuple(pair) for pair in value['fields']], b'')


class Travels(harness.Case):
    def test_hop_by_hop_fields_do_not(self):
        edge = self.portolan(config(at(self.echo())))
        answer = edge.get(fields={'Connection': 'X-Mine', 'X-Mine': '1', 'Keep-Alive': 'x', 'TE': 'gzip', 'X-Kept': '2',
                                  'Proxy-Connection': 'keep-alive'})
        _, fields = said(answer)
        for name in ('X-Mine', 'Keep-Alive', 'TE', 'Proxy-Connection'):
            self.assertIsNone(fields.get(name), name)
        self.assertEqual(fields['X-Kept'], '2')
        self.assertRegex(fields['Via'], r'^1\.1 ')

    def test_absolute_form_agrees_with_host(self):
        edge = self.portolan(config(at(self.echo())))
        asked, fields = said(edge.get('http://other.example/path?q', name='other.example'))
        self.assertEqual((asked['target'], fields['Host']), ('/path?q', 'other.example'))
        self.assertEqual(edge.get('http://other.example/path?q').status, 400)

    def test_host_is_needed_once(self):
        edge = self.portolan(config(at(self.echo())))
        for head in ('GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
                     'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'):
            with edge.client() as client:
                self.assertEqual(client.send(head).answer().status, 400)
                self.assertTrue(client.closed())

    def test_ambiguous_framing_reaches_nobody(self):
        origin = self.echo()
        edge = self.portolan(config(at(origin)))
        for fields in ('Content-Length: 3\r\nTransfer-Encoding: chunked', 'Content-Length: 3\r\nContent-Length: 4',
                       'Content-Length: +3', 'Transfer-Encoding: xchunked', 'Transfer-Encoding : chunked',
                       'X: a\r\n b', 'Content-Length: 3,4'):
            with self.subTest(fields), edge.client() as client:
                answer = client.send(f'POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n').answer()
                self.assertIn(answer.status, (400, 501))
                self.assertTrue(client.closed())
        self.assertEqual(origin.connections, 0)

    def test_too_long(self):
        edge = self.portolan(config(at(self.echo())))
        self.assertEqual(edge.get('/' + 'a' * 200_000).status, 414)
        self.assertEqual(edge.get(fields={'X': 'a' * 200_000}).status, 431)

    def test_expect_100_continue(self):
        edge = self.portolan(config(at(self.echo())))
        with edge.client() as client:
            client.request('POST', fields={'Content-Length': '5', 'Expect': '100-continue'})
            self.assertEqual(client.head()[0], 100)
            self.assertEqual(said(client.send(b'hello').answer())[0]['body_size'], 5)

    def test_trailers_and_interim_answers(self):
        def handler(client, _):
            client.request_head()
            client.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
                        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n'
                        '3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n')
        edge = self.portolan(config(at(self.scripted(handler))))
        with edge.client() as client:
            interim = []
            answer = client.request(fields={'TE': 'trailers'}).answer(interim=interim)
            self.assertEqual([item.status for item in interim], [103])
            self.assertEqual((answer.body, answer.trailers), (b'abc', [('X-Sum', '6')]))

    def test_a_malformed_answer_is_502(self):
        for bad in ('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na', 'nonsense\r\n\r\n',
                    'HTTP/1.1 200 OK\r\nX : y\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello'):
            with self.subTest(bad):
                def handler(client, _, bad=bad):
                    client.request_head()
                    client.send(bad)
                edge = self.portolan(config(at(self.scripted(handler)), pool='retry = { attempts = 0 }'))
                self.assertEqual(edge.get().status, 502)

    def test_backpressure(self):
        """A client that doesn't read holds the origin back, not the memory up."""
        size = harness.scale(256, 2048) << 20
        sent = [0]

        def handler(client, _):
            client.request_head()
            client.send(f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n')
            block = b'x' * (1 << 20)
            while sent[0] < size:
                client.send(block)
                sent[0] += len(block)
        edge = self.portolan(config(at(self.scripted(handler))))
        with edge.client() as client:
            client.request().head()
            time.sleep(2)
            self.assertLess(sent[0], 64 << 20)
            self.assertLess(edge.memory_kib(), 96 << 10)
            self.assertEqual(len(client.exactly(size)), size)


class Hostile(harness.Case):
    """What bad input gets: the exact refusal, the connection closed, nothing forwarded."""

    REFUSED = {
        'no version': ('GET /\r\n\r\n', 400),
        'a version of its own': ('GET / HTTP/3.7\r\nHost: a\r\n\r\n', 505),
        'two spaces': ('GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        'a method of no token': ('G(T / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        'a fragment': ('GET /#a HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        'a relative target': ('GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        'a NUL in a value': ('GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400),
        'a bare CR in a value': ('GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', 400),
        'bare LF': ('GET / HTTP/1.1\nHost: a\n\n', 400),
        'a field without a colon': ('GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n', 400),
        'an empty field name': ('GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n', 400),
        'whitespace before the first field': ('GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400),
        'a length over 64 bits': ('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n', 400),
        'a negative length': ('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400),
        'a coding nobody knows': ('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501),
        'chunked not last': ('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n', 400),
        'chunked twice': ('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n', 400),
        'chunked in 1.0': ('POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
        'CONNECT': ('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405),
        'an expectation nobody meets': ('GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n', 417),
        'TLS': ('\x16\3\1\2\0\1\0\1\xfc\3\3\r\n\r\n', 400),
        'HTTP/2': ('GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505),
    }

    def test_malformed_requests(self):
        origin = self.echo()
        edge = self.portolan(config(at(origin)))
        for what, (sent, status) in self.REFUSED.items():
            with self.subTest(what), edge.client() as client:
                answer = client.send(sent).answer()
                if status not in (405, 417):                       # well-formed, only unwanted
                    self.assertTrue(client.closed())
                self.assertEqual(answer.status, status)
        self.assertEqual(origin.connections, 0, 'nothing is forwarded')
        self.assertEqual(len(edge.access_lines(least=len(self.REFUSED))), len(self.REFUSED), 'all are logged')

    def test_a_chunked_body_that_breaks(self):
        """What is wrong in a body: 400, and the server's request is never completed."""
        whole = []

        def handler(client, _):
            fields = client.request_head()[2]
            whole.append(client.request_body(fields))
            client.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        edge = self.portolan(config(at(self.scripted(handler))))
        for body in ('zz\r\n', '3\r\nabcd\r\n0\r\n\r\n', '-1\r\n', '3\nabc\n', '0x3\r\nabc\r\n', 'fffffffffffffffff\r\n',
                     '3\r\nabc\r\n0\r\nbad trailer\r\n\r\n', '3 ;\r\n'):
            with self.subTest(body), edge.client() as client:
                client.request('POST', fields={'Transfer-Encoding': 'chunked'}).send(body)
                self.assertEqual(client.answer().status, 400)
                self.assertTrue(client.closed())
        self.assertEqual(whole, [])

    def test_what_follows_a_refusal_is_not_read(self):
        origin = self.echo()
        edge = self.portolan(config(at(origin)))
        with edge.client() as client:
            client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n'
                        '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
            self.assertEqual(client.answer().status, 400)
            self.assertEqual(client.rest(), b'')
        self.assertEqual(origin.connections, 0)

    def test_malformed_answers(self):
        """502 each, and the connection is not used again."""
        answers = ('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
                   'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n', 'HTTP/1.1 20 OK\r\n\r\n', 'HTTP/2 200 OK\r\n\r\n',
                   'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n',
                   'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc',
                   'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'HTTP/1.1 200 OK\r\n Folded: a\r\n\r\n',
                   'HTTP/1.1 200 OK\r\n' + 'X: ' + 'a' * 200_000 + '\r\n\r\n', '\0' * 100_000, '')
        current = ['']

        def handler(client, _):
            while True:
                client.request_head()
                client.send(current[0])
                if not current[0]:
                    return
        origin = self.scripted(handler)
        edge = self.portolan(config(at(origin), pool='retry = { attempts = 0 }'))
        for n, bad in enumerate(answers):
            with self.subTest(bad[:60]):
                current[0] = bad
                self.assertEqual(edge.get().status, 502)
                self.assertEqual(origin.connections, n + 1)

    def test_a_chunked_answer_that_breaks_is_cut(self):
        def handler(client, _):
            client.request_head()
            client.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n')
        edge = self.portolan(config(at(self.scripted(handler))))
        with edge.client() as client, self.assertRaises(ConnectionError):
            client.request().answer()
        self.assertEqual(edge.metric('portolan_responses_cut_total'), 1)

    def test_slow_clients_hold_nobody_up(self):
        """A hundred that send drop by drop and a hundred that don't read: others are served, and the slow are closed."""
        edge = self.portolan(config(at(self.nginx({'big': b'x' * (8 << 20)})),
                                    more='[timeouts]\nheader = "2s"\nidle = "2s"\nkeepalive = "2s"'))
        slow = [edge.client().send('GET / HTTP/1.1\r\nX: ') for _ in range(100)]
        deaf = [edge.client().request(target='/big') for _ in range(20)]
        silent = [edge.client() for _ in range(50)]
        for _ in range(20):
            self.assertEqual(edge.get('/name').status, 200)
        harness.wait_until(lambda: edge.metric('portolan_connections') <= 1, 10, 'all closed')
        for client in slow + deaf + silent:
            client.close()
        self.assertLess(edge.memory_kib(), 96 << 10)

    def test_an_endless_head(self):
        origin = self.echo()
        edge = self.portolan(config(at(origin)))
        for first, status in (('GET / HTTP/1.1\r\nHost: a\r\n', 431), ('GET /', 414)):
            with edge.client() as client:
                client.send(first)
                with contextlib.suppress(OSError):
                    for n in range(100_000):
                        client.send(b'X-%d: y\r\n' % n if status == 431 else b'a' * 100)
                        if n > 5000:
                            break
                self.assertEqual(client.answer().status, status)
        self.assertEqual(origin.connections, 0)


class Address(harness.Case):
    def test_forwarded_fields_are_replaced(self):
        edge = self.portolan(config(at(self.echo())))
        _, fields = said(edge.get(fields={'X-Forwarded-For': '203.0.113.9', 'Forwarded': 'for=203.0.113.9'}))
        self.assertEqual(fields['X-Forwarded-For'], '127.0.0.1')
        self.assertNotIn('203.0.113.9', fields.get('Forwarded', ''))

    def test_forwarded_fields_of_trusted_proxies_are_believed(self):
        edge = self.portolan('[server]\ntrusted = ["127.0.0.0/8"]\n{control}\n' + config(at(self.echo())))
        _, fields = said(edge.get(fields={'X-Forwarded-For': '198.51.100.1, 203.0.113.9'}))
        self.assertIn('203.0.113.9', fields['X-Forwarded-For'])
        self.assertIn('203.0.113.9', str(edge.access_lines(least=1)[0]))

    def proxied(self, header, trusted='["127.0.0.0/8"]'):
        edge = self.portolan(f'[server]\ntrusted = {trusted}\n{{control}}\n'
                             + config(at(self.echo()), listener='proxy_protocol = true'))
        return edge, edge.client().send(header + b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')

    def test_proxy_protocol(self):
        signature = b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + struct.pack('!H', 12)
        second = signature + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + struct.pack('!HH', 1234, 80)
        for header in (b'PROXY TCP4 203.0.113.9 127.0.0.1 1234 80\r\n', second):
            with self.subTest(header):
                _, client = self.proxied(header)
                self.assertIn('203.0.113.9', said(client.answer())[1]['X-Forwarded-For'])

    def test_proxy_protocol_is_required_and_only_from_the_trusted(self):
        for header, trusted in ((b'', '["127.0.0.0/8"]'),
                                (b'PROXY TCP4 203.0.113.9 127.0.0.1 1234 80\r\n', '["192.0.2.0/24"]')):
            with self.subTest(header):
                _, client = self.proxied(header, trusted)
                self.assertTrue(client.closed())


class Routes(harness.Case):
    def test_fixed_answers_and_redirects(self):
        edge = self.portolan('''
            [listener.http]
            listen = ["127.0.0.1:{port}"]
            [[route]]
            path = "/fixed"
            respond = { status = 418, body = "short and stout" }
            [[route]]
            host = "secure.example"
            redirect = "https"
            [[route]]
            path = "/old"
            redirect = "/new"
            ''')
        answer = edge.get('/fixed')
        self.assertEqual((answer.status, answer.body), (418, b'short and stout'))
        answer = edge.get('/a?b', name='secure.example')
        self.assertEqual((answer.status, answer['Location']), (301, 'https://secure.example/a?b'))
        self.assertEqual(edge.get('/old')['Location'], '/new')
        self.assertEqual(edge.get('/else').status, 404)


class Balancing(harness.Case):
    def test_weights(self):
        one, three = self.echo('one'), self.echo('three')
        edge = self.portolan(config([server(one.port), server(three.port, weight=3)]))
        names = [said(edge.get())[0]['origin'] for _ in range(100)]
        self.assertAlmostEqual(names.count('three'), 75, delta=1)

    def test_least_connections_are_exact_across_workers(self):
        """200 held connections over five servers with four workers: 40 ± 2 each."""
        held, release = {n: 0 for n in range(5)}, threading.Event()
        lock = threading.Lock()

        def origin(number):
            def handler(client, _):
                client.request_head()
                with lock:
                    held[number] += 1
                release.wait(60)
                client.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
            return self.scripted(handler)
        self.addCleanup(release.set)
        edge = self.portolan('[server]\nworkers = 4\n{control}\n'
                             + config(at(*(origin(n) for n in range(5))), pool='balance = "least-connections"'))
        clients = [edge.client().request() for _ in range(200)]
        harness.wait_until(lambda: sum(held.values()) == 200, 20, lambda: f'200 held: {held}')
        for number, count in held.items():
            self.assertAlmostEqual(count, 40, delta=2, msg=f'{number}: {held}')
        release.set()
        self.assertEqual({client.answer().status for client in clients}, {200})

    def test_max_connections_is_a_limit(self):
        busy, most, lock = [0], [0], threading.Lock()

        def handler(client, _):
            while True:
                client.request_head()
                with lock:
                    busy[0] += 1
                    most[0] = max(most[0], busy[0])
                time.sleep(0.2)
                with lock:
                    busy[0] -= 1
                client.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        limited, other = self.scripted(handler), self.echo('other')
        edge = self.portolan(config([server(limited.port, max_connections=2), server(other.port)]))
        clients = [edge.client().request() for _ in range(20)]
        self.assertEqual({client.answer().status for client in clients}, {200})
        self.assertLessEqual(most[0], 2)


class Trouble(harness.Case):
    def test_refused_servers_are_passed_over(self):
        edge = self.portolan(config([f'127.0.0.1:{harness.free_port()}', *at(self.echo())]))
        self.assertEqual([edge.get().status for _ in range(30)], [200] * 30)

    def test_what_may_not_be_repeated_is_not(self):
        seen = []

        def handler(client, _):
            method, _, fields = client.request_head()
            client.request_body(fields)
            seen.append(method)
        edge = self.portolan(config(at(self.scripted(handler), self.scripted(handler))))
        self.assertEqual(edge.get(method='POST', body=b'pay').status, 502)
        self.assertEqual(seen, ['POST'])
        seen.clear()
        self.assertEqual(edge.get().status, 502)
        self.assertGreater(len(seen), 1, 'a GET is tried again')

    def test_retries_have_a_budget(self):
        count = [0]

        def handler(client, _):
            client.request_head()
            count[0] += 1
        edge = self.portolan(config(at(*(self.scripted(handler) for _ in range(3))),
                                    pool='retry = { attempts = 2, budget = "20%" }'))
        requests = 400
        for _ in range(requests):
            edge.get()
        # Ten a second are always allowed, on top of a fifth of the requests.
        self.assertLess(count[0], requests * 2.2)

    def test_backups_serve_when_nobody_else_is_left(self):
        first, backup = self.nginx(name='first'), self.nginx(name='backup')
        edge = self.portolan(config([server(first.port), server(backup.port, backup=True)],
                                    pool='health = { http = "/healthz", interval = "100ms", fall = 2, rise = 1 }'))
        self.assertEqual({edge.get('/name').body for _ in range(10)}, {b'first\n'})
        first.kill()
        self.assertEqual({edge.get('/name').body for _ in range(10)}, {b'backup\n'})
        self.restart(first)
        harness.wait_until(lambda: edge.get('/name').body == b'first\n', 5, 'the first again')

    def test_nobody_left_is_503_with_one_line(self):
        origin = self.nginx()
        edge = self.portolan(config(at(origin), pool='health = { http = "/healthz", interval = "100ms", fall = 2 }'))
        origin.kill()
        answer = harness.wait_until(lambda: (lambda a: a if a.status == 503 else None)(edge.get()), 5, 'a 503')
        self.assertGreater(int(answer['Retry-After']), 0)
        for _ in range(50):
            self.assertEqual(edge.get().status, 503)
        lines = [line for line in edge.output.splitlines() if 'app' in line and 'level=error' in line]
        self.assertLessEqual(len(lines), 2, lines)


class Operators(harness.Case):
    def test_drain_and_enable_a_server(self):
        one, two = self.echo('one'), self.echo('two')
        edge = self.portolan(config(at(one, two)))
        address = f'127.0.0.1:{one.port}'
        edge.command('drain', 'server', 'app', address)
        self.assertIn('drain', edge.command('status'))
        self.assertEqual({said(edge.get())[0]['origin'] for _ in range(10)}, {'two'})
        edge.reload()
        self.assertEqual({said(edge.get())[0]['origin'] for _ in range(10)}, {'two'}, 'a reload leaves it so')
        edge.command('enable', 'server', 'app', address)
        self.assertEqual({said(edge.get())[0]['origin'] for _ in range(10)}, {'one', 'two'})
        wrong = edge.command('drain', 'server', 'app', '127.0.0.1:1', check=False)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn('127.0.0.1:1', wrong.stderr)


class Timeouts(harness.Case):
    def closes_within(self, client, least, most):
        start = time.monotonic()
        with contextlib.suppress(ConnectionResetError):            # an answer that broke off ends with a reset
            while client.socket.recv(65536):
                pass
        self.assertGreater(time.monotonic() - start, least)
        self.assertLess(time.monotonic() - start, most)

    def edge(self, origin, **timeouts):
        lines = '\n'.join(f'{key} = "{value}"' for key, value in timeouts.items())
        return self.portolan(config(at(origin), more='[timeouts]\n' + lines))

    def test_header(self):
        edge = self.edge(self.echo(), header='1s')
        with edge.client() as client:
            client.send('GET / HTTP/1.1\r\nHost: a\r\n')
            self.closes_within(client, 0.5, 3)
        with edge.client() as client:                              # drop by drop is no progress
            client.socket.settimeout(0.3)
            start = time.monotonic()
            try:
                while time.monotonic() - start < 5:
                    client.send('X: y\r\n' if time.monotonic() - start > 0.1 else 'GET / HTTP/1.1\r\nHost: a\r\n')
                    try:
                        if not client.socket.recv(4096):
                            break
                    except TimeoutError:
                        pass
            except OSError:
                pass
            self.assertLess(time.monotonic() - start, 3)

    def test_keepalive(self):
        edge = self.edge(self.echo(), keepalive='1s')
        with edge.client() as client:
            client.request().answer()
            self.closes_within(client, 0.5, 3)

    def test_response(self):
        edge = self.edge(self.echo(delay=20), response='500ms')
        start = time.monotonic()
        self.assertEqual(edge.get(method='POST', body=b'x').status, 504)
        self.assertLess(time.monotonic() - start, 3)

    def test_stalled_answer(self):
        def handler(client, _):
            client.request_head()
            client.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome')
            time.sleep(20)
        edge = self.edge(self.scripted(handler), idle='1s')
        with edge.client() as client:
            client.request()
            self.closes_within(client, 0.5, 4)

    def test_stalled_upload(self):
        edge = self.edge(self.echo(), idle='1s')
        with edge.client() as client:
            client.request('POST', fields={'Content-Length': '100'}).send(b'some')
            self.closes_within(client, 0.5, 4)


if __name__ == '__main__':
    harness.main()
