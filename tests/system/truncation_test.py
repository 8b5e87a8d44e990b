"""Every way an answer can end too early, for each framing and protocol: never stored, never served as a whole."""
import os
import socket
import ssl

import harness
import http2_frames as h2
import pki

CONFIG = '''
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[timeouts]
idle = "2s"
[pool.app]
servers = ["127.0.0.1:{port}"]
{pool}
[[route]]
pool = "app"
cache = "edge"
[cache.edge]
memory = "64 MiB"
max_object = "2 MiB"
'''
WHOLE = bytes(range(256)) * 800                     # of the small object
STORED = b'Cache-Control: max-age=60\r\nETag: "v1"\r\nAccept-Ranges: bytes\r\n'
LARGE = bytes((i * 7 + i // 251) % 256 for i in range(3 << 20))    # kept in fragments
MIB = 1 << 20


def close(client):
    client.socket.shutdown(socket.SHUT_WR)


def reset(client):
    client.reset()


def with_length(rest):
    return b'HTTP/1.1 200 OK\r\n' + STORED + b'Content-Length: %d\r\n\r\n' % len(WHOLE) + rest


def chunked(rest):
    return b'HTTP/1.1 200 OK\r\n' + STORED + b'Transfer-Encoding: chunked\r\n\r\n' + rest


CHUNK = b'8000\r\n' + WHOLE[:0x8000] + b'\r\n'
# What is sent before the end.
MESSAGES = {
    'no byte of the body': with_length(b''),
    'a length that is not reached': with_length(WHOLE[:1000]),
    'a length but for the last byte': with_length(WHOLE[:-1]),
    'no chunk': chunked(b''),
    'a chunk cut in its size': chunked(CHUNK + b'80'),
    'a chunk cut behind its size': chunked(CHUNK + b'8000\r\n'),
    'a chunk cut in its data': chunked(CHUNK + b'8000\r\n' + WHOLE[:500]),
    'a chunk cut before its end of line': chunked(CHUNK + b'8000\r\n' + WHOLE[:0x8000]),
    'a chunk cut in its end of line': chunked(CHUNK + b'8000\r\n' + WHOLE[:0x8000] + b'\r'),
    'no last chunk': chunked(CHUNK),
    'a last chunk cut in its line': chunked(CHUNK + b'0'),
    'a last chunk without the end of the trailers': chunked(CHUNK + b'0\r\n'),
    'a last chunk with half a trailer': chunked(CHUNK + b'0\r\nX-Checksum: ab'),
}
UNTIL_CLOSE = b'HTTP/1.1 200 OK\r\n' + STORED + b'Connection: close\r\n\r\n' + WHOLE[:1000]
# Of a part of the large object: the first fragment, cut.
PART = (b'HTTP/1.1 206 Partial Content\r\n' + STORED + b'Content-Range: bytes 0-%d/%d\r\n' % (MIB - 1, len(LARGE)))
PARTS = {
    'a part of a length that is not reached': PART + b'Content-Length: %d\r\n\r\n' % MIB + LARGE[:500_000],
    'a part in chunks without the last': PART + b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % 500_000 + LARGE[:500_000] +
                                         b'\r\n',
    'a part in chunks that ends too early': PART + b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % 500_000 +
                                            LARGE[:500_000] + b'\r\n0\r\n\r\n',
    'a part that ends with its connection': PART + b'Connection: close\r\n\r\n' + LARGE[:500_000],
}


def sends(message, end):
    """A server of HTTP/1 that breaks off."""
    def handler(client, _):
        client.request_head()
        client.send(message)
        end(client)
    return handler


def well(body):
    """A server that answers as it should, ranges too."""
    def handler(client, _):
        while True:
            fields = dict(client.request_head()[2])
            asked = fields.get('Range')
            if asked:
                first, _, last = asked.removeprefix('bytes=').partition('-')
                first, last = int(first), min(int(last or len(body)), len(body) - 1)
                client.send(b'HTTP/1.1 206 Partial Content\r\n' + STORED +
                            b'Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n' %
                            (first, last, len(body), last - first + 1) + body[first:last + 1])
            else:
                client.send(b'HTTP/1.1 200 OK\r\n' + STORED + b'Content-Length: %d\r\n\r\n' % len(body) + body)
    return handler


class Truncated(harness.Case):
    def edge(self, origin, pool=''):
        return self.portolan(CONFIG.format(port=origin.port, pool=pool), name=f'edge{len(self.processes)}')

    def outcome(self, edge, fields=()):
        """Of one request: 'cut', or the status and the body."""
        with edge.client(timeout=20) as client:
            try:
                answer = client.request(target='/a', fields=fields).answer()
                return answer.status, answer.body
            except ConnectionError:
                return 'cut'

    def check(self, handler, body=WHOLE, fields=(), pool='', good=well):
        """What breaks off is never taken for a whole, by nobody and not later; then a good answer is stored."""
        origin = self.scripted(handler)
        edge = self.edge(origin, pool)
        for _ in range(3):
            got = self.outcome(edge, fields)
            self.assertTrue(got == 'cut' or got[0] in (502, 504), got if got == 'cut' else (got[0], len(got[1])))
        self.assertGreaterEqual(origin.connections, 3)
        origin.handler = good(body)
        self.assertEqual(self.outcome(edge, ()), (200, body))
        with edge.client() as client:
            answer = client.request(target='/a').answer()
        self.assertEqual(answer.body, body)
        self.assertIn('hit', answer['Cache-Status'])
        edge.stop()

    def test_over_http1(self):
        for name, message in MESSAGES.items():
            for end in (close, reset):
                with self.subTest(f'{name}, {end.__name__}'):
                    self.check(sends(message, end))

    def test_an_answer_that_ends_with_its_connection(self):
        """A reset is no end; and where the end is one, nobody can tell it from a cut: it passes, and is not stored."""
        self.check(sends(UNTIL_CLOSE, reset))
        origin = self.scripted(sends(UNTIL_CLOSE, close))
        edge = self.edge(origin)
        for number in (1, 2):
            self.assertEqual(self.outcome(edge), (200, WHOLE[:1000]))
            self.assertEqual(origin.connections, number)

    def test_parts(self):
        """A fragment that breaks off is fetched once more, then the client is told by a cut."""
        for name, message in PARTS.items():
            for end in (close, reset):
                if 'ends with its connection' in name and end is close:
                    continue                           # nobody can tell: it passes as the server gave it
                with self.subTest(f'{name}, {end.__name__}'):
                    self.check(sends(message, end), LARGE, {'Range': 'bytes=0-999999'})

    def test_a_part_beyond_what_is_stored(self):
        """The first fragment is there, the second breaks: not one byte of it is stored, or served as if it were all."""
        first = PART + b'Content-Length: %d\r\nConnection: close\r\n\r\n' % MIB + LARGE[:MIB]
        origin = self.scripted(sends(first, close))
        edge = self.edge(origin)
        self.assertEqual(self.outcome(edge, {'Range': 'bytes=0-9'}), (206, LARGE[:10]))
        asked = []

        def breaks_off(client, _):
            """Nothing comes behind the first 500,000 bytes of the fragment."""
            asked.append(int(dict(client.request_head()[2])['Range'].removeprefix('bytes=').partition('-')[0]))
            size = 2 * MIB - asked[-1]
            part = PART.replace(b'bytes 0-%d' % (MIB - 1), b'bytes %d-%d' % (asked[-1], 2 * MIB - 1))
            client.send(part + b'Content-Length: %d\r\n\r\n' % size + LARGE[asked[-1]:MIB + 500_000])
            close(client)
        origin.handler = breaks_off
        for _ in range(3):
            self.assertEqual(self.outcome(edge, {'Range': 'bytes=1000000-2000000'}), 'cut')
            # Gone on with as long as something comes, and given up after two that bring nothing.
            self.assertEqual(asked, [MIB, MIB + 500_000, MIB + 500_000])
            asked.clear()
        origin.handler = well(LARGE)
        self.assertEqual(self.outcome(edge, {'Range': 'bytes=1000000-2000000'}), (206, LARGE[1000000:2000001]))

    def test_a_large_answer_is_cut(self):
        """What came of it stays, the rest is asked for by range, of the same version."""
        head = b'HTTP/1.1 200 OK\r\n' + STORED + b'Content-Length: %d\r\n\r\n' % len(LARGE)
        asked = []

        def handler(client, number):
            asked.append(dict(client.request_head()[2]))
            client.send(head + LARGE[:MIB + 1000])
        origin = self.scripted(handler)
        edge = self.edge(origin)
        self.assertEqual(self.outcome(edge), 'cut')
        self.assertEqual([(fields.get('Range'), fields.get('If-Range')) for fields in asked],
                         [(None, None), (f'bytes={MIB + 1000}-{len(LARGE) - 1}', '"v1"')])
        origin.handler = well(LARGE)
        self.assertEqual(self.outcome(edge), (200, LARGE))


class TruncatedByTls(Truncated):
    """The same over TLS to the server: an end without close_notify is a cut."""

    def setUp(self):
        super().setUp()
        authority = pki.Authority(self.folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(authority.issue('origin.pem', '127.0.0.1'))
        self.pool = f'tls = {{ ca = "{authority.file}" }}'

    def scripted(self, handler, **options):
        def wrapped(client, number):
            client.socket = self.context.wrap_socket(client.socket, server_side=True)
            origin.handler_in_tls(client, number)
        origin = super().scripted(wrapped, **options)
        origin.handler_in_tls = handler
        return origin

    def check(self, handler, body=WHOLE, fields=(), pool='', good=well):
        origin = self.scripted(handler)
        edge = self.edge(origin, self.pool)
        for _ in range(3):
            got = self.outcome(edge, fields)
            self.assertTrue(got == 'cut' or got[0] in (502, 504), got if got == 'cut' else (got[0], len(got[1])))
        origin.handler_in_tls = good(body)
        self.assertEqual(self.outcome(edge), (200, body))
        edge.stop()

    def test_over_http1(self):
        def no_close_notify(client):
            os.close(client.socket.detach())

        def close_notify(client):
            client.socket.unwrap()
        for name, message in MESSAGES.items():
            for end in (no_close_notify, close_notify):
                with self.subTest(f'{name}, {end.__name__}'):
                    self.check(sends(message, end))

    def test_an_answer_that_ends_with_its_connection(self):
        self.check(sends(UNTIL_CLOSE, lambda client: os.close(client.socket.detach())))

    def test_parts(self):
        for name, message in PARTS.items():
            with self.subTest(name):
                self.check(sends(message, lambda client: os.close(client.socket.detach())), LARGE,
                           {'Range': 'bytes=0-999999'})

    test_a_part_beyond_what_is_stored = test_a_large_answer_is_cut = None


HEAD = (('__status', '200'), ('cache-control', 'max-age=60'), ('etag', '"v1"'), ('accept-ranges', 'bytes'))
LENGTH = (('content-length', str(len(WHOLE))),)
CUTS = {
    'a reset stream': lambda stream: h2.frame(h2.RST_STREAM, 0, stream, (8).to_bytes(4, 'big')),
    'a stream reset without an error': lambda stream: h2.frame(h2.RST_STREAM, 0, stream, bytes(4)),
    'an end before the length': lambda stream: h2.frame(h2.DATA, h2.END_STREAM, stream, b'x'),
    'trailers before the length': lambda stream: h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, stream,
                                                          h2.block(('x-checksum', 'ab'))),
    'more than the length': lambda stream: b''.join(h2.frame(h2.DATA, 0, stream, bytes(16000)) for _ in range(14)),
    'a GOAWAY that leaves the stream out': lambda stream: h2.frame(h2.GOAWAY, 0, 0, bytes(8)),
    'a GOAWAY, and the end': lambda stream: h2.frame(h2.GOAWAY, 0, 0, stream.to_bytes(4, 'big') + bytes(4)),
    'the end of the connection': lambda stream: b'',
    'half a frame': lambda stream: h2.frame(h2.DATA, 0, stream, bytes(5000))[:1000],
}
WITHOUT_LENGTH = [name for name in CUTS if 'length' not in name]


def sends_frames(head, body, cut):
    def handler(client, _):
        client.exactly(len(h2.PREFACE) - 9)
        client.send(h2.frame(h2.SETTINGS, 0, 0))
        while True:
            start = client.exactly(9)
            client.exactly(int.from_bytes(start[:3], 'big'))
            stream = int.from_bytes(start[5:9], 'big')
            if start[3] == h2.SETTINGS and not start[4] & h2.ACK:
                client.send(h2.frame(h2.SETTINGS, h2.ACK, 0))
            if start[3] != h2.HEADERS:
                continue
            client.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.block(*head)))
            for at in range(0, len(body), 16000):
                client.send(h2.frame(h2.DATA, 0, stream, body[at:at + 16000]))
            client.send(cut(stream))
            close(client)
    return handler


