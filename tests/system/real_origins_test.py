"""Portolan before real nginx and Apache: what goes in comes out, byte for byte."""
import hashlib
import random

import harness

SEED = 20261123


def noise(size, seed=SEED):
    return random.Random(seed).randbytes(size)


CONFIG = '''
    [listener.http]
    listen = ["127.0.0.1:{port}"]
    [pool.app]
    servers = [SERVERS]
    [[route]]
    pool = "app"
'''


def config(*origins):
    return CONFIG.replace('SERVERS', ', '.join(f'"127.0.0.1:{origin.port}"' for origin in origins))


class RealOrigins(harness.Case):
    def test_round_robin_over_two(self):
        origins = [self.nginx(name='one'), self.nginx(name='two')]
        edge = self.portolan(config(*origins))
        names = [edge.get('/name').body.decode().strip() for _ in range(100)]
        self.assertEqual(len(names), 100)
        for origin in origins:
            with open(origin.access_path, encoding='utf-8') as file:
                asked = file.read().count('GET /name ')
            self.assertEqual(asked, names.count(origin.name))
            self.assertAlmostEqual(asked, 50, delta=1)

    def test_get_and_head(self):
        body = noise(70_000)
        edge = self.portolan(config(self.nginx({'a.txt': body})))
        answer = edge.get('/a.txt')
        self.assertEqual((answer.status, answer.body), (200, body))
        self.assertRegex(answer['Via'], r'^1\.1 \S+')
        head = edge.get('/a.txt', method='HEAD')
        self.assertEqual((head.status, head['Content-Length'], head.body), (200, '70000', b''))
        self.assertEqual(edge.get('/none').status, 404)

    def test_keep_alive_and_pipelining_to_the_client(self):
        edge = self.portolan(config(self.nginx({f'{n}.txt': b'%d' % n for n in range(20)})))
        with edge.client() as client:
            for n in range(20):
                client.request(target=f'/{n}.txt')
            self.assertEqual([client.answer().body for _ in range(20)], [b'%d' % n for n in range(20)])

    def test_keep_alive_to_apache(self):
        origin = self.apache({'a.txt': b'from apache'})
        edge = self.portolan(config(origin))
        with edge.client() as client:
            for _ in range(50):
                self.assertEqual(client.request(target='/a.txt').answer().body, b'from apache')
        def reused():                                           # Apache writes a line after it has answered
            with open(origin.access_path, encoding='utf-8') as file:
                return [int(line.split()[2]) for line in file if '/a.txt' in line]

        harness.wait_until(lambda: len(reused()) == 50, 5, 'fifty lines in the log')
        self.assertGreaterEqual(max(reused()), 45, 'one connection carries them all')

    def test_large_bodies_arrive_whole(self):
        body = noise(harness.scale(32, 256) << 20)
        for origin in (self.nginx({'big': body}), self.apache({'big': body})):
            with self.subTest(origin.name):
                edge = self.portolan(config(origin))
                got = self.curl(f'http://127.0.0.1:{edge.port}/big')
                self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(body).digest())

    def test_ranges(self):
        body = noise(1_000_000)
        edge = self.portolan(config(self.nginx({'a': body})))
        for asked, first, last in (('0-0', 0, 0), ('500-999', 500, 999), ('-100', 999_900, 999_999)):
            got = edge.get('/a', fields={'Range': f'bytes={asked}'})
            self.assertEqual((got.status, got['Content-Range']), (206, f'bytes {first}-{last}/1000000'))
            self.assertEqual(got.body, body[first:last + 1])
        self.assertEqual(edge.get('/a', fields={'Range': 'bytes=1000000-'}).status, 416)

    def test_uploads_by_length_and_chunked(self):
        body = noise(5_000_000)
        origin = self.nginx(locations='location /put/ { dav_methods PUT; create_full_put_path on; }')
        edge = self.portolan(config(origin))
        path = f'{self.folder}/upload'
        with open(path, 'wb') as file:
            file.write(body)
        for name, fields in (('length', ['Expect:']), ('chunked', ['Expect:', 'Transfer-Encoding: chunked']),
                             ('continue', ['Expect: 100-continue'])):
            with self.subTest(name):
                arguments = [part for field in fields for part in ('-H', field)]
                self.curl(*arguments, '-X', 'PUT', '--data-binary', f'@{path}',
                          f'http://127.0.0.1:{edge.port}/put/{name}', '--fail')
                with open(f'{origin.folder}/www/put/{name}', 'rb') as file:
                    self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(body).digest())

    def test_compressed_and_chunked_from_apache(self):
        text = noise(300_000).hex().encode()
        origin = self.apache({'a.txt': text}, directives='SetOutputFilter DEFLATE')
        edge = self.portolan(config(origin))
        url = f'http://127.0.0.1:{edge.port}/a.txt'
        self.assertEqual(self.curl('--compressed', url), text)
        self.assertEqual(edge.get('/a.txt', fields={'Accept-Encoding': 'gzip'})['Transfer-Encoding'], 'chunked')

    def test_no_origin_left(self):
        origin = self.nginx()
        edge = self.portolan(config(origin))
        self.assertEqual(edge.get('/name').status, 200)
        origin.kill()
        answer = edge.get('/name')
        self.assertIn(answer.status, (502, 503))
        self.restart(origin)
        harness.wait_until(lambda: edge.get('/name').status == 200, what='the origin is back')

    def test_wrk_has_no_errors(self):
        """Through two nginx origins, cached and not; the figures go into the README."""
        origins = [self.nginx({'a.txt': b'x' * 1000, 'cached/a.txt': b'x' * 1000},
                              locations='location /cached/ { expires 1h; }') for _ in range(2)]
        edge = self.portolan(config(*origins) + '''
    [[route]]
    path = "/cached/"
    pool = "app"
    cache = "edge"
    [cache.edge]
    memory = "32 MiB"
''')
        for target in ('/a.txt', '/cached/a.txt'):
            with self.subTest(target):
                result = self.wrk(edge.port, target, seconds=harness.scale(3, 10))
                self.assertEqual((result['errors'], result['non2xx']), ([0, 0, 0, 0], 0), result['text'])
                self.assertGreater(result['requests'], 1000)
                if harness.FULL:
                    print(target, result['text'])


if __name__ == '__main__':
    harness.main()
