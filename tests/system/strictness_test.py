"""The table of strictness_cases.py: Portolan as a server, and as a forwarder to the byte."""
import random

import harness
import strict_http
import strictness_cases as cases
import strictness_grid as grid
from pki import Authority

FORWARDER = '''
[server]
name = "edge"
workers = 1
{{control}}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{port}"]
retry = {{ attempts = 0 }}
{more}
[[route]]
pool = "app"
'''
SERVER = '''
[listener.http]
listen = ["127.0.0.1:{port}"]
[[route]]
respond = { status = 200, body = "mine" }
'''


def splits(data, rng):
    """The ways a message may come: whole, a byte at a time, cut at random."""
    yield [data], 0
    if len(data) < 600:
        yield [data[n:n + 1] for n in range(len(data))], 0
    for _ in range(2):
        yield grid.pieces_at(data, rng.sample(range(1, len(data)), min(len(data) - 1, rng.randint(1, 4)))), 0.001


def told(line, host, kept, framing, via='1.1'):
    """The head that Portolan sends to an origin, to the byte."""
    return cases.latin(f'{line}\r\nHost: {host}\r\n{kept}X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n'
                       f'X-Forwarded-Proto: http\r\nX-Forwarded-Host: {host}\r\nVia: {via} edge\r\n{framing}\r\n')


class Strictness(harness.Case):
    def setUp(self):
        super().setUp()
        self.rng = random.Random(5)

    def forwarder(self, more=''):
        self.origin = grid.Recorder()
        self.addCleanup(self.origin.close)
        return self.portolan(FORWARDER.format(port=self.origin.port, more=more))

    def statuses(self, got):
        """Of the answers in these bytes; what is no answer fails."""
        found, at = [], 0
        while at < len(got):
            answer = strict_http.response(got, True, at=at)
            found.append(int(answer.start[1]))
            at = answer.end
        return found


class AsServer(Strictness):
    def test_what_is_wrong_is_refused_and_ends_the_connection(self):
        edge = self.portolan(SERVER)
        for case in (case for case in cases.REQUESTS if case.refuse and not case.in_body):
            for pieces, pause in splits(case.sent, self.rng):
                with self.subTest(f'{case.area}: {case.name}', pieces=len(pieces)):
                    got, closed = grid.talk(edge.port, [*pieces, cases.CANARY], 3, pause)
                    self.assertTrue(closed)
                    self.assertEqual(self.statuses(got), [case.refuse[0]], got)

    def test_a_body_that_is_wrong_ends_the_connection(self):
        """The answer, which needs no body, may have gone before; nothing behind it is a request."""
        edge = self.portolan(SERVER)
        for case in (case for case in cases.REQUESTS if case.in_body):
            for pieces, pause in splits(case.sent, self.rng):
                with self.subTest(f'{case.area}: {case.name}', pieces=len(pieces)):
                    got, closed = grid.talk(edge.port, [*pieces, cases.CANARY], 3, pause)
                    self.assertTrue(closed)
                    self.assertIn(self.statuses(got), ([case.refuse[0]], [200]), got)

    def test_what_is_right_is_answered(self):
        edge = self.portolan(SERVER)
        for case in (case for case in cases.REQUESTS if not case.refuse):
            for pieces, pause in splits(case.sent, self.rng):
                with self.subTest(f'{case.area}: {case.name}', pieces=len(pieces)):
                    got, _ = grid.talk(edge.port, pieces, 0.05, pause)
                    self.assertIn(self.statuses(got)[0], (200, 204))


