"""Upgrades to WebSocket: over HTTP/1.1 and HTTP/2 and from one to the other, what comes before a 101, and what ends them."""
import base64
import hashlib
import os
import socket
import threading
import time

import harness
from http2_frames import CONNECT, DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, Frames, block, frame

KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
ASKS = f'GET /chat HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n' \
       f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n'


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()).decode()


def grant(client, accept=None):
    """Reads a request for an upgrade and grants it; the fields that came."""
    _, _, fields = client.request_head()
    fields = {name.lower(): value for name, value in fields}
    client.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Server: here\r\n'
                f'Sec-WebSocket-Accept: {accept or accept_of(fields["sec-websocket-key"])}\r\n\r\n')
    return fields


def echo(client, _=0):
    grant(client)
    while data := client.buffer or client.socket.recv(65536):
        client.buffer = b''
        client.send(data)


class Tunnels(harness.Case):
    def setUp(self):
        super().setUp()
        self.clients = []

    def tearDown(self):
        for client in self.clients:                    # a stop would wait for their tunnels
            client.close()
        super().tearDown()

    def edge(self, origin, top='', more='', http2=False):
        return self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            http2 = {str(http2).lower()}
            {more}
            [[route]]
            path = "/chat"
            pool = "app"
            [[route]]
            path = "/text"
            respond = {{ body = "text" }}
            {top}
        ''')

    def opened(self, edge):
        client = harness.Client(edge.port)
        self.clients.append(client)
        answer = client.send(ASKS).answer()
        self.assertEqual(answer.status, 101)
        return client, answer

    def test_pass_bytes_both_ways(self):
        edge = self.edge(self.scripted(echo))
        client, answer = self.opened(edge)
        self.assertEqual(answer['Upgrade'], 'websocket')
        self.assertEqual(answer['Sec-WebSocket-Accept'], accept_of(KEY))
        self.assertEqual(answer['X-Server'], 'here')
        noise = os.urandom(1_000_000)
        threading.Thread(target=client.send, args=(noise,), daemon=True).start()
        self.assertEqual(client.exactly(len(noise)), noise)
        self.assertEqual(edge.metric('portolan_tunnels', listener='http'), 1)
        client.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(client.closed())
        line = edge.access_lines(1)[0]
        self.assertEqual((line['status'], line['bytes']), (101, len(noise)))
        self.assertEqual(edge.metric('portolan_tunnels', listener='http'), 0)
        self.assertEqual(edge.metric('portolan_tunnels_total', listener='http'), 1)

    def test_end_with_the_server(self):
        edge = self.edge(self.scripted(lambda client, _: (grant(client), client.send(b'bye'))))
        client, _ = self.opened(edge)
        self.assertEqual(client.rest(), b'bye')

    def test_carry_nothing_before_the_101(self):
        early = []

        def handler(client, _):
            client.request_head()
            client.socket.settimeout(0.3)
            try:
                early.append(client.buffer or client.socket.recv(1))
            except TimeoutError:
                early.append(b'')
            client.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n')
            client.socket.settimeout(5)
            client.send(client.exactly(5))
        edge = self.edge(self.scripted(handler))
        with harness.Client(edge.port) as client:
            self.assertEqual(client.send(ASKS + 'early').answer().status, 101)
            self.assertEqual(client.exactly(5), b'early')
        self.assertEqual(early, [b''])

    def test_that_are_refused_leave_an_ordinary_connection(self):
        def handler(client, _):
            while True:
                client.request_head()
                client.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
        edge = self.edge(self.scripted(handler))
        with harness.Client(edge.port) as client:
            for _ in range(2):
                self.assertEqual(client.send(ASKS).answer().body, b'no')

    def test_are_not_granted_by_what_nobody_asked_for(self):
        for granted in ('Upgrade: h2c\r\nConnection: upgrade', 'Upgrade: websocket', 'Connection: upgrade', 'X: y'):
            edge = self.edge(self.scripted(lambda client, _, granted=granted: (
                client.request_head(), client.send(f'HTTP/1.1 101 Switching Protocols\r\n{granted}\r\n\r\n'))))
            with harness.Client(edge.port) as client:
                self.assertEqual(client.send(ASKS).answer().status, 502, granted)

    def test_are_asked_for_only_as_websocket(self):
        told = []

        def handler(client, _):
            while True:
                told.append({name.lower() for name, _ in client.request_head()[2]})
                client.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        edge = self.edge(self.scripted(handler))
        with harness.Client(edge.port) as client:
            for fields in ('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x',
                           'Upgrade: websocket', 'Connection: Upgrade'):
                client.send(f'GET /chat HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n')
                self.assertEqual(client.answer().status, 200)
        for names in told:
            self.assertFalse({'upgrade', 'connection', 'http2-settings'} & names)

    def test_do_not_concern_what_is_not_a_server(self):
        edge = self.edge(self.scripted(echo))
        with harness.Client(edge.port) as client:
            self.assertEqual(client.send(ASKS.replace('/chat', '/text')).answer().body, b'text')

    def test_that_idle_are_ended(self):
        edge = self.edge(self.scripted(echo), top='[timeouts]\ntunnel = "400ms"\nidle = "100ms"')
        client, _ = self.opened(edge)
        for _ in range(4):
            time.sleep(0.2)
            client.send(b'x')
            self.assertEqual(client.exactly(1), b'x')
        self.assertTrue(client.closed(2))
        self.assertEqual(edge.metric('portolan_server_failures_total'), 0)

    def test_survive_reloads(self):
        edge = self.edge(self.scripted(echo))
        clients = [self.opened(edge)[0] for _ in range(harness.scale(20, 100))]
        for number in range(harness.scale(5, 100)):
            with open(edge.config_path, encoding='utf-8') as file:
                text = file.read()
            edge.reload(text + f'\n[[route]]\npath = "/{number}"\nrespond = {{ body = "x" }}\n')
        for client in clients:
            self.assertEqual(client.send(b'still').exactly(5), b'still')

    def test_and_requests_survive_reloads_under_load(self):
        """Each reload changes routes and how the pool balances, while wrk asks nginx through it."""
        nginx, origin = self.nginx({'k': b'k' * 1024}), self.scripted(echo)
        edge = self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [pool.chat]
            servers = ["127.0.0.1:{origin.port}"]
            [pool.app]
            balance = "round-robin"
            servers = ["127.0.0.1:{nginx.port}"]
            [[route]]
            path = "/chat"
            pool = "chat"
            [[route]]
            pool = "app"
        ''')
        clients = [self.opened(edge)[0] for _ in range(harness.scale(20, 100))]
        with open(edge.config_path, encoding='utf-8') as file:
            text = file.read()
        done, seen = threading.Event(), []

        def load():
            while not done.is_set():
                seen.append(self.wrk(edge.port, '/k', seconds=2))
        thread = threading.Thread(target=load)
        thread.start()
        try:
            for number in range(harness.scale(30, 1000)):
                policy = ('round-robin', 'least-connections')[number % 2]
                edge.reload(text.replace('round-robin', policy) +
                            f'\n[[route]]\npath = "/{number}"\nrespond = {{ body = "x" }}\n')
                client = clients[number % len(clients)]
                self.assertEqual(client.send(b'still').exactly(5), b'still')
        finally:
            done.set()
            thread.join()
        for client in clients:
            self.assertEqual(client.send(b'still').exactly(5), b'still')
        requests = sum(result['requests'] for result in seen)
        print(f'{number + 1} reloads, {requests} requests of wrk, {len(clients)} tunnels')
        self.assertEqual([(result['errors'], result['non2xx']) for result in seen], [([0] * 4, 0)] * len(seen))
        self.assertGreater(requests, 1000)

    def test_over_http2(self):
        edge = self.edge(self.scripted(echo))
        asks = block(('__method', 'CONNECT'), ('__protocol', 'websocket'), ('__scheme', 'http'), ('__path', '/chat'),
                     ('__authority', 'test'), ('sec-websocket-version', '13'))
        with Frames(edge.port) as peer:
            peer.send(frame(HEADERS, END_HEADERS, 1, asks))
            _, flags, _, payload = peer.next(HEADERS)
            self.assertEqual((payload[:1], flags & END_STREAM), (b'\x88', 0))   # :status 200
            self.assertNotIn(b'sec-websocket', payload)
            for text in (b'one', b'two'):
                peer.send(frame(DATA, 0, 1, text))
                self.assertEqual(peer.next(DATA)[3], text)
            self.assertEqual(edge.metric('portolan_tunnels', listener='http'), 1)
            peer.send(frame(DATA, END_STREAM, 1))
            self.assertTrue(peer.next(DATA)[1] & END_STREAM)

    def test_over_http2_want_proof(self):
        edge = self.edge(self.scripted(lambda client, _: grant(client, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')))
        with Frames(edge.port) as peer:
            peer.send(frame(HEADERS, END_HEADERS, 1, block(*CONNECT, ('__protocol', 'websocket'))))
            self.assertEqual(peer.status(), 502)

    def test_over_http2_of_other_kinds_are_refused(self):
        edge = self.edge(self.scripted(echo))
        with Frames(edge.port) as peer:
            peer.send(frame(HEADERS, END_HEADERS, 1, block(*CONNECT, ('__protocol', 'other'))))
            self.assertEqual(peer.status(), 501)
            peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, block(('__method', 'CONNECT'), ('__authority', 'a:1'))))
            self.assertEqual(peer.status(), 404)       # no route is for it

    def test_from_http1_over_http2_to_http1(self):
        inner = self.edge(self.scripted(echo))
        outer = self.edge(inner, http2=True)
        client, answer = self.opened(outer)
        self.assertEqual(answer['Sec-WebSocket-Accept'], accept_of(KEY))
        self.assertEqual(client.send(b'through').exactly(7), b'through')
        client.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(client.closed())
        self.assertEqual(inner.access_lines(1)[0]['protocol'], 'HTTP/2.0')

    def test_over_http2_are_asked_for_only_where_allowed(self):
        for allowed in (True, False):
            early, later = [], []

            def handler(client, _, allowed=allowed, early=early, later=later):
                client.exactly(24)
                client.socket.settimeout(0.3)
                try:
                    while True:
                        early.append(read_frame(client)[0])
                except TimeoutError:
                    pass
                client.socket.settimeout(5)
                # RFC 8441 §3: SETTINGS_ENABLE_CONNECT_PROTOCOL is 8.
                client.send(frame(SETTINGS, 0, 0, b'\0\x08\0\0\0\x01' if allowed else b''))
                while True:
                    kind, flags, stream, _ = read_frame(client)
                    later.append(kind)
                    if kind == HEADERS:
                        client.send(frame(HEADERS, END_HEADERS, stream, b'\x88'))   # :status 200
                    if kind == DATA:
                        client.send(frame(DATA, flags & END_STREAM, stream, b'heard'))
            with self.subTest(allowed=allowed):
                edge = self.edge(self.scripted(handler), http2=True)
                with harness.Client(edge.port) as client:
                    answer = client.send(ASKS).answer()
                    self.assertEqual(answer.status, 101 if allowed else 502)
                    if allowed:
                        self.assertEqual(client.send(b'word').exactly(5), b'heard')
                self.assertNotIn(HEADERS, early)
                self.assertEqual(HEADERS in later, allowed)


def read_frame(client):
    head = client.exactly(9)
    return head[3], head[4], int.from_bytes(head[5:9], 'big'), client.exactly(int.from_bytes(head[:3], 'big'))


if __name__ == '__main__':
    harness.main()
