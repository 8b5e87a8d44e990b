"""What operators are told of the caches beside what clients get: inspect and explain, purges, dump and load, with routes that
conditions lead to, signatures, and a disk."""
import json
import os
import subprocess
import time

import harness

CONFIG = '''
[server]
name = "edge"
{{control}}
[listener.main]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{app}"]
[pool.beta]
servers = ["127.0.0.1:{beta}"]
[cache.edge]
{disk}
[cache.other]
[[route]]
name = "all"
host = "www.example.com"
listener = "main"
pool = "app"
cache = "edge"
cache_bypass = {{ cookie = ["preview", "wp_*"], header = "x-preview" }}
[[route]]
name = "beta"
host = "www.example.com"
listener = "main"
header = {{ x-beta = "1" }}
pool = "beta"
cache = "edge"
[[route]]
host = "plain.example.com"
pool = "app"
[[route]]
host = "media.example.com"
pool = "app"
cache = "edge"
{signed}
'''
WWW = 'http://www.example.com'
MEDIA = 'http://media.example.com'


class Told(harness.Case):
    def edge(self, disk='', signed=''):
        self.asked = []

        def origin(name):
            def handler(client, _):
                while True:
                    _, target, fields = client.request_head()
                    client.request_body(fields)
                    self.asked.append(target)
                    status = '404 Not Found' if 'missing' in target else '200 OK'
                    body = f'{name} {len(self.asked)}'.encode()
                    control = 'no-store' if 'own' in target else 'max-age=600'
                    client.send(f'HTTP/1.1 {status}\r\nCache-Control: {control}\r\nContent-Length: {len(body)}\r\n\r\n')
                    client.send(body)
            return self.scripted(handler)
        self.server = self.portolan(CONFIG.format(app=origin('app').port, beta=origin('beta').port, disk=disk, signed=signed))
        return self.server

    def get(self, url, **fields):
        host, _, path = url.removeprefix('http://').partition('/')
        return self.server.get('/' + path, name=host, fields={k.replace('_', '-'): v for k, v in fields.items()})

    def inspect(self, url, *options):
        return json.loads(self.server.command('cache', 'inspect', url, '--json', *options))

    def agrees(self, url, *headers):
        """What is told of a request before it is made, and what becomes of it."""
        told = self.inspect(url, *(word for header in headers for word in ('--header', header)))
        answer = self.get(url, **dict(header.split(': ') for header in headers))
        status = answer['Cache-Status'] or ''
        became = ('hit' if '; hit' in status else 'miss' if 'fwd=uri-miss' in status else
                  'bypass' if 'fwd=bypass' in status else status)
        self.assertEqual(told['outcome'], became, f'{told} {status}')
        return told

    def test_routes_keep_apart_what_they_store(self):
        self.edge()
        self.assertEqual(self.agrees(f'{WWW}/a')['route'], 'all')
        hit = self.agrees(f'{WWW}/a')
        self.assertEqual((hit['outcome'], hit['listener'], [c['name'] for c in hit['caches']]), ('hit', 'main', ['edge']))
        beta = self.agrees(f'{WWW}/a', 'X-Beta: 1')
        self.assertEqual((beta['route'], beta['outcome'], beta['caches'][0]['variants']), ('beta', 'miss', []))
        self.agrees(f'{WWW}/a', 'X-Beta: 1')
        self.assertEqual(self.get(f'{WWW}/a', X_Beta='1').body, b'beta 2')
        plain = self.inspect('http://plain.example.com/')
        self.assertEqual((plain['outcome'], plain['caches']), ('uncached', []))
        nowhere = self.inspect('http://nowhere.example.com/')
        self.assertEqual((nowhere['outcome'], nowhere['why']), ('refused', '404: no route takes it'))
        self.assertEqual(self.get('http://nowhere.example.com/').status, 404)
        wrong = self.server.command('cache', 'inspect', f'{WWW}/', '--listener', 'none', check=False)
        self.assertEqual((wrong.returncode, wrong.stderr), (1, 'portolan: there is no "none"; listeners: main\n'))

    def test_what_passes_by_is_told_and_counted(self):
        self.edge()
        self.agrees(f'{WWW}/a')
        for header in ('X-Preview: 1', 'Cookie: preview=1', 'Cookie: wp_x=1'):
            told = self.agrees(f'{WWW}/a', header)
            self.assertIn('cache_bypass', told['why'])
            self.assertEqual(told['caches'][0]['outcome'], 'bypass')
            explained = self.server.command('explain', 'GET', f'{WWW}/a', '--header', header)
            self.assertIn("edge: passed by, as the route's cache_bypass says", explained)
        self.assertEqual(self.server.metric('portolan_cache_bypassed_total', cache='edge'), 3)
        self.assertIn('for its cookie', self.agrees(f'{WWW}/a', 'Cookie: sid=1')['why'])
        self.assertEqual(self.server.metric('portolan_cache_bypassed_total', cache='edge'), 4)

    def test_a_purge_of_what_only_the_disk_has(self):
        self.edge(disk=f'disk = {{ path = "{self.folder}/store", size = "256 MiB" }}')
        for path in ('/a', '/b', '/c'):
            self.get(WWW + path)
        harness.wait_until(lambda: self.server.metric('portolan_cache_disk_objects', cache='edge') == 3, 10)
        self.server.stop()
        self.server.begin()
        told = self.inspect(f'{WWW}/a')
        self.assertEqual((told['outcome'], told['caches'][0]['variants'][0]['on_disk']), ('hit', True), told)
        self.assertEqual(self.server.command('purge', f'{WWW}/a'),
                         '0 objects in memory purged; what is on the disk is outdated with them, and not counted\n')
        self.server.command('purge', '--prefix', 'www.example.com/b')
        for path in ('/a', '/b'):
            told = self.agrees(WWW + path)
            self.assertEqual((told['outcome'], told['caches'][0]['on_disk']), ('miss', False))
            self.assertIn('purged', told['why'])
        self.assertEqual(self.agrees(f'{WWW}/c')['outcome'], 'hit')

    def test_signed_urls(self):
        keys = os.path.join(self.folder, 'url-keys')
        with open(keys, 'w', encoding='ascii') as file:
            file.write('k1:0123456789abcdef0123456789abcdef\n')
        self.edge(signed=f'signed_urls = {{ keys_file = "{keys}" }}')
        signed = subprocess.run([harness.BINARY, 'sign-url', '--keys', keys, f'{MEDIA}/v/1?q=1'], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.assertEqual(self.get(signed).body, b'app 1')
        self.assertEqual(self.inspect(signed)['outcome'], 'hit')
        self.assertEqual(self.inspect(signed)['caches'][0]['key'], f'{MEDIA}/v/1?q=1')
        bare = self.inspect(f'{MEDIA}/v/1?q=1')
        self.assertEqual((bare['outcome'], self.get(f'{MEDIA}/v/1?q=1').status), ('refused', 403), bare)
        self.assertIn('its signature holds', self.server.command('explain', 'GET', signed))
        self.assertIn('403: the signature', self.server.command('explain', 'GET', signed + 'x'))

        self.get(f'{WWW}/page')
        self.get(f'{WWW}/missing')
        self.get(f'{WWW}/own')
        path = os.path.join(self.folder, 'hot')
        self.server.command('cache', 'dump', path)
        with open(path, encoding='utf-8') as file:
            self.assertEqual(sorted(file.read().split()), [f'{MEDIA}/v/1?q=1', f'{WWW}/page'])
        self.assertEqual(self.server.command('purge', signed), '1 object purged\n')
        self.assertEqual(self.get(signed).body, b'app 5', 'it is gone')
        self.server.command('purge', '--all')
        self.assertIn('2 stored, 0 there already, 0 not stored, 0 failed', self.server.command('cache', 'load', path))
        self.assertIn('; hit', self.get(signed)['Cache-Status'])
        time.sleep(1.1)
        self.assertEqual(self.inspect(signed)['outcome'], 'hit')


if __name__ == '__main__':
    harness.main()
