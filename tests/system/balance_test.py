#!/usr/bin/python3
"""Who serves what: policies by key and latency, clients that come back, datacentres, slow starts and panic."""
import collections
import json
import os
import time

import harness


def config(servers, pool='', server='', more=''):
    listed = ', '.join(s if s.startswith('{') else f'"{s}"' for s in servers)
    return f'''
[server]
name = "{{name}}"
workers = 2
{{control}}
{server}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = [{listed}]
{pool}
[[route]]
pool = "app"
{more}
'''


def at(origin):
    return f'127.0.0.1:{origin.port}'


def who(answer):
    return json.loads(answer.body)['origin']


def named(answer):
    return answer.body.decode().strip()


def cookie_of(answer):
    return answer['Set-Cookie'].split(';')[0]


class Policies(harness.Case):
    def test_every_policy_reaches_every_server(self):
        origins = [self.echo(name) for name in 'abc']
        for policy in ('round-robin', 'least-connections', 'two-choices', 'fastest', 'random', 'hash'):
            edge = self.portolan(config(map(at, origins), pool=f'balance = "{policy}"'
                                        + ('\nhash = "query:k"' if policy == 'hash' else '')))
            got = collections.Counter(who(edge.get(f'/?k={i}')) for i in range(90))
            self.assertEqual(set(got), set('abc'), (policy, got))
            edge.stop()

    def test_fastest_shuns_the_slow(self):
        origins = [self.echo('a'), self.echo('slow', delay=0.2), self.echo('c')]
        edge = self.portolan(config(map(at, origins), pool='balance = "fastest"'))
        got = collections.Counter(who(edge.get()) for _ in range(100))
        self.assertLessEqual(got['slow'], 5, got)
        self.assertGreater(min(got['a'], got['c']), 10, got)

    def test_equal_keys_meet_on_every_node(self):
        origins = [self.echo(name) for name in 'abcd']
        text = config(map(at, origins), pool='balance = "hash"\nhash = { key = "header:X-User" }')
        one, two = self.portolan(text), self.portolan(text)
        homes = {}
        for user in range(40):
            homes[user] = who(one.get(fields={'X-User': f'user-{user}'}))
            for edge in (one, two, one):
                self.assertEqual(who(edge.get(fields={'X-User': f'user-{user}'})), homes[user])
        self.assertEqual(set(homes.values()), set('abcd'))
        one.reload()
        for user in range(40):
            self.assertEqual(who(one.get(fields={'X-User': f'user-{user}'})), homes[user])

    def test_shards_go_to_their_owners(self):
        a, b = self.echo('a'), self.echo('b')
        edge = self.portolan(config([at(a), at(b)], pool='\n'.join((
            '[pool.app.shards]', 'key = "header:X-User"',
            f'map = [{{ slots = "0-8191", servers = ["{at(a)}"] }}, {{ slots = "8192-16383", servers = ["{at(b)}"] }}]'))))
        homes = {}
        for user in range(40):
            homes[user] = {who(edge.get(fields={'X-User': f'user-{user}'})) for _ in range(3)}
            self.assertEqual(len(homes[user]), 1, user)
        self.assertEqual(set.union(*homes.values()), {'a', 'b'})


    def test_a_shard_that_is_full_holds_no_other_up(self):
        origins = [self.echo('a', delay=0.5), self.echo('b', delay=0.5)]
        halves = ', '.join(f'{{ slots = ["{first}-{first + 8191}"], servers = ["{at(origin)}"] }}'
                           for first, origin in zip((0, 8192), origins))
        edge = self.portolan(config([f'{{ address = "{at(origin)}", max_connections = 1 }}' for origin in origins],
                                    pool=f'queue.timeout = "5s"\nshards = {{ key = "header:X-User", map = [{halves}] }}'))
        users = {}
        for number in range(20):
            if len(users) < 2:
                users.setdefault(who(edge.get('/', fields={'X-User': str(number)})), str(number))
        of_a = [edge.client().request(fields={'X-User': users['a']}) for _ in range(3)]
        harness.wait_until(lambda: edge.metric('portolan_queue_length', pool='app') == 2, 5, 'two that wait')
        began = time.monotonic()
        self.assertEqual(who(edge.get('/', fields={'X-User': users['b']})), 'b')
        self.assertLess(time.monotonic() - began, 0.9)
        self.assertEqual([who(client.answer()) for client in of_a], ['a'] * 3)
        for client in of_a:
            client.close()