class AsForwarder(Strictness):
    def test_what_is_wrong_reaches_no_origin(self):
        edge = self.forwarder()
        for case in (case for case in cases.REQUESTS if case.refuse):
            for pieces, pause in splits(case.sent, self.rng):
                with self.subTest(f'{case.area}: {case.name}', pieces=len(pieces)):
                    self.origin.take()
                    got, closed = grid.talk(edge.port, [*pieces, cases.CANARY], 3, pause)
                    self.assertTrue(closed)
                    self.assertEqual(self.statuses(got), [case.refuse[0]], got)
                    passed = self.origin.take()
                    if not case.in_body:
                        self.assertEqual(passed, [])
                    for data in passed:                 # begun, and never completed
                        with self.assertRaises(strict_http.Incomplete):
                            strict_http.request(data)

    def test_what_is_right_reaches_the_origin_to_the_byte(self):
        edge = self.forwarder()
        for case in (case for case in cases.REQUESTS if not case.refuse and not case.local):
            expected = told(case.line, case.host, case.kept, case.framing, case.via)
            for pieces, pause in splits(case.sent, self.rng):
                with self.subTest(f'{case.area}: {case.name}', pieces=len(pieces)):
                    self.origin.take()
                    got, _ = grid.talk(edge.port, pieces, 0.1, pause)
                    self.assertEqual(self.statuses(got)[0], 200, got)
                    first = strict_http.requests(b''.join(self.origin.take()))[0]
                    self.assertEqual((first.head, first.body, first.trailers), (expected, case.body, []))

    def test_what_it_answers_itself_reaches_no_origin(self):
        edge = self.forwarder()
        for case in (case for case in cases.REQUESTS if case.local):
            with self.subTest(case.name):
                self.assertLess(self.statuses(grid.talk(edge.port, [case.sent], 0.2)[0])[0], 400)
                self.assertEqual(self.origin.take(), [])

    def test_upgrades_send_nothing_before_they_are_granted(self):
        edge = self.forwarder()
        for case in cases.UPGRADES:
            with self.subTest(case.name):
                self.assertIn(grid.run_upgrade(edge.port, self.origin, case), (grid.REFUSED, grid.NORMALISED))

    def test_one_cache_serves_no_host_with_anothers_answers(self):
        """CVE-2026-2836: the key is scheme, host, port and target, whatever the origin's address."""
        def handler(client, _):
            while True:
                fields = harness.Answer(0, '', client.request_head()[2], b'')
                body = fields['Host'].encode()
                client.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body))
        edge = self.portolan(FORWARDER.format(port=self.scripted(handler).port, more='') + 'cache = "c"\n[cache.c]\nmemory = "16 MiB"\n')
        for _ in range(2):
            for name in ('a', 'b', 'a:81'):
                self.assertEqual(edge.get('/x', name=name).body, name.encode())
            self.assertEqual(edge.get('http://b/x', name='b').body, b'b')


class Answers(Strictness):
    def ask(self, edge, case, pieces=None, pause=0):
        self.origin.take()
        script = case
        if pieces:
            script = cases.Answer(case.name, '', '', pieces[0], closes=case.closes)
            script.more, script.pause = pieces[1:], pause
        self.origin.script = script
        return grid.talk(edge.port, [f'{case.method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'.encode()], 3)

    def check(self, case, got, closed):
        self.assertTrue(closed)
        if not case.refuse:
            answer = strict_http.response(got, True, case.method.encode())
            self.assertEqual((int(answer.start[1]), answer.body), (case.status, case.body), got)
            self.assertEqual(answer.end, len(got), 'nothing behind it')
        elif case.in_body and grid.status_of(got) != 502:
            with self.assertRaises(strict_http.Incomplete):     # cut, so that no client takes it for whole
                strict_http.response(got, False, case.method.encode())
        else:
            answer = strict_http.response(got, True, case.method.encode())
            self.assertEqual(int(answer.start[1]), 502, got)

    def test_that_are_wrong_are_502_or_cut_and_those_that_are_right_pass(self):
        edge = self.forwarder()
        for case in cases.RESPONSES:
            for pieces, pause in splits(case.sent, self.rng):
                with self.subTest(case.name, pieces=len(pieces)):
                    self.check(case, *self.ask(edge, case, pieces, pause))
                    if case.refuse and not case.closes:
                        harness.wait_until(lambda: self.origin.scripted_closed, 5, 'the connection is not used again')

    def test_have_nothing_behind_them_that_is_anybodys(self):
        edge = self.forwarder()
        for case in cases.SURPLUS:
            with self.subTest(case.name):
                self.assertIn(grid.run_surplus(edge.port, self.origin, case), (grid.REFUSED, grid.NORMALISED))

    def test_before_the_handshake_are_not_answers(self):
        """CVE-2026-1642: bytes in plain text ahead of TLS to the server."""
        def handler(client, _):
            client.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled')
            client.socket.settimeout(2)
            client.rest()
        authority = Authority(self.folder)
        edge = self.portolan(FORWARDER.format(port=self.scripted(handler).port,
                                              more=f'tls = {{ ca = "{authority.file}", name = "a" }}'))
        answer = edge.get()
        self.assertEqual(answer.status, 502)
        self.assertNotIn(b'smuggled', answer.body)


class FromHttp2(Strictness):
    def test_what_is_wrong_reaches_no_origin_and_what_is_right_does_to_the_byte(self):
        edge = self.forwarder()
        for case in cases.HTTP2:
            with self.subTest(case.name):
                self.origin.take()
                status = grid.talk2(edge.port, case.fields, case.body)
                passed = self.origin.take()
                if case.refuse:
                    self.assertTrue(status in ('reset', 'goaway') or int(status) >= 400, status)
                    self.assertEqual(grid.what_passed(passed)[0], grid.REFUSED, passed)
                else:
                    self.assertEqual(status, 200)
                    # What came of one refused before, and was cut, may be heard of only now.
                    whole = [data for data in passed if grid.what_passed([data])[0] != grid.REFUSED]
                    first = strict_http.requests(b''.join(whole))[0]
                    self.assertEqual((first.head, first.body),
                                     (told(case.line, case.host, case.kept, case.framing, '2.0'), case.body))


if __name__ == '__main__':
    harness.main()