def well_framed(body):
    def handler(client, _):
        client.exactly(len(h2.PREFACE) - 9)
        client.send(h2.frame(h2.SETTINGS, 0, 0))
        while True:
            start = client.exactly(9)
            client.exactly(int.from_bytes(start[:3], 'big'))
            stream = int.from_bytes(start[5:9], 'big')
            if start[3] == h2.SETTINGS and not start[4] & h2.ACK:
                client.send(h2.frame(h2.SETTINGS, h2.ACK, 0))
            if start[3] != h2.HEADERS:
                continue
            length = ('content-length', str(len(body)))
            client.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.block(*HEAD, length)))
            for at in range(0, len(body), 16000):
                last = h2.END_STREAM if at + 16000 >= len(body) else 0
                client.send(h2.frame(h2.DATA, last, stream, body[at:at + 16000]))
    return handler


class TruncatedByHttp2(Truncated):
    SMALL = WHOLE[:60_000]                             # within the first window

    def check_frames(self, head, body, cut, fields=()):
        origin = self.scripted(sends_frames(head, body, cut))
        edge = self.edge(origin, 'http2 = true')
        for _ in range(3):
            got = self.outcome(edge, fields)
            self.assertTrue(got == 'cut' or got[0] in (502, 503, 504), got if got == 'cut' else (got[0], len(got[1])))
        origin.handler = well_framed(self.SMALL)
        self.assertEqual(self.outcome(edge), (200, self.SMALL))
        self.assertEqual(self.outcome(edge), (200, self.SMALL))
        edge.stop()

    def test_over_http2(self):
        length = (('content-length', str(len(self.SMALL))),)
        for name, cut in CUTS.items():
            with self.subTest(name):
                self.check_frames(HEAD + length, self.SMALL[:20_000], cut)
        for name in WITHOUT_LENGTH:
            with self.subTest(f'{name}, no length'):
                self.check_frames(HEAD, self.SMALL[:20_000], CUTS[name])

    def test_parts(self):
        head = (('__status', '206'),) + HEAD[1:] + (('content-range', f'bytes 0-{MIB - 1}/{len(LARGE)}'),)
        for name, cut in CUTS.items():
            if name == 'more than the length':
                continue
            with self.subTest(name):
                self.check_frames(head + (('content-length', str(MIB)),), LARGE[:50_000], cut, {'Range': 'bytes=0-99999'})

    test_over_http1 = test_an_answer_that_ends_with_its_connection = None
    test_a_part_beyond_what_is_stored = test_a_large_answer_is_cut = None


if __name__ == '__main__':
    harness.main()
