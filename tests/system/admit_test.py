"""Who may pass: networks and countries, passwords of real htpasswd and openssl, rates, connections, maintenance; and that
one client over its limits disturbs no other."""
import base64
import concurrent.futures
import json
import os
import subprocess
import threading
import time

import harness
from tunnel_test import ASKS, echo

BERLIN = '127.13.0.1'                                  # where the demo's database has them
PARIS = '127.11.0.1'
NOWHERE = '127.200.0.1'


def basic(user, password):
    return {'Authorization': 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode()}


def curl(port, *options, target='/', source='127.0.0.1'):
    """The status that real curl gets."""
    done = subprocess.run(['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--interface', source, *options,
                           f'http://127.0.0.1:{port}{target}'], capture_output=True, text=True, timeout=20, check=False)
    return int(done.stdout)


class Networks(harness.Case):
    def edge(self, rules, door=''):
        database = os.path.join(self.folder, 'demo.mmdb')
        subprocess.run([harness.BINARY, 'geo-demo', database], check=True, capture_output=True)
        origin = self.scripted(echo)
        return self.portolan(f'''
            [geo]
            databases = ["{database}"]
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            {door}
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            [[route]]
            path = "/chat"
            pool = "app"
            {rules}
            [[route]]
            path = "/text"
            respond = {{ body = "text" }}
            {rules}
        '''), origin

    def test_countries_and_networks_for_every_protocol(self):
        edge, origin = self.edge('allow = ["country:DE", "127.200.0.0/16"]\ndeny = "127.13.7.0/24"')
        for source, status in ((BERLIN, 200), (NOWHERE, 200), (PARIS, 403), ('127.13.7.1', 403), ('127.201.0.1', 403)):
            with self.subTest(source=source):
                self.assertEqual(curl(edge.port, target='/text', source=source), status)
                self.assertEqual(curl(edge.port, '--http2-prior-knowledge', target='/text', source=source), status)
                with harness.Client(edge.port, source=source) as client:
                    self.assertEqual(client.send(ASKS).answer().status, 101 if status == 200 else status)
        self.assertEqual(origin.connections, 2)
        self.assertEqual(edge.metric('portolan_requests_refused_total', reason='denied'), 9)
        refused = [line for line in edge.access_lines(15) if line['status'] == 403]
        self.assertEqual({line.get('note') for line in refused}, {'denied'})
        self.assertIn('event="request refused" reason=denied', edge.output)

    def test_a_listener_has_rules_for_all_its_routes(self):
        edge, _ = self.edge('', 'deny = ["country:FR"]')
        self.assertEqual(curl(edge.port, target='/text', source=PARIS), 403)
        self.assertEqual(curl(edge.port, target='/nowhere', source=PARIS), 403)
        self.assertEqual(curl(edge.port, target='/nowhere', source=BERLIN), 404)
        self.assertEqual(curl(edge.port, target='/text', source=BERLIN), 200)

    def test_a_reload_counts_for_connections_that_are_there(self):
        edge, _ = self.edge('')
        with edge.client(source=PARIS) as client:
            self.assertEqual(client.request('GET', '/text').answer().status, 200)
            with open(edge.config_path, encoding='utf-8') as file:
                text = file.read()
            edge.reload(text.replace('path = "/text"', 'path = "/text"\ndeny = ["country:FR"]'))
            harness.wait_until(lambda: client.request('GET', '/text').answer().status == 403, what='the new rule')


