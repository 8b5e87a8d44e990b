"""What a strict server and a strict forwarder must do with what could be read two ways: one table for Portolan
(strictness_test.py) and for its peers (strictness_peers.py, ./dev strictness).

Each case names a rule and where readers are known to have got it wrong: a CVE, a product, or the number of the class in
the HTTP Garden's list (S: servers, T: forwarders, B: others; github.com/narfindustries/http-garden, TROPHIES.md).
"""

import itertools

NUMBERS = itertools.count(1)
LAWFUL = ('101 fields', 'fields over 32 KiB', 'a target over 8 KiB', 'an extension over 1 KiB', 'CONNECT')


class Case:
    """One message. `refuse`: the statuses it may get, nothing reaches an origin; else `line`, `host`, `kept`, `framing` and
    `body` say what the origin sees: request line, Host, the client's fields that pass, how the body is framed, the body."""

    def __init__(self, area, name, rule, wrong, sent, refuse=(), in_body=False, line='GET / HTTP/1.1', host='a', kept='',
                 framing='', body=b'', local=False, via='1.1', gone=()):
        self.area, self.name, self.rule, self.wrong, self.sent = area, name, rule, wrong, latin(sent)
        self.refuse, self.in_body, self.line, self.host, self.kept = refuse, in_body, line, host, kept
        self.framing, self.body, self.via = framing, body, via
        self.gone = gone                                # names of fields that must not pass
        self.local = local                              # answered without an origin
        self.lawful = name in LAWFUL                    # well-formed, but more than Portolan takes


class Answer:
    """What an origin answers to `method`. `refuse`: the client gets 502, or, where the fault is in the body, an answer that
    breaks off; else a whole one with this status and body."""

    def __init__(self, name, rule, wrong, sent, refuse=True, in_body=False, method='GET', status=200, body=b'', late='',
                 closes=False, area='Responses'):
        self.area, self.name, self.rule, self.wrong, self.sent = area, name, rule, wrong, latin(sent)
        self.refuse, self.in_body, self.method, self.status, self.body = refuse, in_body, method, status, body
        self.late, self.closes = latin(late), closes    # bytes that come a moment later; the origin closes behind it
        self.more, self.pause = [], 0                   # the rest of it in pieces
        self.number = next(NUMBERS)                     # a path of its own: no cache answers for another


class Head2:
    """A head in HTTP/2, with a body where there is one. Refused: the stream or the connection ends, or 4xx."""

    def __init__(self, name, rule, wrong, fields, body=b'', refuse=True, line='GET / HTTP/1.1', host='a', kept='', framing=''):
        self.area, self.name, self.rule, self.wrong, self.fields = 'HTTP/2 to HTTP/1', name, rule, wrong, fields
        self.body, self.refuse, self.line, self.host, self.kept, self.framing = body, refuse, line, host, kept, framing
        self.gone, self.lawful = (), False


def latin(text):
    return text if isinstance(text, bytes) else text.encode('latin-1')


def get(fields='', line='GET / HTTP/1.1'):
    return f'{line}\r\nHost: a\r\n{fields}\r\n'


def post(fields, body=''):
    return f'POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}'


def chunked(body):
    return post('Transfer-Encoding: chunked\r\n', body)


def host(value):
    return f'GET / HTTP/1.1\r\nHost: {value}\r\n\r\n'


CANARY = b'GET /canary HTTP/1.1\r\nHost: a\r\n\r\n'        # sent behind what must be refused: never answered, never passed
ODD_NAME = ''.join(chr(c) for c in range(1, 32) if c not in (10, 13)) + ' "(),/;<=>?@[/]{}'


def refused(area, rule, *rows, **options):
    """Rows: name, who got it wrong, bytes, statuses."""
    return [Case(area, name, rule, wrong, sent, statuses, **options) for name, wrong, sent, statuses in rows]


