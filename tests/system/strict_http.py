"""HTTP/1.1 as the strictest reader takes it (RFC 9110, 9112): what is not exactly that is malformed. The judge of what a
forwarder passed on, apart from the product's own parser."""
import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb'(' + TOKEN + rb') ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])')
STATUS_LINE = re.compile(rb'HTTP/1\.([01]) ([1-5]\d\d) ([\t \x21-\x7e\x80-\xff]*)')
FIELD = re.compile(rb'(' + TOKEN + rb'):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*')
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+)(?::(\d{0,5}))?")
EXTENSION = re.compile(rb'[\t \x21-\x7e\x80-\xff]*')


class Malformed(Exception):
    pass


class Incomplete(Exception):
    pass


class Message:
    """start: what the start line's pattern found; fields: (name, value) pairs; body; head: its bytes; end: where it ends."""

    def __init__(self, start, fields, head):
        self.start, self.fields, self.head, self.body, self.end, self.trailers = start, fields, head, b'', 0, []

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]


def line(data, at):
    end = data.find(b'\n', at)
    text = data[at:end if end >= 0 else len(data)]
    if end < 0 and (b'\r' not in text[:-1]):
        raise Incomplete
    if not text.endswith(b'\r') or b'\r' in text[:-1]:
        raise Malformed(f'a line that does not end with CRLF: {text[:60]!r}')
    return text[:-1], end + 1


def field_lines(data, at):
    fields = []
    while True:
        text, at = line(data, at)
        if not text:
            return fields, at
        match = FIELD.fullmatch(text)
        if not match:
            raise Malformed(f'a field line that is none: {text[:60]!r}')
        fields.append((match.group(1), match.group(2)))


def head(data, at, pattern):
    text, rest = line(data, at)
    start = pattern.fullmatch(text)
    if not start:
        raise Malformed(f'a start line that is none: {text[:60]!r}')
    fields, end = field_lines(data, rest)
    return Message(start.groups(), fields, data[at:end]), end


def framing(message, minor):
    """('length', n), ('chunked', None) or (None, None)."""
    lengths, codings = message.all(b'Content-Length'), message.all(b'Transfer-Encoding')
    if len(lengths) + len(codings) > 1:
        raise Malformed('more than one framing field')
    if lengths:
        if not re.fullmatch(rb'\d{1,18}', lengths[0]):
            raise Malformed(f'Content-Length {lengths[0][:40]!r}')
        return 'length', int(lengths[0])
    if codings:
        if codings[0].lower() != b'chunked' or minor == b'0':
            raise Malformed(f'Transfer-Encoding {codings[0][:40]!r}')
        return 'chunked', None
    return None, None


def chunks(data, at, message):
    while True:
        text, at = line(data, at)
        size, semicolon, extension = text.partition(b';')
        if not re.fullmatch(rb'[0-9A-Fa-f]{1,16}', size) or not EXTENSION.fullmatch(extension):
            raise Malformed(f'a chunk size that is none: {text[:60]!r}')
        if int(size, 16) == 0:
            message.trailers, message.end = field_lines(data, at)
            return message
        end = at + int(size, 16)
        if len(data) < end + 2:
            if data[end:end + 1] not in (b'', b'\r'):
                raise Malformed('a chunk that is longer than its size')
            raise Incomplete
        if data[end:end + 2] != b'\r\n':
            raise Malformed('a chunk that is longer than its size')
        message.body += data[at:end]
        at = end + 2


def is_host(text):
    match = HOST.fullmatch(text)
    return bool(match) and int(match.group(1) or 0) < 65536


def body(data, at, message, kind, length):
    if kind == 'chunked':
        return chunks(data, at, message)
    message.end = at + (length or 0)
    if len(data) < message.end:
        raise Incomplete
    message.body = data[at:message.end]
    return message


def request(data, at=0):
    """The request that begins there."""
    message, end = head(data, at, REQUEST_LINE)
    minor = message.start[2]
    hosts = message.all(b'Host')
    if len(hosts) > 1 or (minor == b'1' and not hosts) or (hosts and not is_host(hosts[0])):
        raise Malformed(f'Host {hosts!r}')
    method, target = message.start[:2]
    if method == b'CONNECT':
        good = is_host(target)
    else:
        good = target.startswith((b'/', b'http://')) or (target == b'*' and method == b'OPTIONS')
    if not good:
        raise Malformed(f'target {target[:60]!r}')
    return body(data, end, message, *framing(message, minor))


def requests(data):
    """All of them; Malformed where one is not, Incomplete where the last is cut: whole ones are in its args[0]."""
    found, at = [], 0
    while at < len(data):
        try:
            found.append(request(data, at))
        except Incomplete:
            raise Incomplete(found) from None
        at = found[-1].end
    return found


def response(data, closed, method=b'GET', at=0):
    """The final answer that begins there, interim ones skipped; `closed`: nothing more comes."""
    while True:
        message, end = head(data, at, STATUS_LINE)
        status = int(message.start[1])
        if status >= 200 or status == 101:
            break
        at = end
    kind, length = framing(message, message.start[0])
    if method == b'HEAD' or status in (101, 204, 304):
        message.end = end
        return message
    if kind is None:
        if not closed:
            raise Incomplete
        message.body, message.end = data[end:], len(data)
        return message
    return body(data, end, message, kind, length)
