"""What a CDN adds to the cache: rules of freshness, compression, fallback, versioned URLs, warming, over the wire."""
import gzip
import os
import subprocess
import time

import harness

TEXT = b''.join(b'line %d of a text that gets smaller\n' % n for n in range(5000))

EDGE = '''
[listener.http]
listen = ["127.0.0.1:{{port}}"]
{listener}
[pool.app]
servers = [{servers}]
{pool}
[[route]]
pool = "app"
cache = "edge"
{route}
[cache.edge]
memory = "64 MiB"
{cache}
'''


def decoded(coding, body):
    """By the decoders that Debian ships."""
    if coding == 'gzip':
        return gzip.decompress(body)
    tool = {'br': ['brotli', '-dc'], 'zstd': ['zstd', '-dc']}[coding]
    return subprocess.run(tool, input=body, capture_output=True, check=True).stdout


def put(folder, files):
    for name, content in files.items():
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(content)


class Cdn(harness.Case):
    def edge(self, *origins, listener='', pool='', route='', cache=''):
        servers = ', '.join(f'"127.0.0.1:{origin.port}"' for origin in origins)
        return self.portolan(EDGE.format(listener=listener, pool=pool, route=route, cache=cache, servers=servers))

    def origin(self, answer):
        """answer(target) gives status, fields and body; keeps what was asked."""
        asked = []

        def handler(client, _):
            while True:
                request = client.request_head()
                asked.append(request)
                status, fields, body = answer(request[1])
                client.send(f'HTTP/1.1 {status} X\r\n{fields}Content-Length: {len(body)}\r\n\r\n')
                if request[0] != 'HEAD':
                    client.send(body)
                if 'Connection: close' in fields:
                    return
        return self.scripted(handler), asked


