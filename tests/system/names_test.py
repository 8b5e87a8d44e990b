"""Servers by name, by SRV set and by list: found, followed, kept while nobody answers. Against a DNS server of our own."""
import os
import signal
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

import harness


class NameServer:
    """Answers UDP and TCP by `zone`: {(name, 'A'): [records] | a name of an rcode | None}; None is silence."""

    def __init__(self):
        self.port = harness.free_port()
        self.zone, self.asked, self.ttl, self.over_udp = {}, [], 1, True
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', self.port))
        self.tcp = socket.create_server(('127.0.0.1', self.port))
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def set(self, name, kind, value):
        self.zone[(name + '.', kind)] = value

    def answer(self, wire, tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        key = (question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype))
        self.asked.append(key)
        known = any(name == key[0] for name, _ in self.zone)
        value = self.zone.get(key, [] if known else 'NXDOMAIN')
        if value is None:
            return None
        response = dns.message.make_response(query)
        if isinstance(value, str):
            response.set_rcode(dns.rcode.from_text(value))
        elif not tcp and not self.over_udp and key[1] == 'SRV':
            response.flags |= dns.flags.TC
        elif value:
            response.answer.append(dns.rrset.from_text(question.name, self.ttl, 'IN', key[1], *value))
        return response.to_wire(max_size=65535)

    def _serve_udp(self):
        while True:
            try:
                wire, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if answer := self.answer(wire, False):
                self.udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            try:
                connection = self.tcp.accept()[0]
            except OSError:
                return
            with connection:
                size = struct.unpack('!H', connection.recv(2, socket.MSG_WAITALL))[0]
                if answer := self.answer(connection.recv(size, socket.MSG_WAITALL), True):
                    connection.sendall(struct.pack('!H', len(answer)))
                    for at in range(0, len(answer), 700):          # in pieces, as a network brings them
                        connection.sendall(answer[at:at + 700])
                        time.sleep(0.002)

    def close(self):
        for each in (self.udp, self.tcp):
            each.close()


CONFIG = '''
[listener.http]
listen = ["127.0.0.1:{port}"]
[pool.app]
servers = %s
%s
[[route]]
pool = "app"
[resolver]
nameservers = "127.0.0.1:%d"
timeout = "100ms"
attempts = 1
min_ttl = "200ms"
max_ttl = "1s"
'''


class Found(harness.Case):
    def setUp(self):
        super().setUp()
        self.dns = NameServer()
        self.addCleanup(self.dns.close)

    def edge(self, servers, more=''):
        return self.portolan(CONFIG % (servers, more, self.dns.port))

    def origins(self, hosts, port=None):
        """Servers at several loopback addresses with one port, each with its name."""
        port = port or harness.free_port()

        def handler(host):
            def serve(client, _):
                while True:
                    client.request_head()
                    client.send(f'HTTP/1.1 200 OK\r\nContent-Length: {len(host)}\r\n\r\n{host}')
            return serve
        for host in hosts:
            self.scripted(handler(host), host=host, port=port)
        return port

    def who(self, edge, requests=40):
        return {edge.get('/').body.decode() for _ in range(requests)}

    def becomes(self, edge, hosts, timeout=5):
        harness.wait_until(lambda: self.who(edge, 20) == set(hosts), timeout, lambda: f'{hosts}, now {self.who(edge)}')


