"""The process: signals, reload, privileges, limits, logs, and the command line."""
import contextlib
import os
import pwd
import re
import resource
import signal
import time

import harness

FIXED = '''
    [listener.http]
    listen = ["127.0.0.1:{port}"]
    [[route]]
    respond = { status = 200, body = "BODY" }
'''


def fixed(body='one'):
    return FIXED.replace('BODY', body)


def proxied(origin, more=''):
    return f'''
    [listener.http]
    listen = ["127.0.0.1:{{port}}"]
    [pool.app]
    servers = ["127.0.0.1:{origin.port}"]
    [[route]]
    pool = "app"
    {more}
    '''


class Signals(harness.Case):
    def test_sigterm_lets_requests_finish(self):
        edge = self.portolan(proxied(self.echo(delay=1.5)))
        with edge.client() as client, edge.client() as idle:
            client.request()
            time.sleep(0.3)
            edge.signal(signal.SIGTERM)
            harness.wait_until(lambda: not harness.accepts(edge.port), 2, 'the listener is closed')
            self.assertTrue(idle.closed(2), 'an idle connection is closed at once')
            answer = client.answer()
            self.assertEqual((answer.status, answer['Connection'].lower()), (200, 'close'))
        self.assertEqual(edge.wait(5), 0)

    def test_sigterm_waits_no_longer_than_the_limit(self):
        edge = self.portolan('[server]\n{control}\ndrain = "1s"\n' + proxied(self.echo(delay=30)).replace('    ', ''))
        with edge.client() as client:
            client.request()
            time.sleep(0.3)
            start = time.monotonic()
            edge.signal(signal.SIGTERM)
            edge.wait(10)
            self.assertLess(time.monotonic() - start, 4)

    def test_sigusr1_opens_logs_anew(self):
        edge = self.portolan(fixed())
        edge.get('/before')
        edge.access_lines(least=1)
        os.rename(edge.access_path, edge.access_path + '.1')
        edge.signal(signal.SIGUSR1)
        harness.wait_until(lambda: os.path.exists(edge.access_path), what='a new access log')
        edge.get('/after')
        lines = edge.access_lines(least=1)
        self.assertEqual(len(lines), 1)
        self.assertIn('/after', str(lines[0]))


