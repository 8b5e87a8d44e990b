"""What HTTP/2 and HPACK ask of a server, a case a row: those of h2spec --strict, by the sections of the RFCs."""
import typing

import harness

TIMEOUT_S = 2
CONFIG = f'''
    [listener.http]
    listen = ["127.0.0.1:{{port}}"]
    [[route]]
    respond = {{ body = "{'portolan' * 512}" }}
'''

NAMES = ('DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY', 'WINDOW_UPDATE',
         'CONTINUATION')
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
UNKNOWN = 0x16

END_STREAM, END_HEADERS, PADDED, PRIORITIZED, ACK = 1, 4, 8, 0x20, 1
WHOLE = END_STREAM | END_HEADERS
UNDEFINED = 0x16                               # of PING

(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
 MAX_HEADER_LIST_SIZE) = range(1, 7)

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR) = range(10)


# ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

def u32(value):
    return value.to_bytes(4, 'big')


def integer(value, prefix, pattern=0):
    """RFC 7541 §5.1: value in the low `prefix` bits of a byte that starts with pattern, and what follows it."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((pattern | value,))
    coded, value = [pattern | most], value - most
    while value >= 0x80:
        coded.append(0x80 | value & 0x7f)
        value >>= 7
    return bytes((*coded, value))


def string(text):
    return integer(len(text), 7) + text.encode()


def field(name, value):
    """A literal that isn't indexed, with its name."""
    return b'\0' + string(name) + string(value)


def table_size(size):
    return integer(size, 5, 0x20)


def priority(depends_on=0, weight=255, exclusive=False):
    return u32(depends_on | exclusive << 31) + bytes((weight,))


METHOD, SCHEME, PATH, AUTHORITY = ((':method', 'GET'), (':scheme', 'http'), (':path', '/'), (':authority', 'test'))
TARGET = field(*SCHEME) + field(*PATH) + field(*AUTHORITY)
GET, HEAD, POST = (field(':method', method) + TARGET for method in ('GET', 'HEAD', 'POST'))
LONG = field('x-long', 'x' * 4000)
TRAILER = field('x-test', 'ok')
STATUS_200 = b'\x88'                           # RFC 7541, Appendix A: index 8

SILENCE, CLOSED = 'silence', 'closed'