class Names(Found):
    def test_stand_for_all_addresses_and_keep_the_last_good_answer(self):
        port = self.origins(['127.0.0.11', '127.0.0.12', '127.0.0.13'])
        self.dns.set('app.internal', 'A', ['127.0.0.11', '127.0.0.12'])
        edge = self.edge(f'["app.internal:{port}"]')
        self.assertEqual(self.who(edge), {'127.0.0.11', '127.0.0.12'}, 'ready once the name is known')
        self.dns.set('app.internal', 'A', ['127.0.0.12', '127.0.0.13'])
        self.becomes(edge, ['127.0.0.12', '127.0.0.13'])
        for nothing in ('SERVFAIL', 'NXDOMAIN', [], None, 'REFUSED'):
            self.dns.set('app.internal', 'A', nothing)
            self.dns.asked.clear()
            harness.wait_until(lambda: ('app.internal.', 'A') in self.dns.asked, 10)
            time.sleep(0.3)
            self.assertEqual(self.who(edge), {'127.0.0.12', '127.0.0.13'}, nothing)
        self.assertEqual(edge.metric('portolan_source_failing', pool='app', source=f'app.internal:{port}'), 1)
        status = edge.command('status')
        self.assertRegex(status, rf'app +app\.internal:{port} +failing')
        self.assertRegex(status, r'127\.0\.0\.12:\d+ \(app\.internal:\d+\) +unknown', 'found is one thing, health another')
        edge.reload()
        self.assertEqual(self.who(edge), {'127.0.0.12', '127.0.0.13'}, 'over a reload as well')
        self.dns.set('app.internal', 'A', ['127.0.0.11'])
        self.becomes(edge, ['127.0.0.11'])
        self.assertRegex(edge.command('status'), rf'app +app\.internal:{port} +found')

    def test_unknown_at_the_start_leave_the_pool_empty_and_the_daemon_running(self):
        port = self.origins(['127.0.0.11'])
        self.dns.set('app.internal', 'A', None)
        edge = self.edge(f'["app.internal:{port}"]')
        self.assertEqual(edge.get('/').status, 503)
        self.assertIn('event="servers not found" from=app.internal', edge.output)
        self.assertRegex(edge.command('status'), rf'app +app\.internal:{port} +failing')
        self.dns.set('app.internal', 'A', ['127.0.0.11'])
        harness.wait_until(lambda: edge.get('/').status == 200, 10)

    def test_a_reload_to_a_pool_of_names_leaves_no_gap(self):
        port = self.origins(['127.0.0.11', '127.0.0.12'])
        edge = self.edge(f'["127.0.0.11:{port}"]')
        bad, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                answer = edge.get('/')
                if answer.status != 200:
                    bad.append(answer)
        asker = threading.Thread(target=ask)
        asker.start()
        for i in range(5):
            self.dns.set(f'n{i}.internal', 'A', ['127.0.0.12'])
            self.dns.set(f'_h._tcp.s{i}.internal', 'SRV', [f'0 1 {port} t{i}.internal.'])
            self.dns.set(f't{i}.internal', 'A', ['127.0.0.11'])
            edge.reload(CONFIG.replace('.app]', f'.p{i}]').replace('"app"', f'"p{i}"') %
                        (f'["n{i}.internal:{port}"]' if i % 2 else f'["srv:_h._tcp.s{i}.internal"]', '', self.dns.port))
        stop.set()
        asker.join()
        self.assertEqual(bad, [])

    def test_servers_that_leave_an_answer_drain(self):
        port = harness.free_port()
        begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

        def slow(client, _):
            try:
                while True:
                    target = client.request_head()[1]
                    if target == '/slow':
                        begun.set()
                        go_on.wait(20)
                    client.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow')
            finally:
                closed.set()
        leaving = self.scripted(slow, host='127.0.0.11', port=port)
        self.dns.set('app.internal', 'A', ['127.0.0.11'])
        edge = self.edge(f'["app.internal:{port}"]')
        self.assertEqual(edge.get('/').body, b'slow')
        harness.wait_until(lambda: leaving.connections == 1)
        with edge.client() as client:
            client.request('GET', '/slow')
            self.assertTrue(begun.wait(5))
            self.origins(['127.0.0.12'], port)
            self.dns.set('app.internal', 'A', ['127.0.0.12'])
            self.becomes(edge, ['127.0.0.12'])
            go_on.set()
            self.assertEqual(client.answer().body, b'slow', 'what was under way ends')
        self.assertTrue(closed.wait(5), 'and its connection is not kept')


