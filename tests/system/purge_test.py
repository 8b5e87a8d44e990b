"""Purges over the wire: every kind, soft and hard, by operators and by those with a token."""
import json
import os
import re
import subprocess
import threading
import time

import harness

CONFIG = '''
[server]
{{control}}
{purge}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{port}"]
[[route]]
pool = "app"
cache = "edge"
[[route]]
path = "/other"
pool = "app"
cache = "other"
[cache.edge]
memory = "64 MiB"
{more}
[cache.other]
memory = "16 MiB"
'''


class Purges(harness.Case):
    """The origin numbers its answers; what follows a "+" in a path are its tags."""

    def setUp(self):
        super().setUp()
        self.asked, self.fields, self.gate, self.broken = [], 'Cache-Control: max-age=600', None, False
        self.lock = threading.Lock()

        def handler(client, _):
            while True:
                request = client.request_head()
                client.request_body(request[2])
                with self.lock:
                    self.asked.append(request)
                    number = len(self.asked)
                if self.gate:
                    self.gate.wait(20)
                tags = request[1].partition('+')[2].split('+')
                status, body = '200 OK', b'number %d' % number
                if dict(request[2]).get('If-None-Match') == '"same"':
                    status, body = '304 Not Modified', b''
                if self.broken:
                    status, body = '503 Service Unavailable', b''
                length = '' if status.startswith('304') else f'Content-Length: {len(body)}\r\n'
                client.send(f'HTTP/1.1 {status}\r\n{self.fields}\r\nETag: "same"\r\nSurrogate-Key: {" ".join(tags)}\r\n'
                            f'Cache-Tag: all, path {request[1].partition("+")[0]}\r\n{length}\r\n')
                client.send(body)
        self.origin = self.scripted(handler)

    def edge(self, purge='', more=''):
        return self.portolan(CONFIG.format(port=self.origin.port, purge=purge, more=more))

    def fill(self, edge, *targets, name='site.example'):
        for target in targets:
            edge.get(target, name=name)

    def gone(self, edge, *targets, name='site.example'):
        """Which of them have to be fetched anew."""
        out = []
        for target in targets:
            if 'hit' not in edge.get(target, name=name)['Cache-Status']:
                out.append(target)
        return out

    def test_each_kind_reaches_what_it_names(self):
        edge = self.edge()
        every = ('/a', '/a?q', '/img', '/img/1', '/imgs', '/img/2+red', '/x+red+blue')
        for what, reached in ((['http://site.example/a'], ['/a']),
                              (['--prefix', 'site.example/img'], ['/img', '/img/1', '/img/2+red']),
                              (['--prefix', 'site.example/im*'], ['/img', '/img/1', '/imgs', '/img/2+red']),
                              (['--tag', 'red'], ['/img/2+red', '/x+red+blue']),
                              (['--tag', 'path /a'], ['/a']),
                              (['--tag', 'blue', 'http://site.example/a?q'], ['/a?q', '/x+red+blue']),
                              (['--host', 'site.example'], list(every)),
                              (['--host', 'example'], []),
                              (['--all'], list(every))):
            self.fill(edge, *every)
            self.fill(edge, '/a', name='other.example')
            edge.command('purge', *what)
            self.assertEqual(self.gone(edge, *every), reached, what)
            self.assertEqual(self.gone(edge, '/a', name='other.example'), ['/a'] if what in (['--all'], ['--tag', 'path /a']) else [], what)
            self.assertEqual(self.gone(edge, *every), [], 'fetched since')
        self.assertEqual(edge.metric('portolan_cache_purges_total', cache='edge'), 10)

    def test_one_cache_or_all(self):
        edge = self.edge()
        self.fill(edge, '/a+t', '/other/x+t')
        edge.command('purge', '--tag', 't', '--cache', 'other')
        self.assertEqual(self.gone(edge, '/a+t', '/other/x+t'), ['/other/x+t'])
        edge.command('purge', '--tag', 't')
        self.assertEqual(self.gone(edge, '/a+t', '/other/x+t'), ['/a+t', '/other/x+t'])
        done = edge.command('purge', '--tag', 't', '--cache', 'nothing', check=False)
        self.assertEqual((done.returncode, done.stderr), (1, 'portolan: no cache nothing; there are: edge, other\n'))

    def test_clients_get_no_tags(self):
        edge = self.edge()
        for fields in ({}, {}, {'Cookie': 'a=b'}):              # fetched, stored, passed by
            answer = edge.get('/a+t', fields=fields)
            self.assertIsNone(answer.get('Surrogate-Key'))
            self.assertIsNone(answer.get('Cache-Tag'))
        edge.reload(CONFIG.format(port=self.origin.port, purge='', more='keep_tags = true'))
        edge.command('purge', '--all')
        for fields in ({}, {}, {'Cookie': 'a=b'}):
            answer = edge.get('/a+t', fields=fields)
            self.assertEqual((answer['Surrogate-Key'], answer['Cache-Tag']), ('t', 'all, path /a'))

    def test_soft_serves_stale_while_it_validates(self):
        self.fields = 'Cache-Control: max-age=600, stale-while-revalidate=30, stale-if-error=60'
        edge = self.edge()
        self.fill(edge, '/a+t')
        edge.command('purge', '--tag', 't', '--soft')
        first = edge.get('/a+t', name='site.example')
        self.assertEqual(first.body, b'number 1', 'served at once')
        harness.wait_until(lambda: len(self.asked) == 2, 5, 'it is validated')
        self.assertEqual(dict(self.asked[1][2])['If-None-Match'], '"same"')
        harness.wait_until(lambda: int(re.search(r'ttl=(-?\d+)', edge.get('/a+t', name='site.example')['Cache-Status'])
                                       .group(1)) > 500, 5, 'fresh again')
        self.assertEqual(len(self.asked), 2)
        edge.command('purge', '--all', '--soft')
        self.broken = True
        self.assertEqual(edge.get('/a+t', name='site.example').body, b'number 1', 'it stands in')

    def test_a_purge_wins_over_a_fetch_under_way(self):
        edge = self.edge()
        self.gate = threading.Event()
        got = []
        readers = [threading.Thread(target=lambda: got.append(edge.get('/a+t', name='site.example').body))
                   for _ in range(5)]
        for reader in readers:
            reader.start()
        harness.wait_until(lambda: self.asked, 5, 'it is asked for')
        time.sleep(0.2)
        edge.command('purge', '--tag', 't')
        gate, self.gate = self.gate, None
        gate.set()
        for reader in readers:
            reader.join()
        self.assertEqual(len(got), 5)
        self.assertIn(b'number 1', got, 'who asked first reads on')
        self.assertNotEqual(edge.get('/a+t', name='site.example').body, b'number 1')

    def token(self, name):
        done = subprocess.run([harness.BINARY, 'purge-token', name], capture_output=True, text=True, check=True)
        return done.stderr.split()[-1], done.stdout

    def door(self, *lines, more=''):
        port, path = harness.free_port(), os.path.join(self.folder, 'tokens')
        with open(path, 'w', encoding='ascii') as file:
            file.write('# who may purge\n' + ''.join(lines))
        return port, f'purge = {{ listen = "127.0.0.1:{port}", tokens_file = "{path}"{more} }}'

    @staticmethod
    def ask(port, token, body, target='/purge', method='POST', name='purge'):
        fields = {'Authorization': f'Bearer {token}'} if token else {}
        return harness.fetch(port, target, method=method, name=name, fields=fields,
                             body=json.dumps(body).encode() if body else None)

    def test_tokens_may_purge_and_nothing_else(self):
        token, line = self.token('shop')
        other, _ = self.token('other')
        self.assertNotIn(token, line)
        port, purge = self.door(line)
        edge = self.edge(purge)
        self.fill(edge, '/a+t', '/b')
        for wrong in (None, other, token + 'x', token[1:], line.split(':')[1].strip()):
            answer = self.ask(port, wrong, {'tag': 't'})
            self.assertEqual((answer.status, answer['WWW-Authenticate']), (401, 'Bearer'))
        self.assertEqual(self.gone(edge, '/a+t', '/b'), [])
        answer = self.ask(port, token, {'tags': ['t']})
        self.assertEqual((answer.status, json.loads(answer.body)),
                         (200, {'purged': 0, 'caches': {'edge': {'number': 1}, 'other': {'number': 1}}}))
        self.assertEqual(self.gone(edge, '/a+t', '/b'), ['/a+t'])
        answer = self.ask(port, token, None, '/b', 'PURGE', 'site.example')
        self.assertEqual((answer.status, json.loads(answer.body)['purged']), (200, 1))
        self.assertEqual(self.gone(edge, '/a+t', '/b'), ['/b'])
        for target in ('/reload', '/drain', '/enable', '/maintenance', '/explain', '/cache/inspect'):
            self.assertEqual(self.ask(port, token, {'node': True}, target).status, 404, target)
        for target in ('/status', '/metrics', '/cache', '/cache/urls'):
            self.assertEqual(self.ask(port, token, None, target, 'GET').status, 404, target)
        self.assertEqual(self.ask(port, token, {'tagz': ['t']}).status, 400)
        output = edge.output
        self.assertRegex(output, r'event=purged kind=tag value=t soft=no cache=all objects=0 by="token shop from 127.0.0.1"')
        self.assertRegex(output, r'event=purged kind=url value=http://site.example/b soft=no cache=all objects=1 by="token shop')
        self.assertRegex(output, r'event="purge refused" by=127.0.0.1 reason="no ')
        self.assertNotIn(token, output)
        edge.command('purge', '--tag', 'x')
        self.assertRegex(edge.output, rf'kind=tag value=x soft=no cache=all objects=0 by="uid {os.getuid()}"')
        # A line that goes is a token that goes.
        with open(os.path.join(self.folder, 'tokens'), 'w', encoding='ascii') as file:
            file.write(self.token('new')[1])
        edge.reload()
        self.assertEqual(self.ask(port, token, {'tag': 't'}).status, 401)
        with open(os.path.join(self.folder, 'tokens'), 'w', encoding='ascii') as file:
            file.write('shop:nonsense\n')
        done = edge.command('reload', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('the hash of shop is not a SHA-256', done.stderr)
        self.assertEqual(edge.command('check', edge.config_path, check=False).returncode, 2)

    def test_who_purges_too_much_waits(self):
        token, line = self.token('busy')
        calm, calm_line = self.token('calm')
        port, purge = self.door(line, calm_line, more=', rate = "1/s", burst = 3')
        edge = self.edge(purge)
        self.assertEqual(self.ask(port, token, {'tags': ['a', 'b', 'c']}).status, 200)
        answer = self.ask(port, token, {'tag': 'd'})
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer['Retry-After'], '1')
        self.assertEqual(self.ask(port, calm, {'tag': 'd'}).status, 200)
        self.assertEqual(edge.metric('portolan_cache_purges_total', cache='edge'), 4)
        self.assertRegex(edge.output, r'event="purge refused" by="token busy from 127.0.0.1" reason="too many"')
        harness.wait_until(lambda: self.ask(port, token, {'tag': 'd'}).status == 200, 5, 'a token has come')
        edge.command('purge', *(arg for n in range(50) for arg in ('--tag', f't{n}')))     # operators are not counted

    def test_networks(self):
        token, line = self.token('shop')
        port, purge = self.door(line, more=', allow = "192.0.2.0/24"')
        self.edge(purge)
        self.assertEqual(self.ask(port, token, {'tag': 't'}).status, 403)

    def test_hot_keys_fill_a_cache_again(self):
        edge = self.edge()
        for n in range(20):
            for _ in range(20 - n):
                edge.get(f'/page/{n}', name='site.example')
        path = os.path.join(self.folder, 'hot')
        self.assertEqual(edge.command('cache', 'dump', path, '--most', '5', '--cache', 'edge'), f'{path}: 5 URLs\n')
        with open(path, encoding='utf-8') as file:
            self.assertEqual(file.read().split(), [f'http://site.example/page/{n}' for n in range(5)])
        self.assertEqual(edge.command('cache', 'dump').split()[:2], ['http://site.example/page/0', 'http://site.example/page/1'])
        edge.command('purge', '--all')
        self.assertIn('5 stored, 0 there already, 0 not stored, 0 failed', edge.command('cache', 'load', path))
        self.assertEqual(self.gone(edge, '/page/0', '/page/4', '/page/5'), ['/page/5'])

    def test_what_is_purged_stays_so_over_a_kill(self):
        disk = f'disk = {{ path = "{self.folder}/store", size = "256 MiB" }}'
        edge = self.edge(more=disk)
        self.fill(edge, '/a+t', '/b+soft', '/c', '/d')
        self.assertEqual(self.gone(edge, '/a+t', '/b+soft', '/c', '/d'), [])
        harness.wait_until(lambda: 'disk tier serves' in edge.output, 15, 'the disk')
        time.sleep(1.5)                                         # what is durable is so within half a second
        edge.command('purge', '--tag', 't')
        edge.command('purge', '--tag', 'soft', '--soft')
        edge.command('purge', 'http://site.example/c')
        edge.kill()
        edge.begin()
        harness.wait_until(lambda: edge.output.count('disk tier serves') == 2, 15, 'the disk')
        asked = len(self.asked)
        self.assertEqual(edge.get('/d', name='site.example').body, b'number 4')
        self.assertEqual(len(self.asked), asked, '/d came from the disk')
        self.assertEqual(self.gone(edge, '/a+t', '/c'), ['/a+t', '/c'])
        edge.get('/b+soft', name='site.example')
        self.assertEqual(dict(self.asked[-1][2]).get('If-None-Match'), '"same"', 'stale, and validated')
        edge.command('purge', '--all')
        edge.kill()
        path = f'{self.folder}/store/purges.log'
        edge.begin()
        harness.wait_until(lambda: edge.output.count('disk tier serves') == 3, 15, 'the disk')
        self.assertEqual(self.gone(edge, '/a+t', '/b+soft', '/c', '/d'), ['/a+t', '/b+soft', '/c', '/d'])
        time.sleep(1.5)
        edge.kill()
        # Where the list is damaged nobody knows what it said.
        with open(path, 'r+b') as file:
            file.seek(4096)
            file.write(bytes(40))
        edge.begin()
        harness.wait_until(lambda: edge.output.count('disk tier serves') == 4, 15, 'the disk')
        self.assertIn('purges.log is damaged', edge.output)
        self.assertEqual(self.gone(edge, '/d'), ['/d'])


if __name__ == '__main__':
    harness.main()