class Compression(Cdn):
    def test_every_coding_is_made_once_and_read_by_real_decoders(self):
        origin = self.nginx({'a.txt': TEXT, 'a.png': TEXT, 'small.txt': b'small'}, locations='expires 1h;')
        edge = self.edge(origin, cache='compress = ["br", "zstd", "gzip"]')
        plain = edge.get('/a.txt', fields={'Accept-Encoding': 'br'})
        self.assertEqual((plain.body, plain.get('Content-Encoding')), (TEXT, None), 'while it is fetched')
        tags = set()
        for coding in ('br', 'zstd', 'gzip'):
            with self.subTest(coding):
                for _ in range(3):
                    answer = edge.get('/a.txt', fields={'Accept-Encoding': coding})
                    self.assertEqual(answer['Content-Encoding'], coding)
                    self.assertEqual(decoded(coding, answer.body), TEXT)
                    self.assertLess(len(answer.body), len(TEXT) / 4)
                    self.assertIn('hit', answer['Cache-Status'])
                    self.assertIn('Accept-Encoding', answer['Vary'])
                self.assertEqual(int(answer['Content-Length']), len(answer.body), 'made once, now it is all there')
                tags.add(answer['ETag'])
                again = edge.get('/a.txt', fields={'Accept-Encoding': coding, 'If-None-Match': answer['ETag']})
                self.assertEqual((again.status, again['ETag']), (304, answer['ETag']))
        self.assertEqual({tag[:2] for tag in tags}, {'W/'})
        whole = edge.get('/a.txt')
        self.assertEqual((whole.body, whole['Vary']), (TEXT, 'Accept-Encoding'))
        part = edge.get('/a.txt', fields={'Accept-Encoding': 'gzip', 'Range': 'bytes=10-19'})
        self.assertEqual((part.status, part.body, part.get('Content-Encoding')), (206, TEXT[10:20], None))
        for path, body in (('/a.png', TEXT), ('/small.txt', b'small')):
            for _ in range(2):
                answer = edge.get(path, fields={'Accept-Encoding': 'br, gzip'})
                self.assertEqual((answer.body, answer.get('Content-Encoding')), (body, None), path)
        with open(origin.access_path, encoding='utf-8') as log:
            self.assertEqual(log.read().count('/a.txt'), 1, 'one fetch for all of them')

    def test_curl_decodes_what_it_asks_for(self):
        origin = self.nginx({'a.txt': TEXT}, locations='expires 1h;')
        edge = self.edge(origin, cache='compress = ["br", "zstd", "gzip"]')
        url = f'http://127.0.0.1:{edge.port}/a.txt'
        for _ in range(3):
            self.assertEqual(self.curl('--compressed', url), TEXT)
        small = int(self.curl('--compressed', '-o', '/dev/null', '-w', '%{size_download}', url))
        self.assertLess(small, len(TEXT) / 4)

    def test_a_large_one_is_read_along_while_it_is_made(self):
        body = TEXT * 40
        origin = self.nginx({'big.txt': body}, locations='expires 1h;')
        edge = self.edge(origin, cache='compress = { codings = ["br"], level = { br = 9 } }')
        edge.get('/big.txt')
        with edge.client() as first, edge.client() as second:
            began = time.monotonic()
            for client in (first, second):
                client.request(target='/big.txt', fields={'Accept-Encoding': 'br'})
            other = edge.get('/big.txt', method='HEAD')
            self.assertLess(time.monotonic() - began, 1, 'no loop is held up')
            self.assertEqual(other.status, 200)
            answers = [client.answer() for client in (first, second)]
        self.assertEqual([decoded('br', answer.body) for answer in answers], [body, body])

    def test_files_beside_the_plain_ones(self):
        root = self.subfolder('site')
        put(root, {'a.txt': TEXT})
        path = os.path.join(root, 'a.txt')
        subprocess.run(['brotli', '-k', path], check=True)
        subprocess.run(['zstd', '-q', '-k', path], check=True)
        subprocess.run(['gzip', '-k', path], check=True)
        edge = self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [[route]]
            files = {{ root = "{root}", precompressed = ["br", "zstd", "gzip"] }}
            ''')
        for coding in ('br', 'zstd', 'gzip'):
            answer = edge.get('/a.txt', fields={'Accept-Encoding': coding})
            self.assertEqual((answer['Content-Encoding'], answer['Vary']), (coding, 'Accept-Encoding'))
            self.assertEqual(decoded(coding, answer.body), TEXT)
        self.assertEqual(edge.get('/a.txt').body, TEXT)
        self.assertEqual(self.curl('--compressed', f'http://127.0.0.1:{edge.port}/a.txt'), TEXT)


class Freshness(Cdn):
    def test_rules_by_path_status_and_type(self):
        def answer(target):
            if target == '/none':
                return 404, '', b''
            if target.startswith('/bad'):
                return 400, 'Cache-Control: max-age=60\r\n' if target == '/bad-fresh' else '', b'bad'
            if target == '/set':
                return 200, 'Set-Cookie: a=b\r\n', b''
            kind = 'image/png' if target.endswith('.png') else 'text/html'
            return 200, f'Content-Type: {kind}\r\nCache-Control: max-age=1\r\n', b'x'
        origin, asked = self.origin(answer)
        edge = self.edge(origin, cache='''ttl = [
            { path = "/assets/", type = "image/*", ttl = "1h", override = true },
            { status = 404, ttl = "1m" },
            { status = 400, ttl = "0s" },
            { ttl = "5m" } ]''')

        def ttl(target):
            edge.get(target)
            return edge.get(target)['Cache-Status']
        self.assertRegex(ttl('/assets/a.png'), r'hit; ttl=3\d{3}')
        self.assertRegex(ttl('/assets/a.html'), r'hit; ttl=[01]\b')
        self.assertRegex(ttl('/none'), r'hit; ttl=(60|59)')
        self.assertRegex(ttl('/bad-fresh'), r'hit; ttl=(60|59)')
        self.assertNotIn('hit', ttl('/bad'))
        self.assertNotIn('hit', ttl('/set'))
        self.assertEqual(len([r for r in asked if r[1] == '/none']), 1)

    def test_reloads_of_versioned_urls_stay_here(self):
        origin, asked = self.origin(lambda _: (200, 'Cache-Control: max-age=0\r\nETag: "1"\r\n', b'js'))
        edge = self.edge(origin, cache=r'''ttl = [
            { path_regex = "[.][0-9a-f]{8}[.]js$", immutable = true } ]''')
        for _ in range(3):
            answer = edge.get('/app.0123abcd.js', fields={'Cache-Control': 'max-age=0'})
            self.assertEqual(answer['Cache-Control'], 'public, max-age=31536000, immutable')
        self.assertEqual(len(asked), 1)


class Fallback(Cdn):
    def test_the_next_server_then_the_stale_answer_then_the_page(self):
        page = os.path.join(self.folder, 'down.html')
        with open(page, 'wb') as file:
            file.write(b'<h1>back soon</h1>')
        first, _ = self.origin(lambda _: (200, 'Connection: close\r\nCache-Control: s-maxage=1\r\n', b'first'))
        second, _ = self.origin(lambda _: (200, 'Connection: close\r\nCache-Control: s-maxage=1\r\n', b'second'))
        edge = self.edge(first, second, listener=f'error_pages = {{ 5xx = "{page}" }}',
                         cache='stale_if_unreachable = "0s"\nttl = [ { stale_if_error = "1h" } ]')
        bodies = {edge.get(f'/{n}').body for n in range(4)}
        self.assertEqual(bodies, {b'first', b'second'})
        first.close()
        self.assertEqual({edge.get(f'/next{n}').body for n in range(4)}, {b'second'})
        second.close()
        time.sleep(2.1)
        stale = edge.get('/0')
        self.assertEqual(stale.status, 200)
        self.assertIn(stale.body, (b'first', b'second'))
        down = edge.get('/never-seen')
        self.assertIn(down.status, (502, 503, 504))
        self.assertEqual((down.body, down['Content-Type']), (b'<h1>back soon</h1>', 'text/html; charset=utf-8'))
        self.assertEqual(down['Cache-Control'], 'no-store')

    def test_pages_of_files_gates_and_no_route(self):
        root = self.subfolder('site')
        pages = self.subfolder('pages')
        put(pages, {'404.html': b'lost', '403.txt': b'no', '4xx.html': b'some 4xx'})
        edge = self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            error_pages = {{ 404 = "{pages}/404.html", 4xx = "{pages}/4xx.html" }}
            [[route]]
            host = "files"
            files = {{ root = "{root}" }}
            [[route]]
            host = "shut"
            respond = {{ body = "in" }}
            deny = ["0.0.0.0/0"]
            error_pages = {{ 403 = "{pages}/403.txt" }}
            ''')
        self.assertEqual((edge.get('/none', name='files').status, edge.get('/none', name='files').body), (404, b'lost'))
        self.assertEqual(edge.get('/', name='nowhere').body, b'lost')
        shut = edge.get('/', name='shut')
        self.assertEqual((shut.status, shut.body, shut['Content-Type']), (403, b'no', 'text/plain; charset=utf-8'))
        self.assertEqual(edge.get('/', method='DELETE', name='files').body, b'some 4xx')
        self.assertEqual(edge.get('/none', name='files', method='HEAD').body, b'')
        put(pages, {'404.html': b'changed'})
        edge.reload()
        self.assertEqual(edge.get('/none', name='files').body, b'changed')