class Frame(typing.NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def error(self):
        return int.from_bytes(self.payload[4:8] if self.kind == GOAWAY else self.payload[:4], 'big')

    @property
    def ends_stream(self):
        return self.kind in (DATA, HEADERS) and self.flags & END_STREAM

    def __str__(self):
        name = NAMES[self.kind] if self.kind < len(NAMES) else f'kind {self.kind}'
        said = f' error {self.error}' if self.kind in (RST_STREAM, GOAWAY) else ''
        return f'{name} flags {self.flags:#x} stream {self.stream} {len(self.payload)} bytes{said}'


# ── the peer ────────────────────────────────────────────────────────────────────────────────────────────────────────

class Peer(harness.Client):
    """A client that speaks HTTP/2 as well or as badly as its case wants.

    What it sends waits until it reads, so that the frames before an expectation arrive together.
    """

    def __init__(self, port, greets=True):
        super().__init__(port, timeout=TIMEOUT_S)
        self.unsent, self.seen, self.theirs = b'', [], {}
        if greets:
            self.preface().greeted()
            self.settings(flags=ACK).settings_acked()

    def raw(self, data):
        self.unsent += data
        return self

    def frame(self, kind, flags=0, stream=0, payload=b''):
        return self.raw(len(payload).to_bytes(3, 'big') + bytes((kind, flags)) + u32(stream) + payload)

    def preface(self):
        return self.raw(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').settings()

    def data(self, payload=b'test', flags=END_STREAM, stream=1):
        return self.frame(DATA, flags, stream, payload)

    def headers(self, block=GET, flags=WHOLE, stream=1):
        return self.frame(HEADERS, flags, stream, block)

    def continuation(self, block=LONG, flags=END_HEADERS, stream=1):
        return self.frame(CONTINUATION, flags, stream, block)

    def priority(self, *arguments, stream=1, **options):
        return self.frame(PRIORITY, 0, stream, priority(*arguments, **options))

    def rst_stream(self, code=CANCEL, stream=1):
        return self.frame(RST_STREAM, 0, stream, u32(code))

    def settings(self, *pairs, flags=0):
        return self.frame(SETTINGS, flags, 0, b''.join(key.to_bytes(2, 'big') + u32(value) for key, value in pairs))

    def window_of(self, size):
        return self.settings((INITIAL_WINDOW_SIZE, size))

    def push_promise(self, promised, block=GET):
        return self.frame(PUSH_PROMISE, END_HEADERS, 1, u32(promised) + block)

    def ping(self, payload=b'portolan', flags=0, stream=0):
        return self.frame(PING, flags, stream, payload)

    def goaway(self, code=NO_ERROR, stream=0, debug=b''):
        return self.frame(GOAWAY, 0, stream, u32(0) + u32(code) + debug)

    def window_update(self, increment, stream=1):
        return self.frame(WINDOW_UPDATE, 0, stream, u32(increment))

    @property
    def max_frame(self):
        return self.theirs.get(MAX_FRAME_SIZE, 16384)

    @property
    def max_table(self):
        return self.theirs.get(HEADER_TABLE_SIZE, 4096)

    def one_stream_too_many(self):
        for stream in range(1, 2 * self.theirs[MAX_CONCURRENT_STREAMS] + 2, 2):
            self.headers(stream=stream)
        return self

    # What the server must do.

    def next_frame(self):
        """None where none comes; the last of `seen` tells why."""
        try:
            self.send(self.unsent)
            self.unsent = b''
            head = self.exactly(9)
            size, stream = int.from_bytes(head[:3], 'big'), int.from_bytes(head[5:], 'big')
            frame = Frame(head[3], head[4], stream, self.exactly(size))
        except (TimeoutError, ConnectionError) as error:
            self.seen.append(SILENCE if isinstance(error, TimeoutError) else CLOSED)
            return None
        self.seen.append(str(frame))
        return frame

    def expect(self, what, judge, close_will_do=False):
        """Reads until judge(frame) says True or False."""
        verdict = None
        while verdict is None:
            frame = self.next_frame()
            verdict = judge(frame) if frame else close_will_do and self.seen[-1] == CLOSED
        assert verdict, f'wanted: {what}; got: {self.seen}'
        return self

    def first_of(self, kinds, what, judge, close_will_do=False):
        return self.expect(what, lambda frame: judge(frame) if frame.kind in kinds else None, close_will_do)

    def greeted(self):
        def judge(frame):
            pairs = [frame.payload[at:at + 6] for at in range(0, len(frame.payload), 6)]
            self.theirs = {int.from_bytes(pair[:2], 'big'): int.from_bytes(pair[2:], 'big') for pair in pairs}
            return (frame.kind, frame.flags) == (SETTINGS, 0)
        return self.expect('SETTINGS first', judge)

    def settings_acked(self):
        return self.first_of((SETTINGS,), 'SETTINGS with ACK', lambda frame: frame.flags == ACK)

    def ping_acked(self, payload=b'portolan'):
        return self.first_of((PING,), 'PING with ACK', lambda frame: (frame.flags, frame.payload) == (ACK, payload))

    def ping_acked_or_closed(self):
        """Closed without an error."""
        def judge(frame):
            if frame.kind == GOAWAY:
                return None if frame.error == NO_ERROR else False
            return (frame.flags, frame.payload) == (ACK, b'portolan')
        return self.first_of((PING, GOAWAY), 'PING with ACK or a close', judge, True)

    def answered(self):
        """With 200, to the end of the stream."""
        def judge(frame):
            if frame.kind in (RST_STREAM, GOAWAY):
                return False
            if frame.kind == HEADERS and (frame.stream, frame.payload[:1]) != (1, STATUS_200):
                return False
            return True if frame.ends_stream and frame.stream == 1 else None
        return self.expect('200 and all of its body on stream 1', judge)

    def data_comes(self, size):
        return self.first_of((DATA,), f'DATA of {size} bytes',
                             lambda frame: (frame.stream, len(frame.payload)) == (1, size))

    def connection_error(self, *codes):
        return self.first_of((GOAWAY,), f'GOAWAY {codes} or a close', lambda frame: frame.error in codes, True)

    def stream_error(self, *codes, stream=1):
        return self.first_of((RST_STREAM, GOAWAY), f'RST_STREAM of {stream} or GOAWAY {codes}, or a close',
                             lambda frame: frame.error in codes and frame.stream in (0, stream), True)

    def reset_with(self, code):
        return self.first_of((RST_STREAM, GOAWAY), f'RST_STREAM {code}',
                             lambda frame: (frame.stream, frame.error) == (1, code))

    def goaway_with(self, code):
        return self.first_of((GOAWAY,), f'GOAWAY {code}', lambda frame: frame.error == code)

    def hung_up(self):
        return self.expect('a close', lambda frame: None, close_will_do=True)

    def refused_as_http1(self):
        answer = self.send(self.unsent).rest()
        assert answer.startswith(b'HTTP/1.1 400 '), answer
        return self


# ── the cases ───────────────────────────────────────────────────────────────────────────────────────────────────────

PREFACES = (
    ('3.4', 'the preface is answered by SETTINGS', lambda p: p.preface().greeted()),
    ('3.4', 'the SETTINGS after the preface are acknowledged', lambda p: p.preface().greeted().settings_acked()),
    # Not an error of HTTP/2: where there is no TLS it may be HTTP/1.
    ('3.4', 'no preface', lambda p: p.raw(b'THIS IS NO PREFACE AT ALL\r\n\r\n').refused_as_http1()),
)

FRAMES = (
    ('4.1', 'an unknown kind of frame is passed over', lambda p: p.frame(UNKNOWN, payload=bytes(8)).ping()
        .ping_acked()),
    ('4.1', 'undefined flags are passed over', lambda p: p.ping(flags=UNDEFINED).ping_acked()),
    ('4.1', 'the reserved bit is passed over', lambda p: p.ping(flags=UNDEFINED, stream=1 << 31).ping_acked()),
    ('4.2', 'DATA as large as a frame may be', lambda p: p.headers(POST, END_HEADERS).data(b'x' * p.max_frame)
        .answered()),
    ('4.2', 'DATA larger than a frame may be', lambda p: p.headers(POST, END_HEADERS).data(b'x' * (p.max_frame + 1))
        .stream_error(FRAME_SIZE_ERROR)),
    ('4.2', 'HEADERS larger than a frame may be', lambda p: p.headers(GET + field('x-long', 'x' * p.max_frame))
        .connection_error(FRAME_SIZE_ERROR)),
    ('4.3', 'a block that ends within a field', lambda p: p.headers(b'\x40').connection_error(COMPRESSION_ERROR)),
    ('4.3', 'PRIORITY within a block', lambda p: p.headers(flags=0).priority().continuation()
        .connection_error(PROTOCOL_ERROR)),
    ('4.3', 'HEADERS of another stream within a block', lambda p: p.headers(flags=0).headers(stream=3).continuation()
        .connection_error(PROTOCOL_ERROR)),
)

STREAMS = (
    ('5.1', 'PRIORITY of an idle stream is fine', lambda p: p.priority().ping().ping_acked()),
    ('5.1', 'WINDOW_UPDATE after the request is fine', lambda p: p.window_of(0).headers().window_update(1)
        .data_comes(1)),
    ('5.1', 'PRIORITY after the request is fine', lambda p: p.window_of(0).headers().priority().window_update(1)
        .data_comes(1)),
    ('5.1', 'RST_STREAM after the request is fine', lambda p: p.headers().rst_stream().ping().ping_acked_or_closed()),
    ('5.1', 'PRIORITY of a closed stream is fine', lambda p: p.headers().answered().priority().ping().ping_acked()),
    ('5.1', 'DATA on an idle stream', lambda p: p.data().stream_error(PROTOCOL_ERROR, STREAM_CLOSED)),
    ('5.1', 'RST_STREAM of an idle stream', lambda p: p.rst_stream().connection_error(PROTOCOL_ERROR)),
    ('5.1', 'WINDOW_UPDATE of an idle stream', lambda p: p.window_update(100).connection_error(PROTOCOL_ERROR)),
    ('5.1', 'CONTINUATION on an idle stream', lambda p: p.continuation(GET).connection_error(PROTOCOL_ERROR)),
    ('5.1', 'DATA after the request', lambda p: p.headers().data().stream_error(STREAM_CLOSED)),
    ('5.1', 'HEADERS after the request', lambda p: p.headers().headers().stream_error(STREAM_CLOSED)),
    ('5.1', 'CONTINUATION after the request', lambda p: p.headers().continuation(GET)
        .stream_error(STREAM_CLOSED, PROTOCOL_ERROR)),
    ('5.1', 'DATA after RST_STREAM', lambda p: p.headers(flags=END_HEADERS).rst_stream().data()
        .stream_error(STREAM_CLOSED)),
    ('5.1', 'HEADERS after RST_STREAM', lambda p: p.headers(flags=END_HEADERS).rst_stream().headers()
        .stream_error(STREAM_CLOSED)),
    ('5.1', 'CONTINUATION after RST_STREAM', lambda p: p.headers(flags=END_HEADERS).rst_stream().continuation()
        .stream_error(STREAM_CLOSED, PROTOCOL_ERROR)),
    ('5.1', 'DATA after the answer', lambda p: p.headers().answered().data().stream_error(STREAM_CLOSED)),
    ('5.1', 'HEADERS after the answer', lambda p: p.headers().answered().headers().connection_error(STREAM_CLOSED)),
    ('5.1', 'CONTINUATION after the answer', lambda p: p.headers().answered().continuation()
        .connection_error(STREAM_CLOSED, PROTOCOL_ERROR)),
    ('5.1.1', 'an even stream', lambda p: p.headers(stream=2).connection_error(PROTOCOL_ERROR)),
    ('5.1.1', 'a stream below an earlier one', lambda p: p.headers(stream=5).headers(stream=3)
        .connection_error(PROTOCOL_ERROR)),
    ('5.1.2', 'one stream more than may be', lambda p: p.window_of(0).one_stream_too_many()
        .stream_error(PROTOCOL_ERROR, REFUSED_STREAM, stream=2 * p.theirs[MAX_CONCURRENT_STREAMS] + 1)),
    ('5.4.1', 'a connection error closes', lambda p: p.ping(stream=3).hung_up()),
    ('5.4.1', 'a connection error says GOAWAY', lambda p: p.ping(stream=3).goaway_with(PROTOCOL_ERROR)),
    ('5.5', 'an extension is passed over', lambda p: p.frame(UNKNOWN, payload=bytes(8)).ping().ping_acked()),
    ('5.5', 'an extension within a block', lambda p: p.headers(flags=END_STREAM).frame(UNKNOWN, payload=bytes(8))
        .connection_error(PROTOCOL_ERROR)),
)

# RFC 9113 has dropped them.
PRIORITIES = (
    ('5.3.1', 'HEADERS that depend on themselves', lambda p: p.headers(priority(1) + GET, WHOLE | PRIORITIZED)
        .stream_error(PROTOCOL_ERROR)),
    ('5.3.1', 'PRIORITY that depends on itself', lambda p: p.priority(1).stream_error(PROTOCOL_ERROR)),
)

DEFINITIONS = (
    ('6.1', 'one DATA', lambda p: p.headers(POST, END_HEADERS).data().answered()),
    ('6.1', 'many DATA', lambda p: p.headers(POST, END_HEADERS).data(flags=0).data().answered()),
    ('6.1', 'DATA with padding', lambda p: p.headers(POST, END_HEADERS).data(b'\5test' + bytes(5), END_STREAM | PADDED)
        .answered()),
    ('6.1', 'DATA on stream 0', lambda p: p.data(stream=0).connection_error(PROTOCOL_ERROR)),
    ('6.1', 'DATA of a stream that is half closed', lambda p: p.headers(POST).data().stream_error(STREAM_CLOSED)),
    ('6.1', 'DATA with more padding than frame', lambda p: p.headers(POST + field('content-length', '4'), END_HEADERS)
        .data(b'\6test', END_STREAM | PADDED).connection_error(PROTOCOL_ERROR)),

    ('6.2', 'HEADERS', lambda p: p.headers().answered()),
    ('6.2', 'HEADERS with padding', lambda p: p.headers(b'\x08' + GET + bytes(8), WHOLE | PADDED).answered()),
    ('6.2', 'HEADERS with a priority', lambda p: p.headers(priority() + GET, WHOLE | PRIORITIZED).answered()),
    ('6.2', 'HEADERS that go on after PRIORITY', lambda p: p.headers(flags=0).priority().continuation()
        .connection_error(PROTOCOL_ERROR)),
    ('6.2', 'HEADERS that go on after those of another stream', lambda p: p.headers(flags=0).headers(stream=3)
        .continuation().connection_error(PROTOCOL_ERROR)),
    ('6.2', 'HEADERS on stream 0', lambda p: p.headers(stream=0).connection_error(PROTOCOL_ERROR)),
    ('6.2', 'HEADERS with more padding than frame', lambda p: p.headers(bytes((len(GET) + 2,)) + GET, WHOLE | PADDED)
        .stream_error(PROTOCOL_ERROR)),

    ('6.3', 'the least weight', lambda p: p.priority(weight=0).headers().answered()),
    ('6.3', 'the greatest weight', lambda p: p.priority(weight=255).headers().answered()),
    ('6.3', 'a dependency', lambda p: p.priority(1, weight=0, stream=3).headers().answered()),
    ('6.3', 'an exclusive dependency', lambda p: p.priority(weight=0, exclusive=True).headers().answered()),
    ('6.3', 'PRIORITY of a higher stream opens nothing', lambda p: p.priority(stream=3).headers().answered()),
    ('6.3', 'PRIORITY on stream 0', lambda p: p.priority(stream=0).connection_error(PROTOCOL_ERROR)),
    ('6.3', 'PRIORITY of 4 bytes', lambda p: p.headers().frame(PRIORITY, 0, 1, priority()[:4])
        .stream_error(FRAME_SIZE_ERROR)),

    ('6.4', 'RST_STREAM', lambda p: p.headers(flags=END_HEADERS).rst_stream().ping().ping_acked_or_closed()),
    ('6.4', 'RST_STREAM on stream 0', lambda p: p.rst_stream(stream=0).connection_error(PROTOCOL_ERROR)),
    ('6.4', 'RST_STREAM of a stream nobody opened', lambda p: p.rst_stream().connection_error(PROTOCOL_ERROR)),
    ('6.4', 'RST_STREAM of 3 bytes', lambda p: p.headers().frame(RST_STREAM, 0, 1, bytes(3))
        .connection_error(FRAME_SIZE_ERROR)),

    ('6.5', 'all SETTINGS', lambda p: p.settings(
        (HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100), (INITIAL_WINDOW_SIZE, 65535),
        (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100)).settings_acked()),
    ('6.5', 'SETTINGS with ACK and a payload', lambda p: p.frame(SETTINGS, ACK, 0, b'\0')
        .connection_error(FRAME_SIZE_ERROR)),
    ('6.5', 'SETTINGS on a stream', lambda p: p.frame(SETTINGS, 0, 1, bytes((0, MAX_CONCURRENT_STREAMS)) + u32(100))
        .connection_error(PROTOCOL_ERROR)),
    ('6.5', 'SETTINGS of 3 bytes', lambda p: p.frame(SETTINGS, 0, 0, bytes((0, MAX_CONCURRENT_STREAMS, 0)))
        .connection_error(FRAME_SIZE_ERROR)),
    ('6.5.2', 'ENABLE_PUSH of 2', lambda p: p.settings((ENABLE_PUSH, 2)).connection_error(PROTOCOL_ERROR)),
    ('6.5.2', 'INITIAL_WINDOW_SIZE above its bounds', lambda p: p.window_of(1 << 31)
        .connection_error(FLOW_CONTROL_ERROR)),
    ('6.5.2', 'MAX_FRAME_SIZE below its bounds', lambda p: p.settings((MAX_FRAME_SIZE, (1 << 14) - 1))
        .connection_error(PROTOCOL_ERROR)),
    ('6.5.2', 'MAX_FRAME_SIZE above its bounds', lambda p: p.settings((MAX_FRAME_SIZE, 1 << 24))
        .connection_error(PROTOCOL_ERROR)),
    ('6.5.2', 'an unknown setting is passed over', lambda p: p.settings((0xff, 1)).ping().ping_acked()),
    ('6.5.3', 'the last of two values counts', lambda p: p.settings(
        (INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)).settings_acked().headers().data_comes(1)),
    ('6.5.3', 'SETTINGS are acknowledged', lambda p: p.settings((ENABLE_PUSH, 0)).settings_acked()),

    ('6.7', 'PING', lambda p: p.ping(b'h2h2h2\0\0').ping_acked(b'h2h2h2\0\0')),
    ('6.7', 'PING comes back as it was', lambda p: p.ping(b'\0\1\2\3\4\5\6\7').ping_acked(b'\0\1\2\3\4\5\6\7')),
    ('6.7', 'PING with ACK is not answered', lambda p: p.ping(b'unwanted', ACK).ping().ping_acked()),
    ('6.7', 'PING on a stream', lambda p: p.ping(stream=1).connection_error(PROTOCOL_ERROR)),
    ('6.7', 'PING of 6 bytes', lambda p: p.ping(bytes(6)).connection_error(FRAME_SIZE_ERROR)),

    ('6.8', 'GOAWAY', lambda p: p.goaway(debug=b'bye').ping().ping_acked_or_closed()),
    ('6.8', 'GOAWAY on a stream', lambda p: p.goaway(stream=1).connection_error(PROTOCOL_ERROR)),

    ('6.9', 'WINDOW_UPDATE of the connection', lambda p: p.window_update(1, stream=0).ping().ping_acked()),
    ('6.9', 'WINDOW_UPDATE of a stream', lambda p: p.headers().window_update(1).answered()),
    ('6.9', 'WINDOW_UPDATE of the connection by 0', lambda p: p.window_update(0, stream=0)
        .connection_error(PROTOCOL_ERROR)),
    ('6.9', 'WINDOW_UPDATE of a stream by 0', lambda p: p.headers(flags=END_HEADERS).window_update(0)
        .stream_error(PROTOCOL_ERROR)),
    ('6.9', 'WINDOW_UPDATE of 3 bytes', lambda p: p.frame(WINDOW_UPDATE, 0, 0, b'\0\0\1')
        .connection_error(FRAME_SIZE_ERROR)),
    ('6.9.1', 'a window of 1 byte is kept', lambda p: p.window_of(1).settings_acked().headers().data_comes(1)),
    ('6.9.1', 'the window of the connection above 2^31-1', lambda p: p.window_update((1 << 31) - 1, stream=0)
        .window_update((1 << 31) - 1, stream=0).goaway_with(FLOW_CONTROL_ERROR)),
    ('6.9.1', 'the window of a stream above 2^31-1', lambda p: p.headers(flags=END_HEADERS).window_update((1 << 31) - 1)
        .window_update((1 << 31) - 1).reset_with(FLOW_CONTROL_ERROR)),
    ('6.9.2', 'a new initial size counts for open streams', lambda p: p.window_of(0).settings_acked().headers()
        .window_of(1).data_comes(1)),
    ('6.9.2', 'a window may be below 0', lambda p: p.window_of(3).settings_acked().headers().data_comes(3)
        .window_of(2).settings_acked().window_update(2).data_comes(1)),
    ('6.9.2', 'an initial size above 2^31-1', lambda p: p.window_of(1 << 31).connection_error(FLOW_CONTROL_ERROR)),

    ('6.10', 'one CONTINUATION', lambda p: p.headers(GET[:5], END_STREAM).continuation(GET[5:]).answered()),
    ('6.10', 'two CONTINUATION', lambda p: p.headers(GET[:5], END_STREAM).continuation(GET[5:10], flags=0)
        .continuation(GET[10:]).answered()),
    ('6.10', 'two long CONTINUATION', lambda p: p.headers(flags=END_STREAM).continuation(flags=0).continuation()
        .answered()),
    ('6.10', 'DATA where CONTINUATION should follow', lambda p: p.headers(POST, flags=0).continuation(flags=0).data()
        .connection_error(PROTOCOL_ERROR)),
    ('6.10', 'CONTINUATION on stream 0', lambda p: p.headers(flags=END_STREAM).continuation(stream=0)
        .connection_error(PROTOCOL_ERROR)),
    ('6.10', 'CONTINUATION after HEADERS that ended', lambda p: p.headers().continuation()
        .connection_error(PROTOCOL_ERROR)),
    ('6.10', 'CONTINUATION after one that ended', lambda p: p.headers(flags=END_STREAM).continuation().continuation()
        .connection_error(PROTOCOL_ERROR)),
    ('6.10', 'CONTINUATION after DATA', lambda p: p.headers(POST, flags=0).data().continuation(flags=0)
        .continuation(stream=0).connection_error(PROTOCOL_ERROR)),

    ('7', 'GOAWAY with an unknown code', lambda p: p.goaway(0xff).ping().ping_acked_or_closed()),
    ('7', 'RST_STREAM with an unknown code', lambda p: p.headers(POST, END_HEADERS).rst_stream(0xff).ping()
        .ping_acked_or_closed()),
)


def malformed(block):
    return lambda p: p.headers(block).stream_error(PROTOCOL_ERROR)


MESSAGES = (
    ('8.1', 'GET', lambda p: p.headers(GET).answered()),
    ('8.1', 'HEAD', lambda p: p.headers(HEAD).answered()),
    ('8.1', 'POST', lambda p: p.headers(POST, END_HEADERS).data().answered()),
    ('8.1', 'POST with trailers', lambda p: p.headers(POST + field('trailer', 'x-test'), END_HEADERS).data(flags=0)
        .headers(TRAILER).answered()),
    ('8.1', 'trailers that do not end the stream', lambda p: p.headers(POST, END_HEADERS).data(flags=0)
        .headers(TRAILER, END_HEADERS).stream_error(PROTOCOL_ERROR)),
    ('8.1', 'a pseudo-field in the trailers', lambda p: p.headers(POST, END_HEADERS).data(flags=0)
        .headers(field(':method', 'POST')).stream_error(PROTOCOL_ERROR)),
    ('8.1.1', 'DATA beyond Content-Length', lambda p: p.headers(POST + field('content-length', '1'), END_HEADERS)
        .data().stream_error(PROTOCOL_ERROR)),
    ('8.1.1', 'much DATA beyond Content-Length', lambda p: p.headers(POST + field('content-length', '1'), END_HEADERS)
        .data(flags=0).data().stream_error(PROTOCOL_ERROR)),
    ('8.2.1', 'a name in capitals', malformed(GET + field('X-TEST', 'ok'))),
    ('8.2.2', 'a Connection field', malformed(GET + field('connection', 'keep-alive'))),
    ('8.2.2', 'TE with more than trailers', malformed(GET + field('te', 'trailers, deflate'))),
    ('8.3', 'an unknown pseudo-field', malformed(GET + field(':test', 'ok'))),
    ('8.3', 'a pseudo-field of responses', malformed(GET + field(':status', '200'))),
    ('8.3', 'a pseudo-field after a field', malformed(field('x-test', 'ok') + GET)),
    ('8.3.1', 'an empty :path', malformed(field(*METHOD) + field(*SCHEME) + field(':path', '') + field(*AUTHORITY))),
    ('8.3.1', 'no :method', malformed(TARGET)),
    ('8.3.1', 'no :scheme', malformed(field(*METHOD) + field(*PATH) + field(*AUTHORITY))),
    ('8.3.1', 'no :path', malformed(field(*METHOD) + field(*SCHEME) + field(*AUTHORITY))),
    ('8.3.1', ':method twice', malformed(GET + field(*METHOD))),
    ('8.3.1', ':scheme twice', malformed(GET + field(*SCHEME))),
    ('8.3.1', ':path twice', malformed(GET + field(*PATH))),
    ('8.4', 'PUSH_PROMISE from a client', lambda p: p.push_promise(3).connection_error(PROTOCOL_ERROR)),
)


def decoded(block):
    return lambda p: p.headers(block).answered()


def undecodable(block):
    return lambda p: p.headers(block).connection_error(COMPRESSION_ERROR)


# Strings of RFC 7541, Appendix C, plain and in Huffman's code; the code of `private` leaves one bit of its last byte.
KEY, VALUE = string('custom-key'), string('private')
KEY_BITS, VALUE_BITS = bytes.fromhex('88 25a849e95ba97d7f'), bytes.fromhex('85 aec3771a4b')
PADDED_BY_9, PADDED_BY_A_0 = bytes.fromhex('86 aec3771a4bff'), bytes.fromhex('85 aec3771a4a')
END_OF_STRING_THEN_E = bytes.fromhex('85 fffffffcbf')
INDEXED, NOT_INDEXED, NEVER_INDEXED = b'\x40', b'\x00', b'\x10'
USER_AGENT = 58                                # in the static table
NOWHERE = 70                                   # in no table

HPACK = (
    ('2.3.3', 'a field beyond both tables', undecodable(GET + integer(NOWHERE, 7, 0x80))),
    ('2.3.3', 'a name beyond both tables', undecodable(GET + integer(NOWHERE, 6, 0x40) + string(''))),
    ('4.2', 'a table size after fields', undecodable(GET + table_size(1))),
    ('4.2', 'two table sizes', decoded(table_size(128) + table_size(4096) + GET)),
    ('5.2', 'padding of more than 7 bits', undecodable(GET + NOT_INDEXED + KEY_BITS + PADDED_BY_9)),
    ('5.2', 'padding of zeros', undecodable(GET + NOT_INDEXED + KEY_BITS + PADDED_BY_A_0)),
    ('5.2', 'the end of the string within it', undecodable(GET + NOT_INDEXED + KEY_BITS + END_OF_STRING_THEN_E)),
    ('6.1', 'an indexed field', decoded(GET + integer(USER_AGENT, 7, 0x80))),
    ('6.1', 'index 0', undecodable(GET + integer(0, 7, 0x80))),
    ('6.2.1', 'indexed, a known name', decoded(GET + integer(USER_AGENT, 6, 0x40) + VALUE)),
    ('6.2.1', 'indexed, a known name, Huffman', decoded(GET + integer(USER_AGENT, 6, 0x40) + VALUE_BITS)),
    ('6.2.1', 'indexed, a new name', decoded(GET + INDEXED + KEY + VALUE)),
    ('6.2.1', 'indexed, a new name, Huffman', decoded(GET + INDEXED + KEY_BITS + VALUE_BITS)),
    ('6.2.2', 'not indexed, a known name', decoded(GET + integer(USER_AGENT, 4) + VALUE)),
    ('6.2.2', 'not indexed, a known name, Huffman', decoded(GET + integer(USER_AGENT, 4) + VALUE_BITS)),
    ('6.2.2', 'not indexed, a new name', decoded(GET + NOT_INDEXED + KEY + VALUE)),
    ('6.2.2', 'not indexed, a new name, Huffman', decoded(GET + NOT_INDEXED + KEY_BITS + VALUE_BITS)),
    ('6.2.3', 'never indexed, a known name', decoded(GET + integer(USER_AGENT, 4, 0x10) + VALUE)),
    ('6.2.3', 'never indexed, a known name, Huffman', decoded(GET + integer(USER_AGENT, 4, 0x10) + VALUE_BITS)),
    ('6.2.3', 'never indexed, a new name', decoded(GET + NEVER_INDEXED + KEY + VALUE)),
    ('6.2.3', 'never indexed, a new name, Huffman', decoded(GET + NEVER_INDEXED + KEY_BITS + VALUE_BITS)),
    ('6.3', 'a table size', decoded(table_size(128) + GET)),
    ('6.3', 'a table size above the setting', lambda p: undecodable(table_size(p.max_table + 1) + GET)(p)),
)

GROUPS = ((9113, PREFACES), (9113, FRAMES), (9113, STREAMS), (7540, PRIORITIES), (9113, DEFINITIONS), (9113, MESSAGES),
          (7541, HPACK))


class Conformance(harness.Case):
    def test_every_case(self):
        edge = self.portolan(CONFIG)
        for rfc, cases in GROUPS:
            for section, title, case in cases:
                with self.subTest(f'{rfc} §{section}: {title}'), Peer(edge.port, greets=cases is not PREFACES) as peer:
                    case(peer)

    def test_none_is_lost(self):
        titles = [(rfc, *row[:2]) for rfc, cases in GROUPS for row in cases]
        self.assertEqual((len(titles), len(set(titles))), (147, 147))


if __name__ == '__main__':
    harness.main()