class Services(Found):
    def test_are_targets_with_ports_weights_and_backups(self):
        port = self.origins(['127.0.0.11'])
        other = self.origins(['127.0.0.12'])
        backup = self.origins(['127.0.0.13'])
        self.dns.set('_http._tcp.app', 'SRV', [f'10 30 {port} a.app.', f'10 10 {other} b.app.', f'20 5 {backup} c.app.'])
        for name, address in (('a', 11), ('b', 12), ('c', 13)):
            self.dns.set(f'{name}.app', 'A', [f'127.0.0.{address}'])
        edge = self.edge('["srv:_http._tcp.app"]')
        got = [edge.get('/').body for _ in range(40)]
        self.assertEqual((got.count(b'127.0.0.11'), got.count(b'127.0.0.12'), got.count(b'127.0.0.13')), (30, 10, 0))
        self.assertRegex(edge.command('status'), r'127\.0\.0\.13:\d+ \(srv:_http\._tcp\.app\) backup')
        self.dns.set('_http._tcp.app', 'SRV', [f'5 0 {backup} c.app.'])
        self.becomes(edge, ['127.0.0.13'])
        self.dns.set('_http._tcp.app', 'SRV', ['0 0 0 .'])
        self.dns.asked.clear()
        harness.wait_until(lambda: ('_http._tcp.app.', 'SRV') in self.dns.asked, 5)
        time.sleep(0.3)
        self.assertEqual(self.who(edge), {'127.0.0.13'})

    def test_too_large_for_udp_come_over_tcp(self):
        port = self.origins(['127.0.0.11'])
        self.dns.over_udp = False
        self.dns.set('_http._tcp.app', 'SRV', [f'10 1 {port} target-{i:03}.app.' for i in range(100)])
        for i in range(100):
            self.dns.set(f'target-{i:03}.app', 'A', ['127.0.0.11'])
        self.dns.ttl = 60
        patient = CONFIG.replace('"100ms"', '"2s"').replace('attempts = 1', 'attempts = 3').replace('"1s"', '"1m"')
        edge = self.portolan(patient % ('["srv:_http._tcp.app"]', '', self.dns.port))
        self.assertEqual(self.who(edge), {'127.0.0.11'})
        self.assertRegex(edge.command('status'), r'(?m)srv:_http\._tcp\.app +found +\w+ +1$', '100 names, one server')


class Lists(Found):
    def write(self, text):
        path = os.path.join(self.folder, 'app.servers')
        with open(path + '.new', 'w', encoding='ascii') as file:
            file.write(text)
        os.rename(path + '.new', path)
        return path

    def test_are_watched_and_a_broken_one_keeps_the_last(self):
        port = self.origins(['127.0.0.11', '127.0.0.12', '127.0.0.13'])
        path = self.write(f'127.0.0.11:{port} weight=3\n127.0.0.12:{port}  # the small one\n')
        edge = self.edge(f'["file:{path}"]')
        got = [edge.get('/').body for _ in range(40)]
        self.assertEqual((got.count(b'127.0.0.11'), got.count(b'127.0.0.12')), (30, 10))
        self.write(f'127.0.0.13:{port}\n')
        began = time.monotonic()
        self.becomes(edge, ['127.0.0.13'])
        self.assertLess(time.monotonic() - began, 2.5)
        self.write(f'127.0.0.11:{port}\n127.0.0.12\n')
        harness.wait_until(lambda: f'{path}:2: ' in edge.output, 5, lambda: edge.output)
        self.assertEqual(self.who(edge), {'127.0.0.13'})
        os.unlink(path)
        harness.wait_until(lambda: 'failing' in edge.command('status'), 5)
        edge.reload()
        self.assertEqual(self.who(edge), {'127.0.0.13'})
        self.write(f'127.0.0.12:{port}\n')
        self.becomes(edge, ['127.0.0.12'])