class Reload(harness.Case):
    def test_applies_in_place(self):
        origin = self.echo()
        edge = self.portolan(proxied(origin))
        extra = harness.free_port()
        with edge.client() as client:
            self.assertEqual(client.request(target='/new').answer().status, 200)
            connections = origin.connections
            edge.reload(f'''
                [listener.http]
                listen = ["127.0.0.1:{{port}}"]
                [listener.second]
                listen = ["127.0.0.1:{extra}"]
                [pool.app]
                servers = ["127.0.0.1:{origin.port}"]
                [[route]]
                pool = "app"
                [[route]]
                path = "/new"
                respond = {{ status = 202, body = "new" }}
                ''')
            # The same connection, on the new routes; the other listener has opened.
            harness.wait_until(lambda: client.request(target='/new').answer().status == 202, 3, 'the new route')
            self.assertEqual(harness.fetch(extra, '/new').status, 202)
            self.assertEqual(client.request(target='/old').answer().status, 200)
            self.assertLessEqual(origin.connections, connections + 1, 'connections to servers are kept')

    def test_sighup_does_the_same(self):
        edge = self.portolan(fixed('one'))
        edge.write(fixed('two'))
        edge.signal(signal.SIGHUP)
        harness.wait_until(lambda: edge.get().body == b'two', 5, 'the new body')

    def test_keeps_cached_objects(self):
        origin = self.nginx({'a.txt': b'abc'}, locations='location = /a.txt { expires 1h; }')
        config = proxied(origin, 'cache = "edge"\n    [cache.edge]\n    memory = "16 MiB"')
        edge = self.portolan(config)
        edge.get('/a.txt')
        harness.wait_until(lambda: 'hit' in edge.get('/a.txt')['Cache-Status'], 3, 'a hit')
        edge.reload(config + '\n    [[route]]\n    path = "/x"\n    respond = { status = 200 }\n')
        self.assertIn('hit', edge.get('/a.txt')['Cache-Status'])

    def test_what_is_under_way_ends_as_it_began(self):
        """A request amid its answer and one amid its body outlive the reload that takes their route and server away."""
        slow = self.echo('old', delay=1)
        edge = self.portolan(proxied(slow))
        with edge.client() as waiting, edge.client() as sending:
            waiting.request()
            sending.request('POST', fields={'Content-Length': '10'}).send(b'12345')
            time.sleep(0.3)
            edge.reload(fixed('new'))
            self.assertEqual(edge.get().body, b'new')
            sending.send(b'67890')
            self.assertIn(b'"old"', waiting.answer().body)
            self.assertIn(b'"body_size": 10', sending.answer().body)
            self.assertEqual(waiting.request().answer().body, b'new')

    def test_a_listener_that_goes_lets_its_requests_finish(self):
        extra = harness.free_port()
        both = proxied(self.echo(delay=1)) + f'\n    [listener.second]\n    listen = ["127.0.0.1:{extra}"]\n'
        edge = self.portolan(both)
        with harness.Client(extra) as client, harness.Client(extra) as idle:
            client.request()
            time.sleep(0.3)
            edge.reload(both.replace('[listener.second]', '').replace(f'listen = ["127.0.0.1:{extra}"]', ''))
            harness.wait_until(lambda: not harness.accepts(extra), 3, 'closed')
            self.assertTrue(idle.closed(3))
            self.assertEqual(client.answer().status, 200)
        self.assertEqual(edge.get().status, 200)

    def test_a_bad_file_is_refused_with_its_errors(self):
        edge = self.portolan(fixed('one'))
        edge.write(fixed('two').replace('respond', 'respnd'))
        refused = edge.command('reload', check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stdout + refused.stderr, r'portolan\.toml:\d+:\d+: .*respond')
        self.assertEqual(edge.get().body, b'one')
        edge.signal(signal.SIGHUP)
        harness.wait_until(lambda: 'respnd' in edge.output, 5, 'the mistake in the log')
        self.assertEqual(edge.get().body, b'one')

    def test_servers_come_and_go(self):
        first, second = self.echo('first'), self.echo('second')
        edge = self.portolan(proxied(first))
        self.assertEqual(edge.get().body.count(b'first'), 1)
        edge.reload(proxied(second))
        bodies = [edge.get().body for _ in range(10)]
        self.assertTrue(all(b'second' in body for body in bodies), bodies)


class Privileges(harness.Case):
    def low(self, port):
        return FIXED.replace('127.0.0.1:{port}', f'127.0.0.1:{port}').replace('BODY', 'low').replace('    ', '') + \
            '[server]\nuser = "nobody"\n{control}\n'

    def low_ports(self):
        return [port for port in range(600, 1000) if not harness.accepts(port)][:2]

    def test_dropped_and_low_ports_kept_for_reloads(self):
        self.assertEqual(os.geteuid(), 0, 'needs root')
        first, second = self.low_ports()
        edge = self.portolan(self.low(first), start=False)
        os.chown(edge.folder, pwd.getpwnam('nobody').pw_uid, -1)
        edge.begin()
        with open(f'/proc/{edge.pid}/status', encoding='ascii') as file:
            status = file.read()
        nobody = pwd.getpwnam('nobody').pw_uid
        self.assertRegex(status, rf'(?m)^Uid:\s+{nobody}\s+{nobody}\s+{nobody}\s+{nobody}$')
        self.assertRegex(status, r'(?m)^CapEff:\s+0000000000000400$')
        self.assertEqual(harness.fetch(first).status, 200)
        edge.reload(self.low(second))
        harness.wait_until(lambda: harness.accepts(second), 3, 'the second low port')
        self.assertEqual(harness.fetch(second).status, 200)
        harness.wait_until(lambda: not harness.accepts(first), 3, 'the first is closed')

    def test_a_log_the_dropped_user_cant_write_is_named(self):
        first, _ = self.low_ports()
        edge = self.portolan(self.low(first) + '[log]\naccess = { path = "/root-only/access.log" }\n'.replace(
            '/root-only', self.folder + '/closed'), start=False)
        os.makedirs(self.folder + '/closed', mode=0o700)
        os.chown(edge.folder, pwd.getpwnam('nobody').pw_uid, -1)
        edge.start()
        harness.wait_until(lambda: f'{self.folder}/closed' in edge.output or not edge.alive, 5, 'a word about the log')
        self.assertIn(f'{self.folder}/closed', edge.output)


    def test_a_file_the_dropped_user_cant_read_is_named(self):
        """At the start with a remedy, and again by the reload that fails for it; the old configuration goes on."""
        first, _ = self.low_ports()
        edge = self.portolan(self.low(first), start=False)
        os.chown(edge.folder, pwd.getpwnam('nobody').pw_uid, -1)
        os.chmod(edge.config_path, 0o600)
        os.chown(edge.config_path, 0, 0)
        edge.begin()
        self.assertRegex(edge.output, rf'level=warning .*{re.escape(edge.config_path)}.*(chmod|chgrp|readable|belong|group)')
        failed = edge.command('reload', check=False)
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn(edge.config_path, failed.stdout + failed.stderr)
        self.assertEqual(harness.fetch(first).status, 200)


