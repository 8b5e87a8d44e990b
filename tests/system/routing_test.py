"""Which route takes a request, and what routes do to requests and answers on their way."""
import collections
import json
import os
import subprocess
import time

import harness

LISTENER = '''
[server]
trusted = ["127.0.0.0/8"]
{control}
[listener.http]
listen = ["127.0.0.1:{port}"]
'''


def pool(name, *origins, more=''):
    servers = ', '.join(f'"127.0.0.1:{origin.port}"' for origin in origins)
    return f'[pool.{name}]\nservers = [{servers}]\n{more}\n'


def said(answer):
    """What an echo origin was asked: its JSON, with the fields as an Answer to look in."""
    value = json.loads(answer.body)
    return value, harness.Answer(0, '', [tuple(pair) for pair in value['fields']], b'')


def client(n):
    return {'X-Forwarded-For': f'192.0.2.{n % 250}' if n < 250 else f'10.0.{n // 250}.{n % 250}'}


class Routes(harness.Case):
    def test_are_chosen_by_what_a_request_is_like(self):
        database = os.path.join(self.folder, 'demo.mmdb')
        subprocess.run([harness.BINARY, 'geo-demo', database], check=True, stdout=subprocess.DEVNULL)
        routes = (('any', ''),
                  ('versions', 'path_regex = "^/v[0-9]+/"'),
                  ('beta', 'header = { X-Beta = "1" }'),
                  ('mobile', 'path = "/m"\nheader = { user-agent = { prefix = ["Phone/", "Tablet/"] } }'),
                  ('german', 'path = "/g"\ncountry = ["DE", "AT"]'),
                  ('inside', 'path = "/i"\nclient = ["10.0.0.0/8", "2001:db8::/32"]'),
                  ('second', 'path = "/q"\nquery = { v = "2" }'),
                  ('second-posted', 'path = "/q"\nquery = { v = "2" }\nmethod = "POST"'))
        edge = self.portolan(LISTENER + f'[geo]\ndatabases = ["{database}"]\n' + ''.join(
            f'[[route]]\nrespond = {{ body = "{name}" }}\n{conditions}\n' for name, conditions in routes))
        asked = (('any', '/', {}), ('any', '/v1', {}), ('versions', '/v12/x', {}), ('beta', '/', {'x-beta': '1'}),
                 ('any', '/', {'x-beta': '11'}), ('versions', '/v1/x', {'x-beta': '1'}),
                 ('mobile', '/m/1', {'User-Agent': 'Tablet/3'}), ('any', '/m/1', {'User-Agent': 'Desk/3'}),
                 ('german', '/g', {'X-Forwarded-For': '198.18.104.1'}), ('any', '/g', {'X-Forwarded-For': '198.18.88.1'}),
                 ('any', '/g', {'X-Forwarded-For': '8.8.8.8'}),
                 ('inside', '/i', {'X-Forwarded-For': '10.9.9.9'}), ('inside', '/i', {'X-Forwarded-For': '2001:db8::5'}),
                 ('any', '/i', {'X-Forwarded-For': '11.9.9.9'}),
                 ('second', '/q?a&v=%32', {}), ('any', '/q?v=3&v=2', {}))
        for name, target, fields in asked:
            self.assertEqual(edge.get(target, fields=fields).body.decode(), name, (target, fields))
        self.assertEqual(edge.get('/q?v=2', method='POST', body=b'x').body, b'second-posted')
        self.assertEqual(self.curl('--http2-prior-knowledge', '-H', 'X-Beta: 1', f'http://127.0.0.1:{edge.port}/'),
                         b'beta')

    def test_a_path_that_a_server_would_take_for_another_routes_is_refused(self):
        edge = self.portolan(LISTENER + pool('app', self.echo()) + '''
            [[route]]
            pool = "app"
            [[route]]
            path = "/admin/"
            deny = ["0.0.0.0/0", "::/0"]
            pool = "app"
        ''')
        for path, status in (('/admin/x', 403), ('/%61dmin/x', 400), ('//admin/x', 400), ('/./admin/x', 400),
                             ('/a/..%2fadmin/x', 400), ('/a/%2e%2E%5Cadmin', 400), ('/a//b', 200), ('/%61/b', 200),
                             ('/a%2Fb', 200), ('/a/.b/..c', 200), ('/a/..;/admin/x', 400), ('/a/%2e%2e;b=c/admin/x', 400),
                             ('/a/..%3b/admin/x', 400), ('/admin;a=b/x', 400), ('/.;a/admin/x', 400), ('/;/admin/x', 400),
                             ('/a;b/c;d', 200)):
            with self.subTest(path), edge.client() as client:
                self.assertEqual(client.request(target=path).answer().status, status)

    def test_explain_says_what_then_happens(self):
        one, two = self.echo('one'), self.echo('two')
        edge = self.portolan(LISTENER + pool('app', one) + pool('beta', two) + '''
            [[route]]
            pool = "app"
            [[route]]
            name = "beta"
            header = { x-beta = "1" }
            pool = "beta"
            ''')
        url = f'http://127.0.0.1:{edge.port}/x'
        told = edge.command('explain', 'GET', url, '--header', 'X-Beta: 1')
        self.assertRegex(told, r'route +"beta" .*\n +comes before "any" .*, as it has more conditions')
        self.assertRegex(told, rf'server +127\.0\.0\.1:{two.port}, by round-robin, whose turn it is')
        self.assertEqual(said(edge.get('/x', fields={'X-Beta': '1'}))[0]['origin'], 'two')
        self.assertRegex(edge.command('explain', 'GET', url), rf'server +127\.0\.0\.1:{one.port}')
        self.assertEqual(edge.command('explain', 'GET', 'nonsense', check=False).returncode, 1)

    def test_redirect_with_what_was_asked_for(self):
        edge = self.portolan(LISTENER + '''
            [[route]]
            path = "/old/"
            redirect = "/new/{rest}"
            redirect_status = 308
            [[route]]
            host = "old.example"
            redirect = "https://www.example{uri}"
            [[route]]
            path = "/top"
            redirect = "/{rest}"
            ''')
        answer = edge.get('/old/a/b')
        self.assertEqual((answer.status, answer['Location']), (308, '/new/a/b'))
        self.assertEqual(edge.get('/a?b=c', name='old.example')['Location'], 'https://www.example/a?b=c')
        self.assertEqual(edge.get('/top//evil.example')['Location'], '/evil.example')