FRAMING = refused(
    'Framing', 'RFC 9112 §6.1, §6.3',
    ('length and chunked', 'Pingora #945, T23', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), (400,)),
    ('chunked and length', 'HAProxy < 2.x', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), (400,)),
    ('length and ,chunked', 'T15, T18, S21', post('Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), (400,)),
    ('length and an unknown coding', 'T15', post('Content-Length: 3\r\nTransfer-Encoding: blegh\r\n', 'abc'), (400, 501)),
    (',chunked', 'nghttpx, T9, S21', post('Transfer-Encoding: ,chunked\r\n', '0\r\n\r\n'), (400,)),
    ('chunked,', 'Azure', post('Transfer-Encoding: chunked,\r\n', '0\r\n\r\n'), (400,)),
    ('chunked, chunked', 'T25, S11', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'), (400,)),
    ('chunked on two lines', 'T25, S11', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), (400,)),
    ('identity, chunked on two lines', 'CVE-2026-2835',
     post('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), (400, 501)),
    ('chunked not last', 'Pound', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'), (400, 501)),
    ('chunked with a parameter', 'CVE-2026-89044', post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n'), (400, 501)),
    ('an unknown coding', 'S44', post('Transfer-Encoding: blegh\r\n', '1\r\nZ\r\n0\r\n\r\n'), (501, 400)),
    ('xchunked', 'Azure', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'), (501, 400)),
    ('identity', 'RFC 7230 had it', post('Transfer-Encoding: identity\r\n'), (501, 400)),
    ('gzip, chunked', 'Pingora', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), (501, 400)),
    ('an empty coding', 'ATS', post('Transfer-Encoding:\r\n'), (400, 501)),
    ('vertical tab before chunked', 'S12', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'), (400, 501)),
    ('0xa0 around chunked', 'S12, S46', post('Transfer-Encoding: \xa0chunked\xa0\r\n', '0\r\n\r\n'), (400, 501)),
    ('0xff around chunked', 'S46', post('Transfer-Encoding: \xffchunked\xff\r\n', '1\r\nZ\r\n0\r\n\r\n'), (400, 501)),
    ('chunked in quotes', 'Pound', post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'), (400, 501)),
    ('chunked in HTTP/1.0', 'nginx, Apache once', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', (400,)),
    ('a coding with a space before the colon', 'S3', post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'), (400,)),
) + [
    Case('Framing', 'a chunked body', 'RFC 9112 §7.1', '', chunked('3\r\nabc\r\n0\r\n\r\n'), line='POST / HTTP/1.1',
         framing='Transfer-Encoding: chunked\r\n', body=b'abc'),
    Case('Framing', 'CHUNKED', 'RFC 9112 §7', '', post('transfer-encoding: CHUNKED\r\n', '3\r\nabc\r\n0\r\n\r\n'),
         line='POST / HTTP/1.1', framing='Transfer-Encoding: chunked\r\n', body=b'abc'),
]

LENGTH = refused(
    'Content-Length', 'RFC 9110 §8.6, RFC 9112 §6.3',
    ('empty', 'CVE-2023-40225, S16, S38, T5', get('Content-Length: \r\n'), (400,)),
    ('empty, then another', 'S42, T11', get('Content-Length: \r\nContent-Length: 43\r\n'), (400,)),
    ('+3', 'CPython, S10', post('Content-Length: +3\r\n', 'abc'), (400,)),
    ('-3', 'Mongoose CVE-2023-34188, S26', post('Content-Length: -48\r\n', 'abc'), (400,)),
    ('0x3', 'Akamai T1, S29, S32', post('Content-Length: 0x3\r\n', 'abc'), (400,)),
    ('1_0', 'S10', post('Content-Length: 1_0\r\n', '0123456789'), (400,)),
    ('a longest valid prefix', 'S29', post('Content-Length: 1Z\r\n', 'Z'), (400,)),
    ('two that differ', 'S23, S33, T22', post('Content-Length: 0\r\nContent-Length: 1\r\n', 'Z'), (400,)),
    ('two that are the same', 'relayd', post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'), (400,)),
    ('a list', 'ATS', post('Content-Length: 3, 3\r\n', 'abc'), (400,)),
    ('a list of two', 'ATS', post('Content-Length: 3, 4\r\n', 'abc'), (400,)),
    ('3.0', 'Python int, float', post('Content-Length: 3.0\r\n', 'abc'), (400,)),
    ('over 64 bits', 'overflow', post('Content-Length: 18446744073709551619\r\n', 'abc'), (400,)),
    ('over 63 bits', 'overflow', post('Content-Length: 9223372036854775808\r\n', 'abc'), (400,)),
    ('with a space within', 'relayd', post('Content-Length: 1 0\r\n', '0123456789'), (400,)),
    ('with a space before the colon', 'S3', post('Content-Length : 3\r\n', 'abc'), (400,)),
    ('with 0x85 in the name', 'Gunicorn S20', post('Content-Length\x85: 10\r\n', '0123456789'), (400,)),
    ('without a colon', 'Mongoose S28, T14', post('Content-Length 10\r\n', '0123456789'), (400,)),
) + [
    Case('Content-Length', 'leading zeros are decimal', 'RFC 9110 §8.6', 'OpenLiteSpeed S32',
         post('Content-Length: 010\r\n', '0123456789'), line='POST / HTTP/1.1', framing='Content-Length: 10\r\n', body=b'0123456789'),
    Case('Content-Length', 'a GET with a body keeps it', 'RFC 9110 §9.3.1', 'T21',
         get('Content-Length: 10\r\n') + '1234567890', framing='Content-Length: 10\r\n', body=b'1234567890'),
]

CHUNKS = refused(
    'Chunks', 'RFC 9112 §7.1',
    ('size 0x1', 'libevent S25, T19', chunked('0x1\r\na\r\n0\r\n\r\n'), (400,)),
    ('size +1', 'S25, T19', chunked('+1\r\na\r\n0\r\n\r\n'), (400,)),
    ('size -1', 'S25, T19', chunked('-1\r\na\r\n0\r\n\r\n'), (400,)),
    ('size -0x0', 'T19', chunked('-0x0\r\n\r\n'), (400,)),
    ('size 0_2e', 'AIOHTTP CVE-2023-47627, S1, S22', chunked('0_2e\r\n\r\n' + CANARY.decode()), (400,)),
    ('size with a longest valid prefix', 'ATS T7', chunked('1these-bytes\r\nZ\r\n0\r\n\r\n'), (400,)),
    ('size not hexadecimal', 'Akamai T2, S47', chunked('Z\r\nZZ\r\nZZZ\r\n\r\n'), (400,)),
    ('no size', 'Go, Hyper S17', chunked('\r\n\r\n'), (400,)),
    ('size after spaces', 'T24', chunked('           0\r\n\r\n'), (400,)),
    ('size before a space', 'relayd', chunked('1 \r\na\r\n0\r\n\r\n'), (400,)),
    ('size of 17 digits', 'overflow', chunked('00000000000000001\r\na\r\n0\r\n\r\n'), (400,)),
    ('size over 64 bits', 'overflow', chunked('10000000000000001\r\na\r\n0\r\n\r\n'), (400,)),
    ('size over 63 bits', 'overflow', chunked('ffffffffffffffff\r\na\r\n0\r\n\r\n'), (400,)),
    ('bare LF after a size', 'T13, nginx < 1.29.4', chunked('1\na\r\n0\r\n\r\n'), (400,)),
    ('bare LF after data', 'T13, HAProxy < 2024', chunked('a\r\n0123456789\n0\r\n\r\n'), (400,)),
    ('bare LF at the end', 'Pound', chunked('0\r\n\n'), (400,)),
    ('CR CR before an extension', 'ATS, Google T3, S31', chunked('2\r\r;a\r\n02\r\n2d\r\n0\r\n\r\n'), (400,)),
    ('CR within an extension', 'Akamai S36', chunked('1;a=b\r\rX\r\n0\r\n\r\n'), (400,)),
    ('NUL in an extension', '', chunked('1;a\0\r\na\r\n0\r\n\r\n'), (400,)),
    ('bare LF in an extension', '', chunked('1;\na\r\n0\r\n\r\n'), (400,)),
    ('an extension over 1 KiB', 'CVE-2023-39326 (Go)', chunked('1;' + 'x' * 1100 + '\r\na\r\n0\r\n\r\n'), (400, 413, 431)),
    ('a CR within the framing', 'T4', chunked('1\r0\n'), (400,)),
    ('two bytes for the last CRLF', 'S39', chunked('0\r\nX:POST / HTTP/1.1\r\n\0\0'), (400,)),
    ('an extra CRLF before the last chunk', 'T17', chunked('1\r\na\r\n\r\n0\r\n\r\n'), (400,)),
    ('data longer than its size', 'relayd', chunked('1\r\nab\r\n0\r\n\r\n'), (400,)),
    ('a trailer without a colon', 'T14', chunked('0\r\nGET / HTTP/1.1\r\n\r\n'), (400,)),
    ('a trailer with a space before the colon', 'S3', chunked('0\r\nA : b\r\n\r\n'), (400,)),
    ('a trailer that is folded', '', chunked('0\r\nA: b\r\n c\r\n\r\n'), (400,)),
    ('Content-Length among the trailers', 'RFC 9110 §6.5.1', chunked('0\r\nContent-Length: 3\r\n\r\n'), (400,)),
    ('Transfer-Encoding among the trailers', 'RFC 9110 §6.5.1', chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'), (400,)),
    in_body=True) + [
    Case('Chunks', 'an extension, dropped', 'RFC 9112 §7.1.1', '', chunked('3;a="b";c\r\nabc\r\n0\r\n\r\n'), line='POST / HTTP/1.1',
         framing='Transfer-Encoding: chunked\r\n', body=b'abc'),
    Case('Chunks', 'data that looks like framing', 'RFC 9112 §7.1', 'T17', chunked('5\r\n0\r\n\r\n\r\n0\r\n\r\n'), line='POST / HTTP/1.1',
         framing='Transfer-Encoding: chunked\r\n', body=b'0\r\n\r\n'),
]

FIELDS = refused(
    'Fields', 'RFC 9110 §5, RFC 9112 §5',
    ('NUL in a value', 'HAProxy T12, S2, S35, S43', get('X: v\0alue\r\n'), (400,)),
    ('NUL at the end of a value', 'S43', get('Evil: evil\0\r\n'), (400,)),
    ('bare CR in a value', 'Google T10, S13, S34', get('X: a\rSmuggled: b\r\n'), (400,)),
    ('NUL and CR in a value', 'S2', get('X: v\0\ralue\r\n'), (400,)),
    ('vertical tab in a value', '', get('X: a\x0bb\r\n'), (400,)),
    ('DEL in a value', '', get('X: a\x7fb\r\n'), (400,)),
    ('bare LF in a value', 'S2', get('X: a\nb: c\r\n'), (400,)),
    ('bare LF after the colon', 'Gunicorn S19', get('Useless:\n\nGET /canary HTTP/1.1\r\n'), (400,)),
    ('CR CR LF', 'Node', get('X: a\r\r\n'), (400,)),
    ('CR and another byte for the last CRLF', 'llhttp S30', 'GET / HTTP/1.1\r\nHost: a\r\n\rZGET /evil: HTTP/1.1\r\nHost: a\r\n\r\n', (400,)),
    ('a space before the colon', 'S3', get('X : b\r\n'), (400,)),
    ('a tab before the colon', 'S3', get('X\t: b\r\n'), (400,)),
    ('an empty name', 'Go, Node S18', get(': ignored\r\n'), (400,)),
    ('an empty name and value', 'Mongoose S27', get(':\r\nI: am chopped off\r\n'), (400,)),
    ('no colon', 'T14', get('Te\r\nst: test\r\n'), (400,)),
    ('a name continued on the next line', 'S37', post('Transfer-\r\nEncoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), (400,)),
    ('a space in a name', 'S28', get('A B: x\r\n'), (400,)),
    ('NUL in a name', 'T20', get('a:b\r\nc\0\r\n'), (400,)),
    ('0x85 in a name', 'T6, S20', get('Header\x85: value\r\n'), (400,)),
    ('8-bit in a name', 'S8', get('\xeffoo: bar\r\n'), (400,)),
    ('all that a name may not hold', 'S14', get(ODD_NAME + ': whatever\r\n'), (400,)),
    ('folded', 'RFC 7230 had it', get('X: a\r\n b\r\n'), (400,)),
    ('folded by a tab', '', get('X: a\r\n\tb\r\n'), (400,)),
    ('the first line folded', 'S4', 'GET / HTTP/1.1\r\n\tContent-Length: 1\r\nHost: a\r\n\r\nX', (400,)),
    ('folded Transfer-Encoding', '', post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'), (400,)),
    ('101 fields', 'CVE-2026-49975', get('X: y\r\n' * 100), (431, 400)),
    ('fields over 32 KiB', '', get(''.join(f'X-{n}: {"y" * 4000}\r\n' for n in range(10))), (431, 400)),
) + [
    Case('Fields', '0x85 and 0xa0 are no space', 'RFC 9110 §5.5', 'Tornado S12, S41, S46', get('User: \x85admin\xa0\r\n'),
         kept='User: \x85admin\xa0\r\n'),
    Case('Fields', 'spaces and tabs around a value', 'RFC 9112 §5', '', get('X: \t a\tb \t\r\n'), kept='X: a\tb\r\n'),
    Case('Fields', 'names with _ do not pass', 'RFC 9110 §17.10', 'CGI', get('X_A: b\r\nX-B: c\r\n'), kept='X-B: c\r\n'),
    Case('Fields', 'X-Forwarded-For of a stranger', 'RFC 7239 §8.1', '', get('X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n')),
]

START_LINE = refused(
    'Start line', 'RFC 9112 §2.2, §3',
    ('two spaces', '', get(line='GET  / HTTP/1.1'), (400,)),
    ('two spaces before the version', '', get(line='GET /  HTTP/1.1'), (400,)),
    ('a tab', '', get(line='GET\t/ HTTP/1.1'), (400,)),
    ('LF for a space', 'AIOHTTP S9', 'GET /\nHTTP/1.1\r\nHost: a\r\n\r\n', (400,)),
    ('a space at the end', '', get(line='GET / HTTP/1.1 '), (400,)),
    ('a space at the beginning', '', get(line=' GET / HTTP/1.1'), (400,)),
    ('bare LF', 'OpenLiteSpeed T16', 'GET / HTTP/1.1\nHost: a\n\n', (400,)),
    ('bare CR', '', 'GET / HTTP/1.1\rHost: a\r\n\r\n', (400,)),
    ('no version: HTTP/0.9', '', 'GET /\r\n\r\n', (400, 505)),
    ('HTTP/1.32', 'AIOHTTP S5', get(line='GET / HTTP/1.32'), (400, 505)),
    ('HTTP/1.2', '', get(line='GET / HTTP/1.2'), (505, 400)),
    ('HTTP/2.0', '', get(line='GET / HTTP/2.0'), (505, 400)),
    ('HTTP/4294967295.255', 'libevent S24', get(line='GET / HTTP/4294967295.255'), (400, 505)),
    ('HTTP/CRCR1.1', 'FastHTTP S15', 'GET / HTTP/\r\r1.1\r\nHost: a\r\n\r\n', (400, 505)),
    ('http/1.1', '', get(line='GET / http/1.1'), (400, 505)),
    ('a version of dots', 'S40', get(line='\0 / HTTP/............0596.7407.'), (400, 505)),
    ('a method that is no token', 'AIOHTTP S6', 'G=":<>(e),[T];?" /get HTTP/1.1\r\nHost: a\r\n\r\n', (400, 405, 501)),
    ('NUL for a method', 'S40', get(line='\0 / HTTP/1.1'), (400,)),
    ('a target that is none', 'AIOHTTP S7', get(line='GET ! HTTP/1.1'), (400,)),
    ('a fragment', '', get(line='GET /a#b HTTP/1.1'), (400,)),
    ('NUL in a target', '', get(line='GET /a\0b HTTP/1.1'), (400,)),
    ('a control byte in a target', '', get(line='GET /a\x01b HTTP/1.1'), (400,)),
    ('8-bit in a target', '', get(line='GET /\xc3\xa4 HTTP/1.1'), (400,)),
    ('* for GET', '', get(line='GET * HTTP/1.1'), (400,)),
    ('authority-form for GET', '', get(line='GET a:80 HTTP/1.1'), (400,)),
    ('another scheme', '', get(line='GET ftp://a/ HTTP/1.1'), (400,)),
    ('an authority that is not Host', '', get(line='GET http://b/ HTTP/1.1'), (400,)),
    ('an authority with userinfo', '', get(line='GET http://u@a/ HTTP/1.1'), (400,)),
    ('a target over 8 KiB', '', get(line='GET /' + 'a' * 8300 + ' HTTP/1.1'), (414, 400)),
    ('two empty lines before', '', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', (400,)),
    ('a TLS hello', '', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', (400,)),
) + [
    Case('Start line', 'absolute-form becomes origin-form', 'RFC 9112 §3.2.2', '', get(line='GET http://A/x?y HTTP/1.1'),
         line='GET /x?y HTTP/1.1', host='A'),
    Case('Start line', 'one empty line before', 'RFC 9112 §2.2', '', '\r\n' + get()),
    Case('Start line', 'a method of its own', 'RFC 9110 §9.1', '', get(line='M-SEARCH / HTTP/1.1'), line='M-SEARCH / HTTP/1.1'),
    Case('Start line', 'HTTP/1.0 goes on as 1.1', 'RFC 9110 §6.2', '', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', via='1.0'),
]

HOST = refused(
    'Host', 'RFC 9110 §7.2, RFC 9112 §3.2',
    ('none', '', 'GET / HTTP/1.1\r\n\r\n', (400,)),
    ('two', '', get('Host: b\r\n'), (400,)),
    ('two that are the same', '', get('Host: a\r\n'), (400,)),
    ('empty', '', host(''), (400,)),
    ('a comma', 'HAProxy 2026-04', host('a,b'), (400,)),
    ('userinfo', '', host('u@a'), (400,)),
    ('a space', '', host('a b'), (400,)),
    ('a slash', 'nginx < 1.29.4', host('a/b'), (400,)),
    ('a question mark', 'nginx < 1.29.4', host('a?b'), (400,)),
    ('a backslash', '', host('a\\b'), (400,)),
    ('NUL', 'T12', host('google.com\0.kallus.org'), (400,)),
    ('8-bit', 'S46', host('\xffa\xff'), (400,)),
    ('a bad escape', 'nginx < 1.29.4', host('a%zz'), (400,)),
    ('a port that is none', '', host('a:b'), (400,)),
    ('a port over 65535', '', host('a:65536'), (400,)),
    ('two ports', '', host('a:1:2'), (400,)),
    ('a port alone', '', host(':80'), (400,)),
    ('an open bracket', '', host('[::1'), (400,)),
    ('a zone', '', host('[fe80::1%25eth0]'), (400,)),
) + [
    Case('Host', 'an IPv6 address with a port', 'RFC 3986 §3.2.2', '', host('[2001:db8::1]:80'), host='[2001:db8::1]:80'),
]

CONNECTION = [
    Case('Connection', 'hop-by-hop fields end here', 'RFC 9110 §7.6.1', '',
         get('Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nTE: gzip\r\nX: y\r\n'), kept='X: y\r\n',
         gone=('X-Mine', 'Keep-Alive', 'Proxy-Connection', 'TE')),
    Case('Connection', 'naming Host removes nothing', 'RFC 9110 §7.6.1', 'Pingora 0.8', get('Connection: Host\r\n')),
    Case('Connection', 'naming Content-Length removes nothing', 'RFC 9110 §7.6.1', 'Pingora 0.8',
         post('Connection: Content-Length\r\nContent-Length: 3\r\n', 'abc'), line='POST / HTTP/1.1', framing='Content-Length: 3\r\n', body=b'abc'),
    Case('Connection', 'naming Transfer-Encoding removes nothing', 'RFC 9110 §7.6.1', 'Pingora 0.8',
         post('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'), line='POST / HTTP/1.1',
         framing='Transfer-Encoding: chunked\r\n', body=b'abc'),
    Case('Connection', 'naming Authorization removes nothing', 'RFC 9110 §7.6.1', 'Pingora 0.8',
         get('Connection: Authorization, Cookie\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\n'),
         kept='Authorization: Basic eA==\r\nCookie: a=b\r\n'),
    Case('Connection', 'a request behind a close is not read', 'RFC 9112 §9.6', 'S45', get('Connection: close\r\n') + 'Invalid\r\n\r\n'),
    Case('Connection', 'a length of 0, then the next request', 'RFC 9112 §9.3', 'S48',
         post('Content-Length: 0\r\nConnection: keep-alive\r\nid: 0\r\n') + get('Connection: close\r\n'), line='POST / HTTP/1.1',
         kept='id: 0\r\n', framing='Content-Length: 0\r\n'),
    Case('Connection', 'a byte behind a chunked body', 'RFC 9112 §9.3', 'B3', chunked('0\r\n\r\n') + '\0', line='POST / HTTP/1.1',
         framing='Transfer-Encoding: chunked\r\n'),
    Case('Connection', 'CONNECT', 'RFC 9110 §9.3.6', '', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', (405, 400, 403, 501)),
    Case('Connection', 'OPTIONS * at its last hop', 'RFC 9110 §7.6.2', '', get('Max-Forwards: 0\r\n', 'OPTIONS * HTTP/1.1'), local=True),
]

REQUESTS = FRAMING + LENGTH + CHUNKS + FIELDS + START_LINE + HOST + CONNECTION


def ok(fields, body=''):
    return f'HTTP/1.1 200 OK\r\n{fields}\r\n{body}'


def chunked_answer(body):
    return ok('Transfer-Encoding: chunked\r\n', body)


RESPONSES = [
    Answer('length and chunked', 'RFC 9112 §6.3', 'T23', ok('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')),
    Answer('a chunked answer in HTTP/1.0', 'RFC 9112 §6.1', '', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    Answer('chunked twice', 'RFC 9112 §6.1', '', ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')),
    Answer(',chunked', 'RFC 9112 §6.1', 'S21', ok('Transfer-Encoding: ,chunked\r\n', '0\r\n\r\n')),
    Answer('an unknown coding', 'RFC 9112 §6.1', '', ok('Transfer-Encoding: blegh\r\n', 'abc')),
    Answer('two lengths', 'RFC 9112 §6.3', '', ok('Content-Length: 1\r\nContent-Length: 3\r\n', 'abc')),
    Answer('a length of -5', 'RFC 9112 §6.3', '', ok('Content-Length: -5\r\n')),
    Answer('a length of +3', 'RFC 9112 §6.3', '', ok('Content-Length: +3\r\n', 'abc')),
    Answer('a length of 0x3', 'RFC 9112 §6.3', '', ok('Content-Length: 0x3\r\n', 'abc')),
    Answer('an empty length', 'RFC 9112 §6.3', 'CVE-2023-40225', ok('Content-Length:\r\n', 'abc')),
    Answer('a length over 64 bits', 'RFC 9112 §6.3', '', ok('Content-Length: 99999999999999999999\r\n', 'abc')),
    Answer('a status of two digits', 'RFC 9112 §4', '', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
    Answer('a status of 600', 'RFC 9110 §15', '', 'HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n'),
    Answer('HTTP/2 in HTTP/1', 'RFC 9112 §4', '', 'HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n'),
    Answer('HTTP/0.9', 'RFC 9112 §4', '', '<html>hello</html>', closes=True),
    Answer('bare LF', 'RFC 9112 §2.2', 'T16', 'HTTP/1.1 200 OK\nContent-Length: 3\n\nabc'),
    Answer('NUL in a value', 'RFC 9110 §5.5', 'T12', ok('X: a\0b\r\nContent-Length: 0\r\n')),
    Answer('bare CR in a value', 'RFC 9110 §5.5', 'T10', ok('X: a\rY: b\r\nContent-Length: 0\r\n')),
    Answer('a space before the colon', 'RFC 9112 §5.1', 'S3', ok('X : b\r\nContent-Length: 0\r\n')),
    Answer('folded', 'RFC 9112 §5.2', '', ok('X: a\r\n b\r\nContent-Length: 0\r\n')),
    Answer('no colon', 'RFC 9112 §5', 'T14', ok('nonsense\r\nContent-Length: 0\r\n')),
    Answer('a control byte in the reason', 'RFC 9112 §4', '', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n'),
    Answer('an upgrade nobody asked for', 'RFC 9110 §7.8', 'CVE-2026-2833', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    Answer('interim answers for ever', 'RFC 9110 §15.2', '', 'HTTP/1.1 100 Continue\r\n\r\n' * 200),
    Answer('a head over 32 KiB', '', '', ok(''.join(f'X-{n}: {"y" * 4000}\r\n' for n in range(10)) + 'Content-Length: 0\r\n')),
    Answer('a chunk size of 0x1', 'RFC 9112 §7.1', 'S25', chunked_answer('0x1\r\na\r\n0\r\n\r\n'), in_body=True),
    Answer('a chunk size that is none', 'RFC 9112 §7.1', 'S22', chunked_answer('3\r\nabc\r\nnonsense\r\n'), in_body=True),
    Answer('bare LF after a chunk size', 'RFC 9112 §7.1', 'T13', chunked_answer('1\na\r\n0\r\n\r\n'), in_body=True),
    Answer('a chunk longer than its size', 'RFC 9112 §7.1', '', chunked_answer('1\r\nab\r\n0\r\n\r\n'), in_body=True),
    Answer('CR in a chunk extension', 'RFC 9112 §7.1', 'S36', chunked_answer('1;a\r\rb\r\na\r\n0\r\n\r\n'), in_body=True),
    Answer('a chunked answer that ends early', 'RFC 9112 §8', '', chunked_answer('3\r\nabc\r\n'), in_body=True, closes=True),
    Answer('a length that ends early', 'RFC 9112 §8', '', ok('Content-Length: 10\r\n', 'abc'), in_body=True, closes=True),
    Answer('a whole answer', 'RFC 9112', '', ok('Content-Length: 3\r\n', 'abc'), refuse=False, body=b'abc'),
    Answer('a chunked answer', 'RFC 9112 §7.1', '', chunked_answer('3;x\r\nabc\r\n0\r\n\r\n'), refuse=False, body=b'abc'),
    Answer('an answer that ends with the connection', 'RFC 9112 §6.3', '', ok('', 'abc'), refuse=False, body=b'abc', closes=True),
    Answer('204 has no body', 'RFC 9112 §6.3', '', 'HTTP/1.1 204 No Content\r\n\r\n', refuse=False, status=204),
    Answer('304 has no body', 'RFC 9112 §6.3', '', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', refuse=False, status=304),
    Answer('an answer to HEAD has no body', 'RFC 9112 §6.3', '', ok('Content-Length: 3\r\n'), refuse=False, method='HEAD'),
    Answer('interim answers', 'RFC 9110 §15.2', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + ok('Content-Length: 3\r\n', 'abc'),
           refuse=False, body=b'abc'),
]

SMUGGLED = ok('Content-Length: 8\r\n', 'smuggled')
# Bytes behind an answer, or on a connection that idles: they are nobody's answer.
SURPLUS = [
    Answer('bytes behind a length', 'RFC 9112 §9.2', '', ok('Content-Length: 3\r\n', 'abc') + SMUGGLED),
    Answer('bytes behind the last chunk', 'RFC 9112 §9.2', '', chunked_answer('3\r\nabc\r\n0\r\n\r\n') + SMUGGLED),
    Answer('a body behind 204', 'RFC 9112 §6.3', '', 'HTTP/1.1 204 No Content\r\n\r\n' + SMUGGLED),
    Answer('a body behind 304', 'RFC 9112 §6.3', '', 'HTTP/1.1 304 Not Modified\r\n\r\n' + SMUGGLED),
    Answer('a body for HEAD', 'RFC 9112 §6.3', '', ok('Content-Length: 100\r\n') + SMUGGLED, method='HEAD'),
    Answer('bytes while the connection idles', 'RFC 9112 §9.2', 'ATS', ok('Content-Length: 3\r\n', 'abc'), late=SMUGGLED),
]
for _case in SURPLUS:
    _case.area = 'Connection'

WEBSOCKET = ('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
             'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')
# An upgrade that the origin does not grant: what the client sent behind it must not go through raw.
UPGRADES = [
    Case('Upgrade', 'bytes behind it, before the 101', 'RFC 9110 §7.8', 'CVE-2026-2833', latin(get(WEBSOCKET)) + b'\x81\x05' + CANARY),
    Case('Upgrade', 'a body', 'RFC 9110 §7.8', 'nghttpx CVE-2026-58055',
         latin(get(WEBSOCKET + 'Content-Length: 5\r\n')) + b'hello' + CANARY),
    Case('Upgrade', 'to h2c', 'RFC 9113 §3.1', 'h2c smuggling',
         latin(get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n')) + CANARY),
]

PLAIN = (('__method', 'GET'), ('__scheme', 'http'), ('__path', '/'), ('__authority', 'a'))
POST2 = (('__method', 'POST'), *PLAIN[1:])


def path2(path):
    return (*PLAIN[:2], ('__path', path), PLAIN[3])


HTTP2 = [
    Head2('LF in a value', 'RFC 9113 §8.2.1', 'CVE-2019-9513 et al.', (*PLAIN, ('x', 'a\nb: c'))),
    Head2('CR LF in a value', 'RFC 9113 §8.2.1', 'h2.CL smuggling', (*PLAIN, ('x', 'a\r\nTransfer-Encoding: chunked'))),
    Head2('NUL in a value', 'RFC 9113 §8.2.1', '', (*PLAIN, ('x', 'a\0b'))),
    Head2('CR LF in a name', 'RFC 9113 §8.2.1', '', (*PLAIN, ('x: y\r\nz', 'a'))),
    Head2('a colon in a name', 'RFC 9113 §8.2.1', '', (*PLAIN, ('x:y', 'a'))),
    Head2('upper case in a name', 'RFC 9113 §8.2.1', '', (*PLAIN, ('X', 'a'))),
    Head2('an empty name', 'RFC 9113 §8.2.1', 'Garden bonus 2', (*PLAIN, ('', 'a'))),
    Head2('a tab behind a value', 'RFC 9113 §8.2.1', 'Garden bonus 1', (*PLAIN, ('x', '\ta\t'))),
    Head2('Transfer-Encoding', 'RFC 9113 §8.2.2', 'H2.TE', (*POST2, ('transfer-encoding', 'chunked')), b'0\r\n\r\n'),
    Head2('Connection', 'RFC 9113 §8.2.2', '', (*PLAIN, ('connection', 'close'))),
    Head2('TE: gzip', 'RFC 9113 §8.2.2', 'nginx < 1.31.0', (*PLAIN, ('te', 'gzip'))),
    Head2('Host beside another :authority', 'RFC 9113 §8.3.1', '', (*PLAIN, ('host', 'b'))),
    Head2('a length shorter than the body', 'RFC 9113 §8.1.1', 'H2.CL', (*POST2, ('content-length', '1')), b'abc'),
    Head2('a length longer than the body', 'RFC 9113 §8.1.1', 'H2.CL', (*POST2, ('content-length', '9')), b'abc'),
    Head2('a length that is none', 'RFC 9113 §8.1.1', '', (*POST2, ('content-length', '+3')), b'abc'),
    Head2('two lengths', 'RFC 9113 §8.1.1', '', (*POST2, ('content-length', '3'), ('content-length', '3')), b'abc'),
    Head2('a pseudo-field behind a field', 'RFC 9113 §8.3', '', (*PLAIN[:3], ('x', 'y'), PLAIN[3])),
    Head2(':path twice', 'RFC 9113 §8.3', '', (*PLAIN, ('__path', '/b'))),
    Head2('an unknown pseudo-field', 'RFC 9113 §8.3', '', (*PLAIN, ('__x', 'y'))),
    Head2('no :path', 'RFC 9113 §8.3.1', '', (*PLAIN[:2], PLAIN[3])),
    Head2('an empty :path', 'RFC 9113 §8.3.1', '', path2('')),
    Head2('a space in :path', 'RFC 9113 §8.3.1', 'request line injection', path2('/ HTTP/1.1\r\nX: y')),
    Head2('HTTP/1.1 in :path', 'RFC 9113 §8.3.1', 'request line injection', path2('/a HTTP/1.1')),
    Head2('a :path without /', 'RFC 9113 §8.3.1', '', path2('a')),
    Head2('a fragment in :path', 'RFC 9113 §8.3.1', '', path2('/a#b')),
    Head2('a space in :method', 'RFC 9113 §8.3.1', 'request line injection', (('__method', 'GET /x HTTP/1.1'), *PLAIN[1:])),
    Head2('a path in :authority', 'RFC 9113 §8.3.1', '', (*PLAIN[:3], ('__authority', 'a/b'))),
    Head2('userinfo in :authority', 'RFC 9113 §8.3.1', '', (*PLAIN[:3], ('__authority', 'u@a'))),
    Head2('a plain head', 'RFC 9113 §8.3.1', '', (*PLAIN, ('x', 'y')), refuse=False, kept='x: y\r\n'),
    Head2('TE: trailers', 'RFC 9113 §8.2.2', '', (*PLAIN, ('te', 'trailers')), refuse=False),
    Head2('a body without a length', 'RFC 9113 §8.1', '', POST2, b'abc', refuse=False, line='POST / HTTP/1.1',
          framing='Transfer-Encoding: chunked\r\n'),
    Head2('a body with its length', 'RFC 9113 §8.1.1', '', (*POST2, ('content-length', '3')), b'abc', refuse=False,
          line='POST / HTTP/1.1', framing='Content-Length: 3\r\n'),
]
