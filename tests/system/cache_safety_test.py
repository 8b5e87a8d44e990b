"""Signed URLs, cache_bypass, what of a client is in the key, over the wire."""
import os
import re
import subprocess
import time

import harness

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../docs/caching.md')

CONFIG = '''
[server]
name = "edge"
trusted = ["127.0.0.1"]
{{control}}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{port}"]
{more}
[[route]]
pool = "app"
cache = "edge"
{route}
[cache.edge]
{cache}
'''
SECRET = '0123456789abcdef0123456789abcdef'
HOST = 'media.example.com'


class CacheCase(harness.Case):
    def edge(self, route='', cache='', more=''):
        """Portolan before an origin that numbers its answers; self.asked has what it was asked."""
        self.asked = []

        def handler(client, _):
            while True:
                method, target, fields = client.request_head()
                client.request_body(fields)
                self.asked.append((target, harness.Answer(0, '', fields, b'')))
                body = b'number %d' % len(self.asked)
                client.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n' % len(body))
                if method != 'HEAD':
                    client.send(body)
        origin = self.scripted(handler)
        return self.portolan(CONFIG.format(port=origin.port, route=route, cache=cache, more=more))


class SignedUrls(CacheCase):
    def setUp(self):
        super().setUp()
        self.keys = os.path.join(self.folder, 'url-keys')
        self.write_keys(f'k1:{SECRET}')
        self.server = self.edge(f'signed_urls = {{ keys_file = "{self.keys}" }}')

    def write_keys(self, *lines):
        with open(self.keys, 'w', encoding='ascii') as file:
            file.write('\n'.join(lines) + '\n')

    def sign(self, url, *options):
        done = subprocess.run([harness.BINARY, 'sign-url', '--keys', self.keys, *options, url], check=True,
                              capture_output=True, text=True)
        self.assertTrue(done.stdout.startswith(f'http://{HOST}/'), done.stdout)
        return done.stdout.strip().removeprefix(f'http://{HOST}')

    def get(self, target, **fields):
        return self.server.get(target, name=HOST, fields={k.replace('_', '-'): v for k, v in fields.items()})

    def test_open_what_they_were_signed_for_and_nothing_else(self):
        target = self.sign(f'http://{HOST}/v/1?q=1')
        self.assertEqual(self.get(target).body, b'number 1')
        self.assertEqual(self.asked[-1][0], '/v/1?q=1', 'servers see no signature')
        for wrong in ('/v/1?q=1', target.replace('q=1', 'q=2'), target + 'x', target.replace('/v/1', '/v/2')):
            self.assertEqual(self.get(wrong).status, 403, wrong)
        self.assertEqual(self.server.get(target, name='other.example.com').status, 403)
        self.assertEqual(len(self.asked), 1)

    def test_share_what_is_stored(self):
        first = self.sign(f'http://{HOST}/v/1', '--expires', '1h')
        second = self.sign(f'http://{HOST}/v/1', '--expires', '2h', '--prefix', '/v/')
        self.assertNotEqual(first, second)
        self.assertEqual({self.get(first).body, self.get(second).body}, {b'number 1'})
        self.assertEqual(self.get('/v/1').status, 403, 'what is stored is behind the gate too')
        rest = second.partition('?')[2]
        self.assertEqual(self.get(f'/v/2?{rest}').status, 200)
        self.assertEqual(self.get(f'/w/2?{rest}').status, 403)

    def test_expire(self):
        target = self.sign(f'http://{HOST}/v/1', '--expires', '1s')
        self.assertEqual(self.get(target).status, 200)
        time.sleep(2.1)
        self.assertEqual(self.get(target).status, 403)

    def test_may_be_for_one_network(self):
        target = self.sign(f'http://{HOST}/v/1', '--client', '192.0.2.0/24')
        self.assertEqual(self.get(target, X_Forwarded_For='192.0.2.9').status, 200)
        self.assertEqual(self.get(target, X_Forwarded_For='198.51.100.9').status, 403)
        self.assertEqual(self.get(target).status, 403)

    def test_of_the_old_key_open_until_it_is_taken_away(self):
        old = self.sign(f'http://{HOST}/v/1')
        self.write_keys(f'k2:{SECRET}2', f'k1:{SECRET}')
        self.server.command('reload')
        new = self.sign(f'http://{HOST}/v/1')
        self.assertIn('sig-key=k2', new)
        self.assertEqual([self.get(old).status, self.get(new).status], [200, 200])
        self.write_keys(f'k2:{SECRET}2')
        self.server.command('reload')
        self.assertEqual([self.get(old).status, self.get(new).status], [403, 200])

    def test_as_the_documentation_makes_them(self):
        with open(DOCS, encoding='utf-8') as file:
            command = re.search(r'^\$ (printf .*?)\n```', file.read(), re.M | re.S).group(1)
        expires = str(int(time.time()) + 60)
        self.assertIn('1764200000', command)
        command = command.replace('1764200000', expires)
        mac = subprocess.run(['sh', '-c', command], env=os.environ | {'SECRET': SECRET}, check=True, capture_output=True,
                             text=True).stdout.strip()
        query = f'sig-key=k1&sig-expires={expires}&sig-prefix=/videos/&sig={mac}'
        self.assertEqual(self.get(f'/videos/7/1.ts?t=3&{query}').status, 200)
        self.assertEqual(self.asked[-1][0], '/videos/7/1.ts?t=3')
        self.assertEqual(self.get(f'/other?{query}').status, 403)

    def test_refusals_are_counted(self):
        self.get('/v/1')
        self.assertEqual(self.server.metric('portolan_requests_refused_total', reason='no good signature'), 1)