class Splits(harness.Case):
    def split(self, app, canary):
        return LISTENER + pool('app', self.app) + pool('canary', self.canary) + f'''
            [[route]]
            pools = {{ app = {app}, canary = {canary} }}
            '''

    def setUp(self):
        super().setUp()
        self.app, self.canary = self.named(b'app'), self.named(b'canary')

    def named(self, name):
        def handler(connection, _):
            while True:
                connection.request_head()
                connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(name), name))
        return self.scripted(handler)

    def ask(self, edge, count):
        with edge.client() as connection:
            return {n: connection.request(fields=client(n)).answer().body.decode() for n in range(count)}

    def test_keep_a_client_and_move_only_those_who_must(self):
        edge = self.portolan(self.split(80, 20))
        before = self.ask(edge, 500)
        counts = collections.Counter(before.values())
        self.assertGreater(counts['canary'], 60)
        self.assertLess(counts['canary'], 145)
        self.assertEqual(self.ask(edge, 500), before)
        self.assertEqual(edge.metric('portolan_requests_total', pool='canary'), 2 * counts['canary'])
        edge.reload(self.split(50, 50))
        after = self.ask(edge, 500)
        self.assertEqual({n for n in after if before[n] == 'canary' and after[n] != 'canary'}, set())
        self.assertGreater(collections.Counter(after.values())['canary'], 200)