class Sticky(harness.Case):
    def test_clients_come_back_over_reloads_restarts_and_deaths(self):
        origins = {name: self.nginx(name=name) for name in 'abc'}
        state = self.subfolder('state')
        text = config(map(at, origins.values()), pool='sticky = { ttl = "1h" }', server=f'state = "{state}"')
        edge = self.portolan(text)
        first = edge.get('/name')
        self.assertRegex(first['Set-Cookie'],
                         r'^portolan=[A-Za-z0-9_-]{22}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax$')
        fields = {'Cookie': f'theme=dark; {cookie_of(first)}'}

        def home():
            answers = [edge.get('/name', fields=fields) for _ in range(9)]
            self.assertEqual({a.get('Set-Cookie') for a in answers}, {None})
            self.assertEqual(len({named(a) for a in answers}), 1)
            return named(answers[0])

        self.assertEqual(home(), named(first))
        edge.reload()
        self.assertEqual(home(), named(first))
        self.assertEqual(os.stat(os.path.join(state, 'sticky-key')).st_mode & 0o777, 0o600)
        edge.stop()
        edge.begin()
        self.assertEqual(home(), named(first))
        origins[named(first)].kill()
        moved = edge.get('/name', fields=fields)
        self.assertNotEqual(named(moved), named(first))
        fields = {'Cookie': cookie_of(moved)}
        self.assertEqual(home(), named(moved))

    def test_nodes_that_share_a_key_understand_each_other(self):
        origins = [self.echo(name) for name in 'abc']
        key = os.path.join(self.folder, 'sticky.key')
        with open(key, 'w', encoding='ascii') as file:
            file.write('correct horse battery staple 0123456789')
        text = config(map(at, origins), pool=f'sticky = {{ key_file = "{key}" }}')
        one, two, alone = self.portolan(text), self.portolan(text), self.portolan(config(map(at, origins), 'sticky = {}'))
        first = one.get()
        fields = {'Cookie': cookie_of(first)}
        self.assertEqual({who(two.get(fields=fields)) for _ in range(9)}, {who(first)})
        self.assertIsNotNone(alone.get(fields=fields).get('Set-Cookie'), 'it believes only its own')

    def test_a_key_that_is_none_is_named(self):
        key = os.path.join(self.folder, 'short.key')
        with open(key, 'w', encoding='ascii') as file:
            file.write('short')
        edge = self.portolan(config(['127.0.0.1:1'], pool=f'sticky = {{ key_file = "{key}" }}'), start=False)
        edge.start()
        edge.wait()
        self.assertIn('short.key is no key: it must hold at least 32 bytes', edge.output)
        checked = edge.command('check', check=False)
        self.assertEqual(checked.returncode, 2)
        self.assertIn('key_file in [pool.app].sticky', checked.stderr)

    def test_the_cache_serves_those_who_have_one(self):
        def handler(client, _):
            while True:
                client.request_head()
                client.send(b'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok')
        edge = self.portolan(config([at(self.scripted(handler)), at(self.scripted(handler))], pool='sticky = {}',
                                    more='cache = "edge"\n[cache.edge]\nmemory = "8 MiB"'))
        self.assertIsNone(edge.get('/a').get('Set-Cookie'), 'everybody would get it')
        given = edge.get('/a', method='POST', body=b'x')
        hit = edge.get('/b', fields={'Cookie': cookie_of(given)})
        self.assertIn('stored', hit['Cache-Status'])
        hit = edge.get('/b', fields={'Cookie': cookie_of(given)})
        self.assertIn('hit', hit['Cache-Status'])
        self.assertIsNone(hit.get('Set-Cookie'))