class Limits(harness.Case):
    def test_out_of_descriptors_sheds_and_does_not_spin(self):
        limit = 120
        edge = self.portolan(fixed(), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        clients = [edge.client(timeout=2) for _ in range(3 * limit)]
        time.sleep(0.5)
        before = edge.cpu_s()
        time.sleep(2)
        self.assertLess(edge.cpu_s() - before, 0.3, 'it spins')
        self.assertLessEqual(edge.descriptors(), limit)
        self.assertRegex(edge.output, 
                         r'event="(shedding new connections|closing the oldest idle connections for new ones)" reason="?.*'
                         r'(descriptor|open files|max_connections)')
        for client in clients:
            client.close()
        harness.wait_until(lambda: edge.get().status == 200, 10, 'service again')
        self.assertRegex(edge.output, r'(?i)descriptor|connection')

    def test_descriptors_gone_under_proxied_load(self):
        """Servers' connections and clients' compete for the last descriptors: whoever gets none is told, nobody hangs."""
        limit = 60
        held = [f'{{ address = "127.0.0.1:{self.echo(delay=1).port}" }}' for _ in range(2)]
        edge = self.portolan(f'''
            [server]
            max_connections = 1000
            {{control}}
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [pool.app]
            servers = [{", ".join(held)}]
            [[route]]
            pool = "app"
            ''', preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        clients = [edge.client(timeout=10).request() for _ in range(limit)]
        got = []
        for client in clients:
            with contextlib.suppress(ConnectionError):
                got.append(client.answer().status)
            client.close()
        self.assertTrue(set(got) <= {200, 502, 503}, got)
        self.assertIn(200, got)
        before = edge.cpu_s()
        time.sleep(1)
        self.assertLess(edge.cpu_s() - before, 0.3, 'it spins')
        self.assertEqual(edge.get().status, 200)
        self.assertIn('shedding', edge.output)

    def test_no_more_clients_than_allowed(self):
        edge = self.portolan('[server]\nmax_connections = 5\n{control}\n' + fixed().replace('    ', ''))
        clients = [edge.client().send('GET / HTTP/1.1\r\n') for _ in range(5)]     # none of them idles
        harness.wait_until(lambda: edge.metric('portolan_connections') == 5, 5, 'five connections')
        with self.assertRaises((ConnectionError, TimeoutError, AssertionError)):
            with edge.client(timeout=2) as one_more:
                answer = one_more.request().answer()
                self.assertEqual(answer.status, 200)
        for client in clients:
            self.assertEqual(client.send('Host: test\r\n\r\n').answer().status, 200)
        with edge.client() as one_more:                # those that idle for longest give way
            self.assertEqual(one_more.request().answer().status, 200)
        self.assertEqual(sum(client.closed(0.2) for client in clients), 1)

        def served():
            with contextlib.suppress(ConnectionError), edge.client() as again:
                return again.request().answer().status == 200
            return False
        harness.wait_until(served, 5, 'room again')
        for client in clients:
            client.close()


class Logs(harness.Case):
    def test_access_log_json(self):
        edge = self.portolan(fixed())
        edge.get('/a?b=c', fields={'User-Agent': 'te"st'})
        line = edge.access_lines(least=1)[0]
        text = str(line)
        for part in ('/a?b=c', 'te"st', 'GET', '200', '127.0.0.1'):
            self.assertIn(part, text)

    def test_access_log_combined(self):
        edge = self.portolan('[log]\naccess = { path = "{folder}/combined.log", format = "combined" }\n'
                             + fixed().replace('    ', ''))
        edge.get('/a?b=c', fields={'User-Agent': 'tester', 'Referer': 'http://x/'})

        def line():
            with open(f'{edge.folder}/combined.log', encoding='utf-8') as file:
                return file.readline()
        harness.wait_until(line, 5, 'a line')
        self.assertRegex(line(), r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:[\d:]{8} [+-]\d{4}\] "GET /a\?b=c HTTP/1\.1" 200 3 '
                                 r'"http://x/" "tester"')

    def test_event_log_is_key_value(self):
        edge = self.portolan(fixed())
        lines = edge.output.splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r'^(<\d>)?\w+=("(\\.|[^"])*"|\S*)( \w+=("(\\.|[^"])*"|\S*))*$')

    def test_a_slow_disk_drops_lines_and_holds_nobody_up(self):
        path = f'{self.folder}/fifo'
        os.mkfifo(path)
        # Nobody reads: the writer blocks, or the file can't be opened; requests go on all the same.
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        edge = self.portolan(f'[log]\naccess = {{ path = "{path}" }}\n' + fixed().replace('    ', ''))
        result = self.wrk(edge.port, seconds=2)
        self.assertEqual((result['errors'], result['non2xx']), ([0, 0, 0, 0], 0), result['text'])
        self.assertGreater(result['requests'], 5000)