class Edits(harness.Case):
    def test_headers_both_ways_and_the_path(self):
        edge = self.portolan(LISTENER + pool('app', self.echo()) + '''
            [[route]]
            path = "/api/"
            pool = "app"
            rewrite = { prefix = "/" }
            [route.request_headers]
            set = { X-Env = "prod", X-Client = "{client_address}", Host = "inner.example" }
            add = { X-Tag = "two" }
            remove = ["Cookie"]
            [route.response_headers]
            set = { X-Frame-Options = "DENY", X-Asked = "{host}{path}" }
            remove = ["Via"]
            [[route]]
            path = "/fixed"
            respond = { body = "x" }
            response_headers = { set = { Cache-Control = "max-age=60" }, remove = ["server"] }
            ''')
        fields = {'X-Env': 'theirs', 'Cookie': 'c=1', 'X-Tag': 'one', 'X-Client': 'theirs', **client(7)}
        answer = edge.get('/api/x?y=1', fields=fields)
        asked, got = said(answer)
        self.assertEqual(asked['target'], '/x?y=1')
        self.assertEqual((got['Host'], got['X-Forwarded-Host'], got['X-Forwarded-Prefix']), ('inner.example', 'test', '/api'))
        self.assertEqual((got.all('X-Env'), got.all('X-Client')), (['prod'], ['192.0.2.7']))
        self.assertEqual(got.all('X-Tag'), ['one', 'two'])
        self.assertIsNone(got.get('Cookie'))
        self.assertEqual((answer['X-Frame-Options'], answer['X-Asked'], answer.get('Via')), ('DENY', 'test/api/x', None))
        self.assertEqual(said(edge.get('/api'))[0]['target'], '/')
        fixed = edge.get('/fixed')
        self.assertEqual((fixed['Cache-Control'], fixed.get('Server')), ('max-age=60', None))
        told = self.curl('-i', '--http2-prior-knowledge', f'http://127.0.0.1:{edge.port}/api/z')
        self.assertIn(b'x-frame-options: DENY', told)
        self.assertIn(b'"target": "/z"', told)

    def test_a_path_made_anew_by_an_expression(self):
        edge = self.portolan(LISTENER + pool('app', self.echo()) + '''
            [cache.edge]
            memory = "1 MiB"
            [[route]]
            path_regex = '^/v([0-9]+)/(?P<rest>.*)$'
            pool = "app"
            rewrite = { to = "/api/{rest}/v{1}" }
            [[route]]
            path = "/shop/"
            pool = "app"
            cache = "edge"
            rewrite = { regex = '^/shop/(.*)[.]php$', to = "/{1}" }
            [[route]]
            path = "/dots/"
            pool = "app"
            rewrite = { regex = '^/dots/(.)/(.)/', to = "/{1}{2}/etc" }
            ''')

        def target(path):
            return said(edge.get(path))[0]['target']
        self.assertEqual(target('/v2/a/b?c=/v3/'), '/api/a/b/v2?c=/v3/')
        self.assertEqual(target('/shop/cart.php?id=1'), '/cart?id=1')
        self.assertEqual(target('/shop/cart.html'), '/shop/cart.html')
        self.assertEqual(target('/shop//evil.php'), '/evil')
        self.assertEqual(target('/dots/a/b/'), '/ab/etc')
        self.assertEqual(edge.get('/dots/%2e/%2e/').status, 200)
        with edge.client() as connection:
            connection.send(b'GET /dots/././ HTTP/1.1\r\nHost: test\r\n\r\n')
            self.assertEqual(connection.answer().status, 400)
        told = edge.command('explain', 'GET', f'http://127.0.0.1:{edge.port}/v2/a')
        self.assertIn('is asked for /api/a/v2', told)

    def test_answers_from_a_cache_too_and_nothing_edited_is_kept(self):
        def handler(connection, _):
            while True:
                target = connection.request_head()[1]
                connection.send(b'HTTP/1.1 301 Moved\r\nCache-Control: max-age=60\r\nLocation: /inner%s/\r\nX-Was: stored\r\n'
                                b'Content-Length: 0\r\n\r\n' % target[len('/inner'):].encode())
        origin = self.scripted(handler)
        text = LISTENER + pool('app', origin) + '''
            [cache.edge]
            memory = "1 MiB"
            [[route]]
            path = "/outer"
            pool = "app"
            cache = "edge"
            rewrite = { prefix = "/inner" }
            [route.response_headers]
            set = { X-Now = "STAMP" }
            remove = ["x-was"]
            '''
        edge = self.portolan(text.replace('STAMP', 'one'))
        for n in range(2):
            answer = edge.get('/outer/a')
            self.assertEqual((answer.status, answer['Location'], answer['X-Now'], answer.get('X-Was')),
                             (301, '/outer/a/', 'one', None), n)
        edge.reload(text.replace('STAMP', 'two').replace('remove = ["x-was"]', ''))
        answer = edge.get('/outer/a')
        self.assertIn('hit', answer['Cache-Status'])
        self.assertEqual((answer['X-Now'], answer['X-Was'], answer['Location']), ('two', 'stored', '/outer/a/'))
        self.assertEqual(origin.connections, 1)