class Passwords(harness.Case):
    def setUp(self):
        super().setUp()
        self.users = os.path.join(self.folder, 'users')

    def htpasswd(self, user, password, *options):
        """As real htpasswd writes it."""
        create = [] if os.path.exists(self.users) else ['-c']
        subprocess.run(['htpasswd', '-b', *create, *(options or ('-B',)), self.users, user, password], check=True,
                       capture_output=True)
        os.chmod(self.users, 0o644)

    def openssl(self, user, password):
        """As real openssl hashes it: SHA-512 crypt."""
        done = subprocess.run(['openssl', 'passwd', '-6', password], check=True, capture_output=True, text=True)
        with open(self.users, 'a', encoding='utf-8') as file:
            file.write(f'{user}:{done.stdout}')
        os.chmod(self.users, 0o644)

    def edge(self, more='', options='user_header = "X-Forwarded-User"', cache=''):
        origin = self.echo()
        return self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            {cache}
            [[route]]
            name = "staff"
            path = "/staff"
            pool = "app"
            {'cache = "edge"' if cache else ''}
            basic_auth = {{ realm = "staff", users_file = "{self.users}", {options} }}
            [[route]]
            path = "/open"
            respond = {{ body = "open" }}
            {more}
        ''')

    def test_of_real_htpasswd_and_openssl_open_the_way(self):
        self.htpasswd('alice', 'wonderland')
        self.htpasswd('bär', 'hönig', '-B', '-C', '8')
        self.openssl('bob', 'secret')
        edge = self.edge()
        asked = edge.get('/staff/')
        self.assertEqual(asked.status, 401)
        self.assertEqual(asked['WWW-Authenticate'], 'Basic realm="staff", charset="UTF-8"')
        for user, password in (('alice', 'wonderland'), ('bär', 'hönig'), ('bob', 'secret')):
            for _ in range(2):
                self.assertEqual(curl(edge.port, '-u', f'{user}:{password}', target='/staff/'), 200, user)
            self.assertEqual(curl(edge.port, '-u', f'{user}:{password}', '--http2-prior-knowledge', target='/staff/'), 200)
            self.assertEqual(curl(edge.port, '-u', f'{user}:{password}x', target='/staff/'), 401, user)
        self.assertEqual(curl(edge.port, '-u', 'mallory:secret', target='/staff/'), 401)
        self.assertEqual(edge.get('/open').status, 200)
        self.assertEqual(edge.metric('portolan_requests_refused_total', route='staff', reason='bad password'), 4)
        self.assertEqual(edge.metric('portolan_requests_refused_total', route='staff', reason='no password'), 1)
        logged = [line.get('user') for line in edge.access_lines(15) if line['status'] == 200]
        self.assertEqual(logged.count('alice'), 3)

    def test_stay_here_and_nobody_forges_a_name(self):
        self.htpasswd('alice', 'wonderland')
        edge = self.edge()
        answer = edge.get('/staff/', fields=[*basic('alice', 'wonderland').items(), ('X-Forwarded-User', 'root'),
                                             ('x-forwarded-user', 'root'), ('X_Forwarded_User', 'root')])
        told = {name.lower(): value for name, value in json.loads(answer.body)['fields']}
        self.assertEqual(told['x-forwarded-user'], 'alice')
        self.assertNotIn('authorization', told)
        self.assertNotIn('x_forwarded_user', told)
        self.assertEqual(sum(name.lower() == 'x-forwarded-user' for name, _ in json.loads(answer.body)['fields']), 1)

    def test_go_on_where_that_is_asked_for(self):
        self.htpasswd('alice', 'wonderland')
        edge = self.edge(options='pass_authorization = true')
        fields = json.loads(edge.get('/staff/', fields=basic('alice', 'wonderland')).body)['fields']
        self.assertIn(['Authorization', basic('alice', 'wonderland')['Authorization']], fields)

    def test_are_asked_for_before_the_cache_is(self):
        self.htpasswd('alice', 'wonderland')
        origin = self.nginx(files={'staff/a.txt': b'page'}, locations='location /staff/ { add_header Cache-Control "public, max-age=60"; }')
        edge = self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            [cache.edge]
            memory = "16 MiB"
            [[route]]
            pool = "app"
            cache = "edge"
            basic_auth = {{ users_file = "{self.users}" }}
        ''')
        for expected in ('fwd=', 'hit'):
            answer = edge.get('/staff/a.txt', fields=basic('alice', 'wonderland'))
            self.assertEqual((answer.status, answer.body), (200, b'page'))
            self.assertIn(expected, answer['Cache-Status'])
        self.assertEqual(edge.get('/staff/a.txt').status, 401)
        self.assertEqual(edge.get('/staff/a.txt', fields=basic('alice', 'x')).status, 401)

    def test_of_a_changed_file_count_after_a_reload(self):
        self.htpasswd('alice', 'wonderland')
        edge = self.edge()
        self.assertEqual(edge.get('/staff/', fields=basic('alice', 'wonderland')).status, 200)
        self.htpasswd('alice', 'changed')
        self.htpasswd('bob', 'secret')
        self.assertEqual(edge.get('/staff/', fields=basic('alice', 'wonderland')).status, 200, 'no reload yet')
        edge.reload()
        harness.wait_until(lambda: edge.get('/staff/', fields=basic('alice', 'wonderland')).status == 401,
                           what='the old password to be forgotten')
        for user, password in (('alice', 'changed'), ('bob', 'secret')):
            self.assertEqual(edge.get('/staff/', fields=basic(user, password)).status, 200)

    def test_mistakes_in_the_file_are_told_by_line(self):
        self.htpasswd('alice', 'wonderland')
        edge = self.edge()
        self.htpasswd('carol', 'old', '-m')
        refused = edge.command('reload', check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f'{self.users}:2: user "carol": MD5 hashes are too weak', refused.stderr)
        checked = edge.command('check', check=False)
        self.assertEqual(checked.returncode, 2)
        self.assertIn(f'{self.users}:2: user "carol"', checked.stderr)
        self.assertEqual(edge.get('/staff/', fields=basic('alice', 'wonderland')).status, 200, 'what was read stays')
        os.unlink(self.users)
        self.assertIn(f'cannot read {self.users}', edge.command('check', check=False).stderr)

    def test_of_somebody_who_guesses_leave_others_their_speed(self):
        self.htpasswd('alice', 'wonderland', '-B', '-C', '10')
        edge = self.edge()
        self.assertEqual(edge.get('/staff/', fields=basic('alice', 'wonderland')).status, 200)
        ends = time.monotonic() + 4

        def guess(number):
            statuses = []
            with edge.client(source='127.0.0.66') as client:
                while time.monotonic() < ends:
                    word = f'{number}-{len(statuses)}'
                    statuses.append(client.request('GET', '/staff/', fields=basic('alice', word)).answer().status)
            return statuses

        with concurrent.futures.ThreadPoolExecutor(16) as guessers:
            guesses = [guessers.submit(guess, number) for number in range(16)]
            took = []
            while time.monotonic() < ends - 0.5:
                began = time.monotonic()
                self.assertEqual(edge.get('/open').status, 200)
                self.assertEqual(edge.get('/staff/', fields=basic('alice', 'wonderland')).status, 200)
                took.append(time.monotonic() - began)
            statuses = [status for each in guesses for status in each.result()]
        self.assertEqual(set(statuses), {401, 503})
        self.assertLess(sorted(took)[len(took) * 95 // 100], 0.5, 'two requests of somebody else')


class Limits(harness.Case):
    def edge(self, rules, top='', door=''):
        return self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            {door}
            {top}
            [[route]]
            path = "/a"
            respond = {{ body = "a" }}
            {rules}
            [[route]]
            path = "/b"
            respond = {{ body = "b" }}
            {rules}
            [[route]]
            path = "/free"
            respond = {{ body = "free" }}
        ''')

    def flood(self, edge, requests, threads=8, target='/a', source='127.0.0.1', fields=()):
        """How many of requests × threads had which status; each thread keeps a connection of its own, of either worker."""
        def run(_):
            with edge.client(source=source) as client:
                return [client.request('GET', target, fields=fields).answer().status for _ in range(requests)]
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            statuses = [status for each in pool.map(run, range(threads)) for status in each]
        return {status: statuses.count(status) for status in set(statuses)}

    def test_are_exact_across_workers(self):
        edge = self.edge('limit = { rate = "1/h", burst = 10 }')
        self.assertEqual(self.flood(edge, 50), {200: 10, 429: 390})
        self.assertEqual(self.flood(edge, 50, target='/b'), {200: 10, 429: 390}, 'a route has its own')
        self.assertEqual(self.flood(edge, 5, source='127.0.0.2'), {200: 10, 429: 30}, 'and so has another client')

    def test_tell_when_to_come_again_and_then_let_pass(self):
        edge = self.edge('limit = { rate = "30/m" }')
        self.assertEqual(edge.get('/a').status, 200)
        refused = edge.get('/a')
        self.assertEqual((refused.status, refused['Retry-After']), (429, '2'))
        self.assertEqual(curl(edge.port, '--http2-prior-knowledge', target='/a'), 429)
        time.sleep(2.1)
        self.assertEqual(edge.get('/a').status, 200)
        self.assertEqual([line.get('note') for line in edge.access_lines(4)].count('rate limited'), 2)
        self.assertEqual(edge.metric('portolan_requests_refused_total', reason='rate limited'), 2)

    def test_may_be_shared_and_by_header_or_cookie(self):
        edge = self.edge('limit = "each"', '[limit.each]\nrate = "1/h"\nburst = 10\nby = "header:X-Api-Key"')
        one, two = {'X-Api-Key': 'one'}, {'X-Api-Key': 'two'}
        self.assertEqual(self.flood(edge, 4, target='/a', fields=one), {200: 10, 429: 22})
        self.assertEqual(self.flood(edge, 4, target='/b', fields=one), {429: 32})
        self.assertEqual(self.flood(edge, 4, target='/b', fields=two, source='127.0.0.3'), {200: 10, 429: 22})
        self.assertEqual(self.flood(edge, 4, target='/b', fields=one, source='127.0.0.3'), {429: 32}, 'whoever shows it')
        self.assertEqual(self.flood(edge, 4, target='/b', source='127.0.0.3'), {200: 10, 429: 22}, 'without: by address')
        cookies = self.edge('limit = { rate = "1/h", burst = 3, by = "cookie:session" }')
        self.assertEqual(self.flood(cookies, 4, 2, fields={'Cookie': 'a=b; session=1'}), {200: 3, 429: 5})
        self.assertEqual(self.flood(cookies, 4, 2, fields={'Cookie': 'session=2; a=b'}), {200: 3, 429: 5})

    def test_outlive_reloads_that_dont_change_them(self):
        edge = self.edge('limit = { rate = "1/h", burst = 5 }')
        self.assertEqual(self.flood(edge, 5, 2), {200: 5, 429: 5})
        edge.reload()
        self.assertEqual(self.flood(edge, 5, 2), {429: 10})
        with open(edge.config_path, encoding='utf-8') as file:
            text = file.read()
        edge.reload(text.replace('burst = 5', 'burst = 7'))
        harness.wait_until(lambda: edge.get('/a').status == 200, what='the new limit')
        self.assertEqual(self.flood(edge, 5, 2), {200: 6, 429: 4})

    def test_of_a_listener_count_what_leads_nowhere(self):
        edge = self.edge('', door='limit = { rate = "1/h", burst = 4 }')
        self.assertEqual(self.flood(edge, 4, 2, target='/nowhere'), {404: 4, 429: 4})
        self.assertEqual(self.flood(edge, 4, 2, target='/free'), {429: 8})
        self.assertEqual(self.flood(edge, 2, 2, target='/free', source='127.0.0.9'), {200: 4})

    def test_a_client_over_its_limit_disturbs_no_other(self):
        edge = self.edge('', door='limit = { rate = "50/s", burst = 50 }')

        def p95(seconds):
            took, end = [], time.monotonic() + seconds
            with edge.client(source='127.0.0.5') as client:
                while time.monotonic() < end:
                    time.sleep(0.025)
                    began = time.monotonic()
                    self.assertEqual(client.request('GET', '/a').answer().status, 200)
                    took.append(time.monotonic() - began)
            return sorted(took)[len(took) * 95 // 100]

        before = p95(1)
        over = threading.Event()
        counts = {200: 0, 429: 0}

        def storm():
            with edge.client(source='127.0.0.66') as client:
                while not over.is_set():
                    counts[client.request('GET', '/a').answer().status] += 1

        storms = [threading.Thread(target=storm, daemon=True) for _ in range(2)]
        for each in storms:
            each.start()
        during = p95(4)
        over.set()
        for each in storms:
            each.join()
        self.assertGreater(counts[429], 500)
        self.assertLess(counts[200], 50 + 50 * 5.5)
        self.assertLess(during, max(0.05, before * 10), f'{counts}')
        self.assertEqual(edge.metric('portolan_requests_refused_total', reason='rate limited'), counts[429])
        lines = edge.output.count('event="request refused"')
        self.assertLess(lines, 8, 'one line a second')


class Connections(harness.Case):
    def test_of_a_client_are_counted_across_workers(self):
        edge = self.portolan('''
            [listener.http]
            listen = ["127.0.0.1:{port}"]
            max_connections_per_client = 6
            [[route]]
            respond = { body = "ok" }
        ''')
        clients = [edge.client() for _ in range(30)]

        def alive(client):
            try:
                return client.request().answer().status == 200
            except OSError:
                return False

        living = [client for client in clients if alive(client)]
        self.assertEqual(len(living), 6)
        self.assertEqual(edge.metric('portolan_client_connections_refused_total', listener='http'), 24)
        self.assertEqual(curl(edge.port, source='127.0.0.2'), 200, 'somebody else')
        self.assertEqual(edge.output.count('event="connection refused"'), 1)
        living.pop().close()
        harness.wait_until(lambda: curl(edge.port) == 200, what='room for one more')
        for client in clients:
            client.close()
        self.assertEqual(edge.metric('portolan_connections', listener='http'), 0)


class Maintenance(harness.Case):
    def edge(self, keys):
        return self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [[route]]
            name = "shop"
            path = "/shop"
            respond = {{ body = "shop" }}
            maintenance = {{ {keys} }}
            [[route]]
            name = "blog"
            path = "/blog"
            respond = {{ body = "blog" }}
            maintenance = {{ enabled = true, body = "later", content_type = "text/plain" }}
            [[route]]
            path = "/other"
            respond = {{ body = "other" }}
        ''')

    def test_is_turned_on_and_off_while_it_runs(self):
        page = os.path.join(self.folder, 'page.html')
        with open(page, 'w', encoding='utf-8') as file:
            file.write('<h1>Back soon</h1>')
        os.chmod(page, 0o644)
        edge = self.edge(f'body_file = "{page}", retry_after = "10m", allow = ["127.0.0.7"]')
        self.assertEqual(edge.get('/shop').body, b'shop')
        blog = edge.get('/blog')
        self.assertEqual((blog.status, blog.body, blog['Content-Type']), (503, b'later', 'text/plain'))
        self.assertEqual(edge.metric('portolan_maintenance', route='blog'), 1)
        self.assertEqual(edge.metric('portolan_maintenance', route='shop'), 0)

        self.assertEqual(edge.command('maintenance', 'on', 'shop'), 'route shop is in maintenance\n')
        shop = edge.get('/shop')
        self.assertEqual((shop.status, shop.body, shop['Retry-After']), (503, b'<h1>Back soon</h1>', '600'))
        self.assertIn('text/html', shop['Content-Type'])
        self.assertEqual(curl(edge.port, target='/shop', source='127.0.0.7'), 200, 'those who work on it')
        self.assertEqual(edge.get('/other').status, 200)
        with open(page, 'w', encoding='utf-8') as file:
            file.write('<h1>Tomorrow</h1>')
        edge.reload()
        harness.wait_until(lambda: edge.get('/shop').body == b'<h1>Tomorrow</h1>', what='the new page, still on')

        self.assertEqual(edge.command('maintenance', 'off'), 'route blog serves again\nroute shop serves again\n')
        self.assertEqual([edge.get(path).status for path in ('/shop', '/blog')], [200, 200])
        unknown = edge.command('maintenance', 'on', 'sohp', check=False)
        self.assertEqual((unknown.returncode, unknown.stderr),
                         (1, 'portolan: no route sohp has maintenance; there are: blog, shop\n'))
        self.assertIn('maintenance', [line.get('note') for line in edge.access_lines(2)])


if __name__ == '__main__':
    harness.main()