class Readiness(Found):
    def ready(self, edge):
        answer = harness.fetch(edge.metrics_port, '/ready')
        return answer.status, answer.body.decode().strip()

    def becomes_ready(self, edge, status, text):
        harness.wait_until(lambda: edge._answers('/metrics') and self.ready(edge) == (status, text), 10,
                           lambda: f'{text}, now {self.ready(edge)}')

    def test_a_required_pool_without_a_server_is_told(self):
        port = self.origins(['127.0.0.11'])
        path = os.path.join(self.folder, 'app.servers')
        check = 'required = true\nhealth = { tcp = true, interval = "50ms", timeout = "50ms", fall = 1, rise = 1 }'
        edge = self.portolan(CONFIG % (f'["file:{path}"]', check, self.dns.port), start=False).start()
        nobody = 'not ready: no server of pool app serves'
        self.becomes_ready(edge, 503, nobody)
        with open(path, 'w', encoding='ascii') as file:
            file.write(f'127.0.0.11:{port}\n')
        self.becomes_ready(edge, 200, 'ready')
        with open(path, 'w', encoding='ascii') as file:
            file.write(f'127.0.0.19:{port}\n')
        self.becomes_ready(edge, 503, nobody)

    def test_a_drained_node_says_so_and_ends_connections_but_serves(self):
        port = self.origins(['127.0.0.11'])
        edge = self.edge(f'["127.0.0.11:{port}"]')
        with edge.client() as client:
            self.assertIsNone(client.request().answer().get('Connection'))
            edge.command('drain', 'node')
            self.assertEqual(self.ready(edge), (503, 'not ready: drained by an operator'))
            self.assertIn(', draining', edge.command('status'))
            self.assertEqual(client.request().answer().get('Connection'), 'close')
            self.assertTrue(client.closed())
        self.assertEqual(self.who(edge), {'127.0.0.11'})
        edge.command('enable', 'node')
        self.assertEqual(self.ready(edge), (200, 'ready'))
        with edge.client() as client:
            self.assertIsNone(client.request().answer().get('Connection'))

    def test_a_node_that_leaves_can_let_new_connections_wait(self):
        port = self.origins(['127.0.0.11'])
        edge = self.edge(f'["127.0.0.11:{port}"]')
        edge.command('drain', 'node')
        with edge.client() as idle:
            began = time.monotonic()
            answer = harness.fetch(edge.metrics_port, '/ready?hold=1s')
            self.assertEqual(answer.status, 503)
            self.assertLess(time.monotonic() - began, 0.45, 'as soon as nobody is left')
            self.assertTrue(idle.closed())
        began = time.monotonic()
        self.assertEqual(edge.get('/').status, 200, 'it waits, and is served when the hold is over')
        self.assertGreater(time.monotonic() - began, 0.5)

    def test_a_stop_may_say_so_first(self):
        port = self.origins(['127.0.0.11'])
        edge = self.edge(f'["127.0.0.11:{port}"]', '[server]\n{control}\nshutdown_delay = "2s"')
        edge.signal(signal.SIGTERM)
        harness.wait_until(lambda: self.ready(edge) == (503, 'not ready: shutting down'))
        began = time.monotonic()
        while time.monotonic() - began < 1:
            self.assertEqual(edge.get('/').status, 200)
        self.assertEqual(edge.wait(10), 0)
        self.assertGreater(time.monotonic() - began, 1.5)

    def test_a_second_signal_shortens_the_wait(self):
        edge = self.edge('["127.0.0.11:1"]', '[server]\n{control}\nshutdown_delay = "1h"')
        edge.signal(signal.SIGTERM)
        harness.wait_until(lambda: self.ready(edge)[0] == 503)
        edge.signal(signal.SIGTERM)
        self.assertEqual(edge.wait(10), 0)


class Utilization(Found):
    def test_is_what_is_in_flight_by_what_the_servers_take(self):
        gate = threading.Event()
        self.addCleanup(gate.set)

        def slow(client, _):
            client.request_head()
            gate.wait(20)
            client.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        origins = [self.scripted(slow) for _ in range(2)]
        edge = self.edge('[%s]' % ', '.join(
            f'{{ address = "127.0.0.1:{o.port}", max_connections = 4 }}' for o in origins))
        self.assertEqual(edge.metric('portolan_pool_utilization', pool='app'), 0)
        clients = [edge.client() for _ in range(6)]
        for client in clients:
            client.request()
        harness.wait_until(lambda: edge.metric('portolan_pool_utilization', pool='app') == 0.75, 5)
        for client in clients:
            client.close()


if __name__ == '__main__':
    harness.main()