class Places(harness.Case):
    def test_the_nearest_datacentre_that_serves(self):
        near, next_, far = self.nginx(name='near'), self.nginx(name='next'), self.nginx(name='far')
        servers = [f'{{ address = "{at(o)}", datacenter = "{d}" }}'
                   for o, d in ((far, 'tokyo'), (near, 'berlin'), (next_, 'paris'))]
        edge = self.portolan(config(
            servers, pool='health = { http = "/healthz", interval = "100ms", fall = 2, rise = 1 }',
            server='datacenter = "berlin"', more='''
[datacenter.berlin]
location = [52.52, 13.4]
[datacenter.paris]
location = [48.86, 2.35]
[datacenter.tokyo]
location = [35.68, 139.69]
'''))

        def served():
            return {edge.get('/name').body for _ in range(10)}
        self.assertEqual(served(), {b'near\n'})
        self.assertIn('in paris', edge.command('status'))
        near.kill()
        harness.wait_until(lambda: served() == {b'next\n'}, 5, 'the next')
        next_.kill()
        harness.wait_until(lambda: served() == {b'far\n'}, 5, 'the far')
        self.restart(near)
        harness.wait_until(lambda: served() == {b'near\n'}, 5, 'the near again')


class Health(harness.Case):
    def test_a_pool_that_panics_uses_all_and_says_so(self):
        def handler(client, _):
            while True:
                _, target, _ = client.request_head()
                status = b'500 Broken Check' if target == '/healthz' else b'200 OK'
                client.send(b'HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n' % status)
        origins = [self.scripted(handler) for _ in range(4)]
        pool = 'health = { http = "/healthz", interval = "100ms", fall = 2 }'
        edge = self.portolan(config(map(at, origins), pool=pool))
        harness.wait_until(lambda: edge.metric('portolan_pool_panic', pool='app') == 1, 5, 'panic')
        self.assertEqual({edge.get().status for _ in range(20)}, {200})
        self.assertIn('(round-robin, panic)', edge.command('status'))
        self.assertTrue(json.loads(edge.command('status', '--json'))['pools'][0]['panic'])
        self.assertIn('pool panics', edge.output)
        edge.reload(config(map(at, origins), pool=pool + '\npanic = "0%"'))
        harness.wait_until(lambda: edge.metric('portolan_pool_panic', pool='app') == 0, 5, 'no panic')
        self.assertEqual(edge.get().status, 503)

    def test_a_server_that_comes_back_grows_into_its_share(self):
        first, second = self.nginx(name='first'), self.nginx(name='second')
        edge = self.portolan(config(map(at, (first, second)), pool='slow_start = "20s"\n'
                                    'health = { http = "/healthz", interval = "100ms", fall = 2, rise = 1 }'))

        def server(i):
            return json.loads(edge.command('status', '--json'))['pools'][0]['servers'][i]

        def share():
            return sum(edge.get('/name').body == b'first\n' for _ in range(200)) / 200
        self.assertAlmostEqual(share(), 0.5, delta=0.05)
        first.kill()
        harness.wait_until(lambda: server(0)['state'] == 'down', 5, 'down')
        self.restart(first)
        harness.wait_until(lambda: server(0)['state'] == 'up', 5, 'up')
        early = share()
        self.assertLess(early, 0.25)
        self.assertGreater(early, 0)
        self.assertLess(server(0)['warmth'], 50)
        self.assertEqual(server(1)['warmth'], 100)
        time.sleep(3)
        self.assertGreater(server(0)['warmth'], 10)


if __name__ == '__main__':
    harness.main()