class ToldToServers(harness.Case):
    """Vary by what servers are told of clients, which no request says: the answer is its client's."""

    def setUp(self):
        super().setUp()
        self.vary = ''

        def handler(client, _):
            while True:
                method, _, fields = client.request_head()
                client.request_body(fields)
                told = dict(fields)
                body = ' '.join(f'{name}={told.get(name)}' for name in ('X-Forwarded-For', 'X-Real-IP', 'X-Near')).encode()
                client.send(f'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: {self.vary}\r\n'
                            f'Content-Length: {len(body)}\r\n\r\n')
                if method != 'HEAD':
                    client.send(body)
        self.origin = self.scripted(handler)

    def test_is_every_clients_own(self):
        edge = self.portolan(CONFIG.format(port=self.origin.port, cache='', more='',
                                           route='request_headers = { set = { X-Near = "to {client_address}" } }'))
        for n, vary in enumerate(('X-Forwarded-For', 'x-real-ip', 'Accept, X-Near', 'Via', 'Client-Cert', 'Accept')):
            self.vary = vary
            for client in ('192.0.2.1', '192.0.2.2'):
                answer = edge.get(f'/{n}', fields={'X-Forwarded-For': client})
                near = client if vary != 'Accept' else '192.0.2.1'
                self.assertIn(b'X-Near=to ' + near.encode(), answer.body, vary)
            self.assertEqual('hit' in answer['Cache-Status'], vary == 'Accept', vary)


class Bypass(CacheCase):
    def test_is_the_clients_alone(self):
        edge = self.edge('cache_bypass = { cookie = "preview", header = "x-preview", query = ["nocache"] }',
                         'ignore_cookies = ["preview"]')
        self.assertEqual(edge.get('/a').body, b'number 1')
        for n, asks in enumerate(({'fields': {'Cookie': 'preview=1'}}, {'fields': {'X-Preview': 'yes'}}), 2):
            answer = edge.get('/a', **asks)
            self.assertEqual(answer.body, b'number %d' % n)
            self.assertIn('fwd=bypass; detail=rule', answer['Cache-Status'])
        self.assertEqual(edge.get('/a').body, b'number 1', 'what was stored stays')
        self.assertEqual(edge.get('/a', fields={'X-Preview': '0'}).body, b'number 1')
        edge.get('/a?nocache=1')
        edge.get('/a?nocache=1')
        self.assertEqual(len(self.asked), 5)
        self.assertEqual(self.asked[2][1]['X-Preview'], 'yes', 'servers see why')

    def test_may_make_the_cache_new(self):
        edge = self.edge('cache_bypass = { header = "x-refresh", store = true }')
        self.assertEqual(edge.get('/a').body, b'number 1')
        self.assertEqual(edge.get('/a', fields={'X-Refresh': '1'}).body, b'number 2')
        self.assertEqual(edge.get('/a').body, b'number 2')