class Mirrors(harness.Case):
    def mirrored(self, shadow, keys=''):
        return self.portolan(LISTENER + pool('app', self.echo('app')) + pool('shadow', shadow) + f'''
            [[route]]
            pool = "app"
            mirror = {{ pool = "shadow" {keys} }}
            ''')

    def results(self, edge, result):
        return edge.metric('portolan_mirrored_requests_total', pool='shadow', result=result)

    def test_get_every_request_with_its_body(self):
        got = []

        def handler(connection, _):
            while True:
                method, target, fields = connection.request_head()
                got.append((method, target, len(connection.request_body(fields)), dict(fields).get('Expect')))
                connection.send(b'HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno')
        edge = self.mirrored(self.scripted(handler), ', buffer = "1 MiB"')
        with edge.client() as connection:
            self.assertEqual(said(connection.request(target='/a').answer())[0]['origin'], 'app')
            self.assertEqual(said(connection.request('POST', '/b', body=b'x' * 300_000).answer())[0]['body_size'], 300_000)
            connection.send(b'POST /c HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
            self.assertEqual(said(connection.answer())[0]['body_size'], 3)
        harness.wait_until(lambda: self.results(edge, 'answered') == 3, what='three copies')
        self.assertEqual(sorted(got), [('GET', '/a', 0, None), ('POST', '/b', 300_000, None), ('POST', '/c', 3, None)])
        self.assertEqual(edge.metric('portolan_requests_total', pool='shadow') or 0, 0)

    def test_hold_nobody_up(self):
        def never(connection, _):
            connection.request_head()
            time.sleep(30)
        edge = self.mirrored(self.scripted(never), ', at_once = 2')
        began = time.monotonic()
        with edge.client() as connection:
            for _ in range(5):
                body = said(connection.request('POST', '/', body=b'x' * 2_000_000).answer())[0]
                self.assertEqual(body['body_size'], 2_000_000)
        self.assertLess(time.monotonic() - began, 5)
        self.assertGreater(self.results(edge, 'dropped'), 0)

    def test_endless_answers_are_cut(self):
        def endless(connection, _):
            connection.request_head()
            connection.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
            while True:
                connection.send(b'10000\r\n' + b'x' * 65536 + b'\r\n')

        def trickles(connection, _):
            connection.request_head()
            connection.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
            while True:
                connection.send(b'1\r\nx\r\n')
                time.sleep(0.1)
        for handler, keys in ((endless, ', max_answer = "1 MiB"'), (trickles, ', timeout = "500ms"')):
            edge = self.mirrored(self.scripted(handler), keys)
            self.assertEqual(edge.get('/').status, 200)
            harness.wait_until(lambda: self.results(edge, 'cut') == 1, 5, 'the cut')
            self.assertEqual(self.results(edge, 'answered') or 0, 0)

    def test_that_are_down_cost_nothing(self):
        class Nobody:
            port = harness.free_port()
        edge = self.mirrored(Nobody)
        for _ in range(5):
            self.assertEqual(edge.get('/').status, 200)
        harness.wait_until(lambda: self.results(edge, 'failed') == 5, what='five failures')

    def test_get_their_share(self):
        edge = self.mirrored(self.echo('shadow'), ', share = "30%"')
        with edge.client() as connection:
            for _ in range(300):
                connection.request().answer()
        harness.wait_until(lambda: 50 < (self.results(edge, 'answered') or 0) < 140, what='about ninety copies')


if __name__ == '__main__':
    harness.main()
