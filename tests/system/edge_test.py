"""The edge over the wire: static files, and the cache before real origins."""
import json
import os
import threading
import time

import harness

CACHED = '''
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{port}"]
[[route]]
pool = "app"
cache = "edge"
[cache.edge]
memory = "64 MiB"
{more}
'''


def cached(origin, more=''):
    return CACHED.format(port=origin.port, more=more)


class Files(harness.Case):
    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.folder, 'site')
        self.put('one/index.html', b'<h1>one</h1>')
        self.put('one/a.css', b'body {}')
        self.put('one/data.bin', bytes(range(256)) * 4000)
        self.put('secret.txt', b'secret')
        os.symlink('one', f'{self.root}/current')
        os.symlink('../secret.txt', f'{self.root}/one/link.txt')
        self.edge = self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [[route]]
            path = "/s/"
            files = {{ root = "{self.root}/current", strip_prefix = "/s/" }}
            ''')

    def put(self, path, content):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(content)

    def test_types_and_index(self):
        answer = self.edge.get('/s/')
        self.assertEqual((answer.status, answer.body), (200, b'<h1>one</h1>'))
        self.assertTrue(answer['Content-Type'].startswith('text/html'))
        self.assertTrue(self.edge.get('/s/a.css')['Content-Type'].startswith('text/css'))
        self.assertEqual(self.edge.get('/s/none').status, 404)
        self.assertEqual(self.edge.get('/s/a.css', method='DELETE').status, 405)

    def test_ranges_and_conditions(self):
        whole = self.edge.get('/s/data.bin')
        self.assertEqual(whole.body, bytes(range(256)) * 4000)
        self.assertRegex(whole['ETag'], r'^"[^"]+"$')
        part = self.edge.get('/s/data.bin', fields={'Range': 'bytes=1000-1999'})
        self.assertEqual((part.status, part.body), (206, whole.body[1000:2000]))
        self.assertEqual(self.edge.get('/s/data.bin', fields={'If-None-Match': whole['ETag']}).status, 304)
        self.assertEqual(self.edge.get('/s/data.bin', fields={'If-Match': '"other"'}).status, 412)
        self.assertEqual(self.edge.get('/s/data.bin', fields={'If-Modified-Since': whole['Last-Modified']}).status, 304)
        self.assertEqual(self.edge.get('/s/data.bin', fields={'Range': 'bytes=9999999-'}).status, 416)

    def test_no_way_out_of_the_root(self):
        for target in ('/s/../secret.txt', '/s/%2e%2e/secret.txt', '/s/..%2fsecret.txt', '/s/a%00.css', '/s/link.txt',
                       '/s/x/../../secret.txt', '/s//../secret.txt', '/s/.%2e/secret.txt', '/s/%2fetc/passwd'):
            with self.subTest(target), self.edge.client() as client:
                answer = client.request(target=target).answer()
                self.assertIn(answer.status, (400, 403, 404))
                self.assertNotIn(b'secret', answer.body)

    def test_a_swapped_link_deploys(self):
        self.put('two/index.html', b'<h1>two</h1>')
        with self.edge.client() as client:
            self.assertEqual(client.request(target='/s/').answer().body, b'<h1>one</h1>')
            os.symlink('two', f'{self.root}/next')
            os.rename(f'{self.root}/next', f'{self.root}/current')
            harness.wait_until(lambda: client.request(target='/s/').answer().body == b'<h1>two</h1>', 3, 'the new root')


class Cache(harness.Case):
    def origin(self, answer, delay=0):
        """Counts the requests; answer(number) gives the fields and the body."""
        asked = []

        def handler(client, _):
            while True:
                request = client.request_head()
                client.request_body(request[2])
                asked.append(request)
                time.sleep(delay)
                fields, body = answer(len(asked))
                client.send(f'HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {len(body)}\r\n\r\n')
                if request[0] != 'HEAD':
                    client.send(body)
        return self.scripted(handler), asked

    def test_hit_age_and_cache_status(self):
        origin, asked = self.origin(lambda n: ('Cache-Control: max-age=60', b'number %d' % n))
        edge = self.portolan(cached(origin))
        first = edge.get('/a')
        self.assertIn('fwd=', first['Cache-Status'])
        time.sleep(1.1)
        second = edge.get('/a')
        self.assertEqual((second.body, len(asked)), (b'number 1', 1))
        self.assertIn('hit', second['Cache-Status'])
        self.assertGreaterEqual(int(second['Age']), 1)
        self.assertEqual(edge.get('/a', method='HEAD').body, b'')
        self.assertEqual(len(asked), 1)

    def test_one_fetch_for_many(self):
        origin, asked = self.origin(lambda n: ('Cache-Control: max-age=60', b'x' * 100_000), delay=0.5)
        edge = self.portolan(cached(origin))
        bodies = []
        threads = [threading.Thread(target=lambda: bodies.append(edge.get('/a').body)) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((bodies, len(asked)), ([b'x' * 100_000] * 50, 1))

    def test_leaving_does_not_end_the_fetch(self):
        origin, asked = self.origin(lambda n: ('Cache-Control: max-age=60', b'x' * 100_000), delay=0.5)
        edge = self.portolan(cached(origin))
        with edge.client() as client:
            client.request(target='/a')
            time.sleep(0.2)
            client.reset()
        self.assertEqual(edge.get('/a').body, b'x' * 100_000)
        self.assertEqual(len(asked), 1)

    def test_the_first_asker_leaves_the_others_stay(self):
        """The fetch is the worker's: bytes already on the way reach all who follow, whoever began it."""
        rest = threading.Event()

        def handler(client, _):
            client.request_head()
            client.send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 200000\r\n\r\n')
            client.send(b'x' * 100_000)
            rest.wait(20)
            client.send(b'x' * 100_000)
        origin = self.scripted(handler)
        self.addCleanup(rest.set)
        edge = self.portolan(cached(origin))
        leader = edge.client().request(target='/a')
        leader.head()
        followers = [edge.client().request(target='/a') for _ in range(20)]
        for follower in followers:
            follower.head()
            follower.exactly(100_000)                              # streamed before the fetch is over
        leader.reset()
        time.sleep(0.1)
        rest.set()
        for follower in followers:
            self.assertEqual(follower.exactly(100_000), b'x' * 100_000)
            follower.close()
        self.assertEqual(edge.get('/a').body, b'x' * 200_000)
        self.assertEqual(origin.connections, 1)

    def test_truncated_is_not_stored(self):
        for broken in ('Content-Length: 100\r\n\r\nshort', 'Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n',
                       'Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nnonsense\r\n'):
            with self.subTest(broken):
                def handler(client, _, broken=broken):
                    client.request_head()
                    client.send('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n' + broken)
                origin = self.scripted(handler)
                edge = self.portolan(cached(origin))
                for _ in range(3):
                    with edge.client() as client, self.assertRaises(ConnectionError):
                        client.request(target='/a').answer()
                self.assertGreaterEqual(origin.connections, 3)

    def test_an_unreachable_origin_is_not_stored(self):
        origin, _ = self.origin(lambda n: ('Cache-Control: max-age=60', b'fine'))
        edge = self.portolan(cached(origin))
        origin.close()
        self.assertIn(edge.get('/a').status, (502, 503))
        self.assertIn(edge.get('/a').status, (502, 503))
        again = harness.ScriptedOrigin(origin.handler, port=origin.port)
        self.addCleanup(again.close)
        harness.wait_until(lambda: edge.get('/a').status == 200, 5, 'the origin is back')
        self.assertEqual(edge.get('/a').body, b'fine')

    def test_purge(self):
        origin, asked = self.origin(lambda n: ('Cache-Control: max-age=60', b'number %d' % n))
        edge = self.portolan(cached(origin))
        edge.get('/a', name='site.example')
        self.assertEqual(edge.get('/a', name='site.example').body, b'number 1')
        edge.command('purge', 'http://site.example/a')
        self.assertEqual(edge.get('/a', name='site.example').body, b'number 2')

    def test_looking_inside(self):
        origin, asked = self.origin(lambda n: ('Cache-Control: max-age=60\r\nVary: Accept-Language', b'number %d' % n))
        edge = self.portolan(cached(origin))
        for _ in range(3):
            edge.get('/a', name='site.example', fields={'Accept-Language': 'de'})
        german = ('cache', 'inspect', 'http://site.example/a', '--header', 'Accept-Language: de', '--json')
        found = json.loads(edge.command(*german))['caches'][0]
        self.assertEqual((found['outcome'], found['variants'][0]['vary'], found['variants'][0]['hits']),
                         ('hit', 'accept-language: de', 2))
        self.assertIn('miss: what is stored was an answer to other values',
                      edge.command('cache', 'inspect', 'http://site.example/a'))
        top = json.loads(edge.command('cache', 'top', '5', '--json'))['caches'][0]['keys']
        self.assertEqual([(k['key'], k['requests']) for k in top], [('http://site.example/a', 3)])
        counts = json.loads(edge.command('cache', 'stats', '--json'))['caches'][0]
        self.assertEqual((counts['objects'], counts['hits'], counts['misses']), (1, 2, 1))
        self.assertIn('hit rate', edge.command('cache', 'stats'))
        self.assertEqual(len(asked), 1)

    def test_counts_of_the_cache_in_metrics(self):
        origin, _ = self.origin(lambda n: ('Cache-Control: max-age=60', b'number %d' % n))
        edge = self.portolan(cached(origin))
        for path in ('/a', '/a', '/b'):
            edge.get(path)
        edge.get('/a', fields={'Cookie': 'a=b'})
        text = edge.metrics_text()
        for name, value in (('objects', 2), ('hits_total', 1), ('misses_total', 2), ('bypassed_total', 1),
                            ('stored_total', 2), ('collapsed_total', 0), ('stale_total', 0), ('validated_total', 0),
                            ('evictions_total', 0), ('too_large_total', 0), ('fetches', 0), ('passing_bytes', 0)):
            self.assertIn('portolan_cache_%s{cache="edge"} %d\n' % (name, value), text)
        for name in ('bytes', 'budget_bytes', 'purged_total'):
            self.assertIn('portolan_cache_%s{cache="edge"} ' % name, text)

    def test_cookies_pass(self):
        origin, asked = self.origin(lambda n: ('Cache-Control: max-age=60', b'number %d' % n))
        edge = self.portolan(cached(origin, 'ignore_cookies = ["_ga*"]'))
        edge.get('/a')
        self.assertEqual(edge.get('/a', fields={'Cookie': 'session=1'}).body, b'number 2')
        self.assertEqual(edge.get('/a', fields={'Cookie': '_ga_x=1'}).body, b'number 1')

    def test_validation_with_a_real_origin(self):
        origin = self.nginx({'a.txt': b'abc'}, locations='location = /a.txt { add_header Cache-Control max-age=1; }')
        edge = self.portolan(cached(origin))
        first = edge.get('/a.txt')
        self.assertEqual(edge.get('/a.txt', fields={'If-None-Match': first['ETag']}).status, 304)
        time.sleep(2.1)
        self.assertEqual(edge.get('/a.txt').body, b'abc')
        with open(origin.access_path, encoding='utf-8') as file:
            self.assertIn('" 304 ', file.read(), 'the origin was asked with a condition')

    def test_wrk_on_a_cached_route(self):
        origin = self.nginx({'a.txt': b'x' * 1000}, locations='location = /a.txt { expires 1h; }')
        edge = self.portolan(cached(origin))
        result = self.wrk(edge.port, '/a.txt', seconds=harness.scale(3, 10))
        self.assertEqual((result['errors'], result['non2xx']), ([0, 0, 0, 0], 0), result['text'])


if __name__ == '__main__':
    harness.main()