class Keys(CacheCase):
    PHONE = 'Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130.0 Mobile Safari/537.36'

    def test_device_classes_have_their_own_and_servers_know(self):
        edge = self.edge(cache='key = { device = true }')
        self.assertEqual(edge.get('/a').body, b'number 1')
        self.assertEqual(edge.get('/a', fields={'User-Agent': self.PHONE, 'X-Device-Class': 'bot'}).body, b'number 2')
        self.assertEqual(edge.get('/a', fields={'User-Agent': 'curl/8'}).body, b'number 1')
        edge.get('/a', method='POST', body=b'', fields={'User-Agent': self.PHONE, 'X-Device-Class': 'bot'})
        self.assertEqual([asked.all('X-Device-Class') for _, asked in self.asked], [['desktop'], ['mobile'], ['mobile']])

    def test_countries_have_their_own_and_servers_know(self):
        database = os.path.join(self.folder, 'demo.mmdb')
        subprocess.run([harness.BINARY, 'geo-demo', database], check=True, stdout=subprocess.DEVNULL)
        edge = self.edge(cache='key = { country = true }', more=f'[geo]\ndatabases = ["{database}"]')

        def get(address):
            return edge.get('/a', fields={'X-Forwarded-For': address, 'X-Country-Code': 'XX'}).body
        self.assertEqual([get(address) for address in ('198.18.104.1', '198.18.88.1', '8.8.8.8')],
                         [b'number 1', b'number 2', b'number 3'])
        self.assertEqual(get('198.18.104.9'), b'number 1')
        self.assertEqual([asked.all('X-Country-Code') for _, asked in self.asked], [['DE'], ['FR'], ['ZZ']])

    def test_sorted_and_dropped_parameters_are_what_servers_get(self):
        edge = self.edge('request_headers = { set = { X-Uri = "{uri}", X-Query = "{query}" } }',
                         'key = { query = { drop = ["utm_*"] }, sort_query = true }')
        self.assertEqual(edge.get('/a?b=2&utm_x=1&a=1').body, b'number 1')
        self.assertEqual(edge.get('/a?utm_y&a=1&b=2').body, b'number 1')
        self.assertEqual(self.asked[0][0], '/a?a=1&b=2')
        self.assertEqual((self.asked[0][1]['X-Uri'], self.asked[0][1]['X-Query']), ('/a?a=1&b=2', 'a=1&b=2'))

    def test_routes_that_a_header_leads_to_keep_their_answers_apart(self):
        more = '[[route]]\npool = "app"\ncache = "edge"\nheader = { x-beta = "1" }\nname = "beta"'
        edge = self.edge(more=more)
        self.assertEqual(edge.get('/a', fields={'X-Beta': '1'}).body, b'number 1')
        self.assertEqual(edge.get('/a').body, b'number 2')
        self.assertEqual(edge.get('/a', fields={'X-Beta': '1'}).body, b'number 1')
        edge.command('purge', 'http://test/a')
        self.assertEqual(edge.get('/a', fields={'X-Beta': '1'}).body, b'number 3')
        self.assertEqual(edge.get('/a').body, b'number 4')

    def test_the_list_of_what_is_dropped_can_be_extended_and_keyed(self):
        edge = self.edge(cache='drop_headers = ["x-tenant-*"]\nkey = { headers = ["x-original-url"] }')
        for value in ('/x', '/y', '/x'):
            edge.get('/a', fields={'X-Tenant-Name': 'evil', 'X-Original-Url': value, 'X-Other': 'yes'})
        self.assertEqual([(a.get('X-Tenant-Name'), a['X-Original-Url'], a['X-Other']) for _, a in self.asked],
                         [(None, '/x', 'yes'), (None, '/y', 'yes')])

    def test_of_trusted_proxies_servers_get_what_is_believed(self):
        edge = self.edge()
        edge.get('/a', fields={'X-Forwarded-For': 'evil, 192.0.2.1', 'X-Forwarded-Host': 'evil', 'Forwarded': 'host=evil'})
        asked = self.asked[0][1]
        self.assertEqual(asked['X-Forwarded-For'], '192.0.2.1, 127.0.0.1')
        self.assertEqual((asked['X-Forwarded-Host'], asked.get('Forwarded')), ('test', None))
        edge.get('/a', method='POST', body=b'', fields={'X-Forwarded-For': 'evil, 192.0.2.1', 'X-Forwarded-Host': 'h'})
        asked = self.asked[1][1]
        self.assertEqual((asked['X-Forwarded-For'], asked['X-Forwarded-Host']), ('evil, 192.0.2.1, 127.0.0.1', 'h'))


if __name__ == '__main__':
    harness.main()
