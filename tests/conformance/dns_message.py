"""DNS messages byte by byte: made as a case wants them, right or wrong, and read back strictly."""
import dataclasses
import socket
import struct

QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10
A, NS, CNAME, SOA, TXT, AAAA, OPT, DNSKEY, AXFR, ANY = 1, 2, 5, 6, 16, 28, 41, 48, 252, 255
NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, BADVERS, BADCOOKIE = 0, 1, 3, 4, 5, 16, 23
NSID, SUBNET, EXPIRE, COOKIE, KEEPALIVE, PADDING = 3, 8, 9, 10, 11, 12
ID = 0x5a17


def name(text):
    labels = [label.encode('latin-1') for label in text.rstrip('.').split('.') if label]
    return b''.join(bytes([len(label)]) + label for label in labels) + b'\0'


def option(code, data=b''):
    return struct.pack('!HH', code, len(data)) + data


def opt(size=1232, version=0, flags=0, options=b'', owner=b'\0'):
    return owner + struct.pack('!HHBBHH', OPT, size, 0, version, flags, len(options)) + options


def query(owner='example.com', kind=SOA, flags=0, opcode=0, klass=1, extra=(), counts=None, tail=b''):
    """owner=None: a header alone. `extra` are records of the additional section."""
    question = b'' if owner is None else name(owner) + struct.pack('!HH', kind, klass)
    counts = counts or (0 if owner is None else 1, 0, 0, len(extra))
    return struct.pack('!HH4H', ID, flags | opcode << 11, *counts) + question + b''.join(extra) + tail


@dataclasses.dataclass
class Record:
    owner: bytes
    kind: int
    klass: int
    ttl: int
    data: bytes


class Reader:
    def __init__(self, wire):
        self.wire, self.at = wire, 0

    def take(self, size):
        if self.at + size > len(self.wire):
            raise ValueError('cut off')
        self.at += size
        return self.wire[self.at - size:self.at]

    def unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def name(self):
        """In wire form, uncompressed and lower case; pointers lead backwards."""
        labels, at, jumped = b'', self.at, None
        lowest = at
        while True:
            size = self.wire[at]
            if size >= 0xc0:
                target = (size & 0x3f) << 8 | self.wire[at + 1]
                if target >= lowest:
                    raise ValueError('a pointer that leads forwards')
                jumped = jumped or at + 2
                at = lowest = target
                continue
            labels += self.wire[at:at + 1 + size].lower()
            at += 1 + size
            if size == 0:
                break
        if at > len(self.wire) or len(labels) > 255:
            raise ValueError('a name that is cut off or too long')
        self.at = jumped or at
        return labels

    def data(self, kind, size):
        """Names within are written out, so that data of two servers compare."""
        end = self.at + size
        skip = {NS: 0, CNAME: 0, 12: 0, 15: 2, SOA: 0}.get(kind)
        if skip is None:
            return self.take(size)
        data = self.take(skip) + self.name() + (self.name() if kind == SOA else b'')
        data += self.take(end - self.at)
        return data


class Answer:
    def __init__(self, wire):
        reader = Reader(wire)
        self.wire = wire
        self.id, self.flags, *counts = reader.unpack('!HH4H')
        self.rcode, self.opcode = self.flags & 15, self.flags >> 11 & 15
        begin = reader.at
        for _ in range(counts[0]):
            reader.name()
            reader.take(4)
        self.question = wire[begin:reader.at]
        self.questions = counts[0]
        self.sections, self.opts = ([], [], []), []
        for section, count in zip(self.sections, counts[1:]):
            for _ in range(count):
                self.read_record(reader, section)
        if reader.at != len(wire):
            raise ValueError('bytes behind the last record')

    def read_record(self, reader, section):
        owner = reader.name()
        kind, klass, ttl, size = reader.unpack('!HHIH')
        if kind != OPT:
            section.append(Record(owner, kind, klass, ttl, reader.data(kind, size)))
            return
        options, body = [], Reader(reader.take(size))
        while body.at < size:
            code, length = body.unpack('!HH')
            options.append((code, body.take(length)))
        self.opts.append({'size': klass, 'version': ttl >> 16 & 255, 'flags': ttl & 0xffff, 'options': options})
        self.rcode |= ttl >> 24 << 4

    @property
    def opt(self):
        return self.opts[0] if self.opts else None

    def options(self, code):
        return [data for each, data in (self.opt or {'options': []})['options'] if each == code]


def over_udp(port, packet, timeout=1.0, host='127.0.0.1'):
    """The answer's bytes; None: none came in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((host, port))
        s.settimeout(timeout)
        s.send(packet)
        try:
            return s.recv(65535)
        except (socket.timeout, ConnectionRefusedError):
            return None


def over_tcp(port, packets, timeout=2.0, host='127.0.0.1', split=0):
    """The answers to all packets, sent at once or `split` bytes at a time, fewer where the server hangs up."""
    with socket.create_connection((host, port), timeout=timeout) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = b''.join(struct.pack('!H', len(packet)) + packet for packet in packets)
        for i in range(0, len(stream), split or len(stream)):
            s.sendall(stream[i:i + (split or len(stream))])
        answers, got = [], b''
        while len(answers) < len(packets):
            try:
                more = s.recv(65536)
            except (socket.timeout, ConnectionResetError):
                break
            if not more:
                break
            got += more
            while len(got) >= 2 and len(got) >= 2 + (size := got[0] << 8 | got[1]):
                answers.append(got[2:2 + size])
                got = got[2 + size:]
        return answers