class CommandLine(harness.Case):
    def test_check(self):
        edge = self.portolan(fixed(), start=False)
        self.assertEqual(edge.command('check', check=False).returncode, 0)
        edge.write(fixed().replace('respond', 'respnd').replace('listen =', 'lisen ='))
        wrong = edge.command('check', check=False)
        self.assertEqual(wrong.returncode, 2)
        text = wrong.stdout + wrong.stderr
        self.assertRegex(text, r'portolan\.toml:\d+:\d+: .*listen')
        self.assertRegex(text, r'portolan\.toml:\d+:\d+: .*respond')

    def test_run_refuses_a_bad_file(self):
        edge = self.portolan(fixed().replace('respond', 'respnd'), start=False).start()
        self.assertEqual(edge.wait(), 2)
        self.assertIn('respnd', edge.output)

    def test_a_port_in_use_is_named(self):
        first = self.portolan(fixed())
        second = self.portolan(fixed().replace('{port}', str(first.port)), name='second', start=False)
        # Another process may not share the port by accident.
        second.start()
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(first.port), second.output)

    def test_status_shows_everything(self):
        up, down = self.echo(), harness.free_port()
        edge = self.portolan(f'''
            [listener.web]
            listen = ["127.0.0.1:{{port}}"]
            [pool.app]
            servers = ["127.0.0.1:{up.port}", "127.0.0.1:{down}"]
            health = {{ tcp = true, interval = "100ms", fall = 2 }}
            [[route]]
            pool = "app"
            cache = "edge"
            [cache.edge]
            memory = "16 MiB"
            '''.replace('tcp = true', 'http = "/"'))
        text = harness.wait_until(lambda: re.search(r'down', edge.command('status')) and edge.command('status'), 5,
                                  'a server that is down')
        for part in ('web', 'app', str(up.port), str(down), 'up', 'down', 'refused', 'edge'):
            self.assertIn(part, text)

    def test_workers_are_threads(self):
        def threads(workers):
            edge = self.portolan(f'[server]\nworkers = {workers}\n{{control}}\n' + fixed().replace('    ', ''))
            return len(os.listdir(f'/proc/{edge.pid}/task'))
        self.assertEqual(threads(4) - threads(1), 3)

    def test_metrics_and_ready(self):
        edge = self.portolan(fixed())
        before = edge.metric('portolan_requests_total')
        for _ in range(20):
            edge.get()
        harness.wait_until(lambda: edge.metric('portolan_requests_total') - before == 20, 3, 'twenty requests counted')
        self.assertEqual(harness.fetch(edge.metrics_port, '/ready').status, 200)
        self.assertRegex(edge.metrics_text(), r'(?m)^# TYPE \w+ histogram$')


if __name__ == '__main__':
    harness.main()
