"""HTTP/2 by hand for the tests: frames and heads to the byte (RFC 9113 §4.1, RFC 7541 §6.2.2)."""
import harness

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED = 4, 8


def frame(kind, flags, stream, payload=b''):
    return len(payload).to_bytes(3, 'big') + bytes((kind, flags)) + stream.to_bytes(4, 'big') + payload


def block(*fields):
    """Literal fields without indexing; `__name` stands for the pseudo-field `:name`. Texts shorter than 127 bytes."""
    out = b''
    for name, value in fields:
        name, value = name.replace('__', ':').encode(), value.encode()
        out += b'\0' + bytes((len(name),)) + name + bytes((len(value),)) + value
    return out


GET = (('__method', 'GET'), ('__scheme', 'http'), ('__path', '/'), ('__authority', 'test'))
CONNECT = (('__method', 'CONNECT'), ('__scheme', 'http'), ('__path', '/chat'), ('__authority', 'test'))
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(SETTINGS, 0, 0)


class Frames(harness.Client):
    """A client that has sent its preface, and reads frame by frame."""

    def __init__(self, port, **options):
        super().__init__(port, **options)
        self.send(PREFACE)

    def read(self):
        """(type, flags, stream, payload) of the next frame."""
        head = self.exactly(9)
        return head[3], head[4], int.from_bytes(head[5:9], 'big'), self.exactly(int.from_bytes(head[:3], 'big'))

    def next(self, kind):
        """The next frame of a type, confirming settings on the way."""
        while True:
            got = self.read()
            if got[0] == SETTINGS and not got[1] & ACK:
                self.send(frame(SETTINGS, ACK, 0))
            if got[0] == kind:
                return got

    def status(self):
        """Of the next head."""
        payload = self.next(HEADERS)[3]
        if payload[0] & 0x80:                          # indexed
            return {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}[payload[0] & 0x7f]
        return int(_digits(payload[1:]))


def _digits(payload):
    """The Huffman code of three digits: 5 bits each for 0, 1, 2 and 6 for 3 to 9 (RFC 7541, appendix B)."""
    bits = ''.join(f'{byte:08b}' for byte in payload[1:1 + (payload[0] & 0x7f)])
    out, at = b'', 0
    while at + 5 <= len(bits) and len(out) < 3:
        short, long = int(bits[at:at + 5], 2), int(bits[at:at + 6] or '0', 2)
        if short <= 2:
            out, at = out + b'%d' % short, at + 5
        else:
            out, at = out + b'%d' % (long - 0x19 + 3), at + 6
    return out