class Warm(Cdn):
    def test_a_list_of_urls(self):
        def answer(target):
            if target == '/missing':
                return 404, '', b''
            if target == '/own':
                return 200, 'Cache-Control: private\r\n', b'x'
            return 200, 'Content-Type: text/plain\r\nCache-Control: max-age=600\r\n', TEXT
        origin, asked = self.origin(answer)
        for profile in ('cdn-safe', 'rfc'):
            with self.subTest(profile):
                asked.clear()
                edge = self.edge(origin, cache=f'profile = "{profile}"\ncompress = ["br"]')
                path = os.path.join(self.folder, 'urls')
                with open(path, 'w', encoding='utf-8') as file:
                    file.write('# what is asked for most\n\n' + ''.join(f'http://shop.example/{n}\n' for n in range(50)))
                said = edge.command('cache', 'warm', path, '--encoding', 'br')
                self.assertIn(' 100 requests', ' ' + said)
                self.assertIn('50 stored, 50 there already, 0 not stored, 0 failed', said)
                self.assertEqual(len(asked), 50)
                got = edge.get('/7', name='shop.example', fields={'Accept-Encoding': 'br'})
                self.assertEqual((got['Content-Encoding'], decoded('br', got.body)), ('br', TEXT))
                self.assertIn('Content-Length', dict(got.fields), 'it was made before')
                self.assertEqual(len(asked), 50)
                with open(path, 'w', encoding='utf-8') as file:
                    file.write('http://shop.example/1\nhttp://shop.example/missing\nhttp://shop.example/own\n'
                               )
                done = edge.command('cache', 'warm', path, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn('0 stored, 1 there already, 1 not stored, 1 failed', done.stdout)
                self.assertIn('http://shop.example/missing: answered 404', done.stderr)
                with open(path, 'w', encoding='utf-8') as file:
                    file.write('http://a/\nshop.example/1\nhttps://shop.example/1\n')
                done = edge.command('cache', 'warm', path, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn('urls:2: shop.example/1 is no URL', done.stderr)
                self.assertIn('urls:3: https://shop.example/1: no listener speaks TLS', done.stderr)


if __name__ == '__main__':
    harness.main()
