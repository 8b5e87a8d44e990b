"""Poisoning, deception and CPDoS: the corpus of poisoning_cases against a cache as it is by default."""
import time

import harness
from poisoning_cases import CASES

CONFIG = '''
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{port}"]
[[route]]
host = ["shop.example", "evil.shop.example"]
pool = "app"
cache = "edge"
cache_bypass = {{ header = "x-preview" }}
[[route]]
host = "shop.example"
header = {{ x-beta = "evil" }}
pool = "app"
cache = "edge"
[[route]]
host = "drop.example"
pool = "app"
cache = "drop"
[[route]]
host = "allow.example"
pool = "app"
cache = "allow"
[[route]]
host = "sort.example"
pool = "app"
cache = "sort"
[[route]]
host = "lang.example"
pool = "app"
cache = "lang"
[cache.edge]
[cache.drop]
key = {{ query = {{ drop = ["utm_*"] }} }}
ignore_cookies = ["utm"]
[cache.allow]
key = {{ query = {{ allow = ["page"] }} }}
[cache.sort]
key = {{ sort_query = true }}
[cache.lang]
key = {{ headers = ["x-lang"] }}
'''

# What the proxy writes itself comes last: whatever else gets through shows.
HOSTS = ('x-host', 'x-forwarded-server', 'x-original-host', 'x-http-host-override', 'x-forwarded-domain', 'x-forward-host',
         'x_forwarded_host', 'x-forwarded-host')
SCHEMES = ('x-forwarded-scheme', 'x-forwarded-protocol', 'x-forwarded-ssl', 'x-scheme', 'x-url-scheme', 'front-end-https',
           'x-forwarded-proto')
TARGETS = ('x-original-url', 'x-rewrite-url', 'x-original-uri', 'x-forwarded-uri', 'x-override-url', 'x-matched-path',
           'x-replaced-path')
METHODS = ('x-http-method-override', 'x-http-method', 'x-method-override')
SHOWN = ('x-forwarded-port', 'x-forwarded-prefix', 'x-script-name', 'true-client-ip', 'x-client-ip', 'cf-connecting-ip',
         'x-remote-user', 'cloudfront-viewer-country', 'x-middleware-prefetch', 'x-now-route-matches', 'x-nextjs-data',
         'x-react-router-prerender-data', 'surrogate-capability', 'translate', 'forwarded', 'x-sendfile-type', 'x-accel-mapping',
         'x-vercel-ip-country', 'x-beta', 'x-preview', 'accept', 'accept-language')
REASONS = {200: 'OK', 206: 'Partial Content', 301: 'Moved Permanently', 304: 'Not Modified'}


class Gullible:
    """What an application does that believes everything it is told, and says of all of it that it is good for a minute."""

    def __init__(self, method, target, fields, body):
        self.method, self.target, self.body = method, target, body.decode('latin-1')
        self.said = {}
        for name, value in fields:
            self.said.setdefault(name.lower(), []).append(value)
        self.fields = [('Cache-Control', 'max-age=60'), ('Content-Type', 'text/html')]

    def first(self, *names, default=None):
        return next((self.said[name][-1] for name in names if name in self.said), default)

    def page(self):
        host = self.first(*HOSTS, 'host')
        links = f'<a href="//{host}/{self.first(*TARGETS, default=self.target)}">{self.first(*METHODS, default=self.method)}'
        shown = ' '.join(f'{name}={self.said[name][-1]}' for name in SHOWN if name in self.said)
        who = self.first('x-token', 'authorization', 'cookie', default='nobody')
        forwarded = [ip for name in ('x-forwarded-for', 'x-real-ip') for ip in self.said.get(name, []) if '127.0.0.1' not in ip]
        return (f'{links} {shown} {self.body} {forwarded} for {who} in {self.first("x-lang", default="none")} '
                f'coding {self.first("accept-encoding", default="none")} by {self.method}')

    def answer(self):
        """(status, fields, body)"""
        path = self.target.partition('?')[0]
        crash = self.first('x-crash', 'x-invoke-status')
        if self.first(*METHODS):
            crash = '405'
        if self.first('x-amz-server-side-encryption'):
            crash = '400'
        if any(len(value) > 8192 for values in self.said.values() for value in values):
            crash = '431' if '431' in path else '400'
        if self.first('if-match'):
            crash = '412'
        if crash:
            if self.first('x-old'):
                self.fields = [('Last-Modified', 'Fri, 01 Jan 2010 00:00:00 GMT')]
            return int(crash), self.fields, 'error evil'
        if self.first(*SCHEMES, default='http') not in ('http', 'https'):
            return 301, self.fields + [('Location', f'https://evil.example{self.target}')], 'evil'
        return self.whole(path)

    def whole(self, path):
        body = self.page()
        if path.startswith('/api/'):
            self.fields[1] = ('Content-Type', 'application/json')
        if path == '/set-cookie':
            self.fields.append(('Set-Cookie', 'session=another'))
        if path == '/private':
            self.fields[0] = ('Cache-Control', 'private, max-age=60')
        if path == '/vary-star':
            self.fields.append(('Vary', 'accept, *'))
        if 'x-lang' in self.said or path.startswith('/lang-'):
            self.fields.append(('Vary', 'X-Lang'))
        if path.startswith('/accept'):
            self.fields.append(('Vary', 'Accept, Accept-Language'))
        if path.startswith('/cors'):
            self.fields.append(('Vary', 'Origin'))
            body = 'granted' if self.said.get('origin', [])[-1:] == ['https://app.example'] else 'denied'
            if len(self.said.get('origin', [])) > 1 and path != '/cors-lines':
                body = 'denied'
        if path.startswith('/adopt') and self.method == 'POST':
            self.fields.append(('Content-Location', self.target))
        if path == '/coding':
            self.fields.append(('Vary', 'Accept-Encoding'))
        if path.startswith('/not-modified'):
            self.fields.append(('ETag', '"v1"'))
            if self.first('if-none-match', 'if-modified-since'):
                return 304, self.fields, ''
        if self.first('range', 'x-part') and 'part' in path:
            return 206, self.fields + [('Content-Range', f'bytes 0-3/{len(body)}')], body[:4]
        return 200, self.fields, body


class Poisoning(harness.Case):
    def setUp(self):
        super().setUp()
        self.asked = []

        def handler(client, _):
            while True:
                method, target, fields = client.request_head()
                self.asked.append(target)
                app = Gullible(method, target, fields, client.request_body(fields))
                status, fields, body = app.answer()
                body = body.encode('latin-1')
                head = ''.join(f'{name}: {value}\r\n' for name, value in fields)
                head = f'HTTP/1.1 {status} {REASONS.get(status, "Error")}\r\n{head}'
                if status != 304:
                    head += f'Content-Length: {len(body)}\r\n'
                client.send(head.encode('latin-1') + b'\r\n')
                if app.first('x-cut'):
                    client.send(body[:5])
                    return
                if method != 'HEAD' and status != 304:
                    client.send(body)
        self.app = self.scripted(handler)
        self.edge = self.portolan(CONFIG.format(port=self.app.port), name='edge')
        self.clean = self.portolan(CONFIG.format(port=self.app.port), name='clean')

    @staticmethod
    def ask(server, request):
        """The answer; None where the connection ends without one. Every further answer on it counts as poison."""
        with server.client() as client:
            client.send(request)
            try:
                answer = client.answer(request.split(b' ', 1)[0].decode('latin-1'))
            except ConnectionError:
                return None
            if b'\r\nConnection: close' in request or answer.get('Connection') == 'close':
                return answer
            client.socket.settimeout(0.05)
            try:
                more = client.buffer or client.socket.recv(1 << 16)
            except (TimeoutError, ConnectionError):
                more = b''
            answer.surplus = more
            return answer

    def run_case(self, one):
        for request in one.first[:-1]:
            self.assertEqual(self.ask(self.edge, request).status, 200)
        before = len(self.asked)
        first = self.ask(self.edge, one.first[-1])
        if one.refused:
            self.assertTrue(first is None or 400 <= first.status < 500, first)
            self.assertEqual(len(self.asked), before, 'it reached the origin')
        self.assertEqual(getattr(first, 'surplus', b''), b'', 'another answer behind it')
        time.sleep(0.01)                                   # what a fetch may still have to store
        last = self.ask(self.edge, one.last)
        clean = self.ask(self.clean, one.last)
        self.assertEqual((last.status, last.body), (clean.status, clean.body), last)
        self.assertEqual(last.get('Location'), clean.get('Location'))
        if one.never != b'nothing':
            self.assertNotIn(one.never, last.body)
        again = self.ask(self.edge, one.last)
        self.assertEqual('hit' in again['Cache-Status'] if again.get('Cache-Status') else False, one.kept, again)

    def test_the_corpus(self):
        self.assertGreaterEqual(len(CASES), 60)
        self.assertEqual(len({one.name for one in CASES}), len(CASES), 'each has a name of its own')
        for one in CASES:
            with self.subTest(one.name):
                self.run_case(one)

    def test_requests_that_are_not_cached_are_untouched(self):
        """What an origin reacts to still reaches it where nobody else could get the answer."""
        fields = {'X-Original-URL': '/x', 'X-HTTP-Method-Override': 'PUT', 'True-Client-IP': '192.0.2.9', 'X-Host': 'h'}
        seen = []

        def handler(client, _):
            while True:
                method, _, got = client.request_head()
                client.request_body(got)
                seen.append(dict(got))
                client.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        origin = self.scripted(handler)
        edge = self.portolan(CONFIG.format(port=origin.port), name='untouched')
        edge.get('/a', method='POST', name='shop.example', fields=fields, body=b'x')
        edge.get('/a', name='shop.example', fields=fields | {'Cookie': 'a=b'})
        edge.get('/a', name='shop.example', fields=fields)
        for got, passes in zip(seen, (True, True, False)):
            for name, value in fields.items():
                self.assertEqual(got.get(name), value if passes else None, name)


if __name__ == '__main__':
    harness.main()
