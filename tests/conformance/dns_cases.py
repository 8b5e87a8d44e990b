"""What a DNS server must make of a message: RFC 8906 §8 case by case, and what other documents ask of one.

A case's check gets the answer (None: silence) and says what is wrong with it, or nothing.
"""
import dataclasses
import typing

from dns_message import (A, AA, AD, ANY, AXFR, BADCOOKIE, BADVERS, CD, COOKIE, DNSKEY, EXPIRE, FORMERR, ID, KEEPALIVE,
                         NOERROR, NOTIMP, NSID, NXDOMAIN, PADDING, QR, RA, RD, REFUSED, SOA, SUBNET, TC, TXT, Z, name, opt,
                         option, query)

DO = 0x8000


@dataclasses.dataclass
class Case:
    label: str
    where: str                                   # the document and section
    packet: bytes
    check: typing.Callable
    tcp: bool = False


def expect(rcode=NOERROR, flags=AA, answer=None, edns=None, question=True, version=0, edns_flags=0, options=(),
           unasked=False):
    """A check for all that an answer to a well-formed query must be. flags: exactly these, beside QR.

    answer: how many records, None for any. options: codes that may stand in OPT.
    """
    def check(got, asked):
        if got is None:
            return 'no answer'
        said = []
        if got.id != ID:
            said.append(f'id {got.id:x}')
        if not got.flags & QR:
            said.append('QR is clear')
        if got.rcode != rcode:
            said.append(f'rcode {got.rcode}, not {rcode}')
        if (got.flags & 0x7ff) & ~15 != flags:
            said.append(f'flags {got.flags & 0x7f0:03x}, not {flags:03x}')
        if got.opcode != asked[2] >> 3 & 15:
            said.append(f'opcode {got.opcode}')
        if question and got.question != asked[12:12 + len(got.question)]:
            said.append('not the question as it was asked')
        if question and got.questions != 1:
            said.append(f'{got.questions} questions')
        if answer is not None and len(got.sections[0]) != answer:
            said.append(f'{len(got.sections[0])} answers, not {answer}')
        if len(got.opts) != (1 if edns else 0) and edns is not None:
            said.append(f'{len(got.opts)} OPT')
        if got.opts and not unasked:
            if got.opt['version'] != version:
                said.append(f'EDNS version {got.opt["version"]}')
            if got.opt['flags'] != edns_flags:
                said.append(f'EDNS flags {got.opt["flags"]:04x}')
            said += [f'option {code}' for code, _ in got.opt['options'] if code not in options]
        return ', '.join(said)
    return check


def silence(got, _asked):
    return '' if got is None else 'an answer'


def refused_or_notimp(got, _asked):
    return 'no answer' if got is None else '' if got.rcode in (REFUSED, NOTIMP) else f'rcode {got.rcode}'


def nsid_or_none(got, asked):
    return expect(edns=True, answer=1, options=(NSID,))(got, asked)


def soa_with(*codes):
    return expect(edns=True, answer=1, options=codes)


def edns(**how):
    return query(extra=[opt(**how)])


MANY = option(NSID) + option(SUBNET, b'\0\1\0\0') + option(EXPIRE) + option(COOKIE, b'12345678')

# RFC 8906, section 8; the labels are those of ISC's report.
STANDARD = [
    Case('dns', 'RFC 8906 §8.1.1', query(), expect(answer=1, edns=False)),
    Case('aa', 'RFC 8906 §8.1.3', query(flags=AA), expect(answer=1, edns=False)),
    Case('ad', 'RFC 8906 §8.1.3.2', query(flags=AD), expect(answer=1, edns=False)),
    Case('cd', 'RFC 8906 §8.1.3.1', query(flags=CD),
         lambda got, asked: expect(answer=1, flags=AA | (got.flags & CD if got else 0), edns=False)(got, asked)),
    Case('ra', 'RFC 8906 §8.1.3', query(flags=RA), expect(answer=1, edns=False)),
    Case('rd', 'RFC 8906 §8.1.3.4', query(flags=RD), expect(answer=1, flags=AA | RD, edns=False)),
    Case('tc', 'RFC 8906 §8.1.3', query(flags=TC), expect(answer=1, edns=False)),
    Case('zflag', 'RFC 8906 §8.1.3.3', query(flags=Z), expect(answer=1, edns=False)),
    Case('opcode', 'RFC 8906 §8.1.4', query(None, opcode=15), expect(NOTIMP, 0, answer=0, edns=False, question=False)),
    Case('opcodeflg', 'RFC 8906 §8.1.4', query(None, opcode=15, flags=AA | TC | RD | RA | Z | AD | CD),
         expect(NOTIMP, 0, answer=0, edns=False, question=False)),
    Case('type666', 'RFC 8906 §8.1.2', query(kind=666), expect(answer=0, edns=False)),
    Case('tcp', 'RFC 8906 §8.1.5', query(), expect(answer=1, edns=False), tcp=True),
    Case('edns', 'RFC 8906 §8.2.1', edns(), soa_with()),
    Case('edns1', 'RFC 8906 §8.2.2', edns(version=1), expect(BADVERS, 0, answer=0, edns=True)),
    Case('ednsopt', 'RFC 8906 §8.2.3', edns(options=option(100)), soa_with()),
    Case('ednsflags', 'RFC 8906 §8.2.4', edns(flags=0x0080), soa_with()),
    Case('edns1flags', 'RFC 8906 §8.2.5', edns(version=1, flags=0x0080), expect(BADVERS, 0, answer=0, edns=True)),
    Case('edns1opt', 'RFC 8906 §8.2.6', edns(version=1, options=option(100)), expect(BADVERS, 0, answer=0, edns=True)),
    Case('edns@512', 'RFC 8906 §8.2.7', query(kind=DNSKEY, extra=[opt(512, flags=DO)]),
         expect(edns=True, edns_flags=DO)),
    Case('do', 'RFC 8906 §8.2.8', edns(flags=DO), expect(edns=True, answer=1, edns_flags=DO)),
    Case('edns1do', 'RFC 8906 §8.2.9', edns(version=1, flags=DO),
         lambda got, asked: expect(BADVERS, 0, answer=0, edns=True,
                                   edns_flags=got.opt['flags'] & DO if got and got.opt else 0)(got, asked)),
    Case('docd', 'RFC 8906 §8.1.3', query(flags=CD, extra=[opt(flags=DO)]),
         lambda got, asked: expect(answer=1, flags=AA | (got.flags & CD if got else 0), edns=True, edns_flags=DO)(got, asked)),
    Case('optlist', 'RFC 8906 §8.2.10', edns(options=MANY), soa_with(NSID, SUBNET, EXPIRE, COOKIE)),
    Case('ednsnsid', 'RFC 8906 §8.2.10', edns(options=option(NSID)), nsid_or_none),
    Case('ednscookie', 'RFC 8906 §8.2.10', edns(options=option(COOKIE, b'12345678')), soa_with(COOKIE)),
    Case('ednsexpire', 'RFC 8906 §8.2.10', edns(options=option(EXPIRE)), soa_with(EXPIRE)),
    Case('ednssubnet', 'RFC 8906 §8.2.10', edns(options=option(SUBNET, b'\0\1\0\0')), soa_with(SUBNET)),
    Case('edns1nsid', 'RFC 8906 §8.2.6', edns(version=1, options=option(NSID)), expect(BADVERS, 0, answer=0, edns=True,
                                                                                        options=(NSID,))),
    Case('edns1cookie', 'RFC 8906 §8.2.6', edns(version=1, options=option(COOKIE, b'12345678')),
         expect(BADVERS, 0, answer=0, edns=True, options=(COOKIE,))),
    Case('edns1expire', 'RFC 8906 §8.2.6', edns(version=1, options=option(EXPIRE)), expect(BADVERS, 0, answer=0, edns=True)),
    Case('edns1subnet', 'RFC 8906 §8.2.6', edns(version=1, options=option(SUBNET, b'\0\1\0\0')),
         expect(BADVERS, 0, answer=0, edns=True, options=(SUBNET,))),
    Case('ednspadding', 'RFC 7830 §4', edns(options=option(PADDING, b'\0\0\0')), soa_with(PADDING)),
    Case('ednstcp', 'RFC 8906 §8.2.1', edns(), soa_with(KEEPALIVE), tcp=True),
    *[Case(f'type{kind}', 'RFC 3597 §3', query(kind=kind), expect(answer=0, edns=False))
      for kind in (12, 13, 15, 17, 18, 28, 29, 33, 35, 37, 39, 43, 44, 45, 46, 47, 48, 50, 51, 52, 53, 55, 59, 60, 61, 62,
                   64, 65, 99, 108, 109, 256, 257, 258, 65280, 65534)],
]

SUBNETS = {'family 0x6318': '631800414141', 'scope in a query': '00012118c0a80018', 'source 33': '00012100c0a8000100',
           'too short': '00011800c0a8', 'too long': '00011800c0a80001', 'bits behind the prefix': '00011400c0a8ff',
           'source over scope': '00011818c0a800', 'cut off': '0001'}
formerr = expect(FORMERR, 0, answer=0, question=False, unasked=True)

# What goes further, asked of this server alone.
STRICT = [
    Case('an answer is not answered', 'RFC 1035 §4.1.1', query(flags=QR), silence),
    Case('nor what is shorter than a header', 'RFC 1035 §4.1.1', query()[:11], silence),
    Case('no question', 'RFC 9619 §3', query(None), formerr),
    Case('two questions', 'RFC 9619 §3', query(counts=(2, 0, 0, 0), tail=query()[12:]), formerr),
    Case('a question that is cut off', 'RFC 1035 §4.1.2', query()[:-1], formerr),
    Case('a pointer in the question', 'RFC 1035 §4.1.4', query(None, counts=(1, 0, 0, 0), tail=b'\xc0\x0c\0\1\0\1'), formerr),
    Case('a label of another kind', 'RFC 6891 §5', query(None, counts=(1, 0, 0, 0), tail=b'\x41\1\0\0\1\0\1'), formerr),
    Case('bytes behind the message', 'RFC 1035 §4.1', query(tail=b'\0'), formerr),
    Case('two OPT', 'RFC 6891 §6.1.1', query(extra=[opt(), opt()]), formerr),
    Case('an OPT that has a name', 'RFC 6891 §6.1.2', query(extra=[opt(owner=name('a'))]), formerr),
    Case('an option that runs past its OPT', 'RFC 6891 §6.1.2', query(extra=[opt(options=b'\0\3\0\4ab')]), formerr),
    Case('an option without its length', 'RFC 6891 §6.1.2', query(extra=[opt(options=b'\0\3\0')]), formerr),
    *[Case(f'client subnet, {what}', 'RFC 7871 §7.1.2', edns(options=option(SUBNET, bytes.fromhex(data))), formerr)
      for what, data in SUBNETS.items()],
    Case('client subnet twice', 'RFC 7871 §7.1.2', edns(options=2 * option(SUBNET, b'\0\1\0\0')), formerr),
    *[Case(f'a cookie of {size} bytes', 'RFC 7873 §5.2.2', edns(options=option(COOKIE, b'c' * size)), formerr)
      for size in (0, 7, 9, 15, 41)],
    *[Case(f'a cookie of {size} bytes', 'RFC 7873 §5.2.3', edns(options=option(COOKIE, b'c' * size)), soa_with(COOKIE))
      for size in (8, 16, 40)],
    Case('a cookie alone', 'RFC 7873 §5.4', query(None, extra=[opt(options=option(COOKIE, b'12345678'))]),
         expect(NOERROR, 0, answer=0, edns=True, question=False, options=(COOKIE,))),
    Case('a cookie alone that is not ours', 'RFC 7873 §5.4', query(None, extra=[opt(options=option(COOKIE, b'c' * 24))]),
         expect(BADCOOKIE, 0, answer=0, edns=True, question=False, options=(COOKIE,))),
    Case('keepalive over UDP is ignored', 'RFC 7828 §3.2.1', edns(options=option(KEEPALIVE)), soa_with()),
    Case('keepalive', 'RFC 7828 §3.3.2', edns(options=option(KEEPALIVE)),
         lambda got, asked: soa_with(KEEPALIVE)(got, asked) or ('' if got.options(KEEPALIVE) else 'none'), tcp=True),
    Case('a size below 512 is 512', 'RFC 6891 §6.2.3', query('big.example.com', TXT, extra=[opt(100)]),
         lambda got, asked: expect(flags=AA | TC, answer=0, edns=True)(got, asked)),
    Case('no more than 1232 bytes', 'RFC 9715 §3.1', query('huge.example.com', TXT, extra=[opt(4096)]),
         expect(flags=AA | TC, answer=0, edns=True)),
    Case('all of it by TCP', 'RFC 7766 §5', query('huge.example.com', TXT, extra=[opt(512)]), expect(answer=8, edns=True),
         tcp=True),
    Case('the case of letters', 'RFC 4343', query('wWw.eXample.COM', A), expect(answer=1)),
    Case('a name that is not there', 'RFC 2308 §3', query('gone.example.com', A), expect(NXDOMAIN, answer=0)),
    Case('an empty non-terminal', 'RFC 8020', query('ent.example.com', A), expect(answer=0)),
    Case('a wildcard', 'RFC 4592', query('a.b.wild.example.com', A), expect(answer=1)),
    Case('not below what exists', 'RFC 4592 §2.2.2', query('x.there.wild.example.com', A), expect(NXDOMAIN, answer=0)),
    Case('below an alias', 'RFC 1034 §4.3.2', query('alias.example.com', A), expect(answer=2)),
    Case('handed over', 'RFC 1034 §4.3.2', query('www.sub.example.com', A),
         lambda got, asked: expect(flags=0, answer=0)(got, asked) or
         ('' if (len(got.sections[1]), len(got.sections[2])) == (1, 1) else 'not its server and glue')),
    Case('elsewhere', 'RFC 1035 §4.1.1', query('example.org', A), expect(REFUSED, 0, answer=0)),
    Case('elsewhere, with a reason', 'RFC 8914 §4.21', query('example.org', A, extra=[opt()]),
         lambda got, asked: expect(REFUSED, 0, answer=0, options=(15,))(got, asked) or
         ('' if got.options(15) == [b'\0\x14'] else 'no reason')),
    Case('ANY', 'RFC 8482 §4.2', query(kind=ANY), lambda got, asked: expect(answer=1)(got, asked) or
         ('' if got.sections[0][0].kind == 13 else 'not HINFO')),
    Case('a transfer', 'RFC 5936 §2.2.1', query(kind=AXFR), refused_or_notimp, tcp=True),
    Case('a transfer over UDP', 'RFC 5936 §4.2', query(kind=AXFR), refused_or_notimp),
    *[Case(f'type {kind}', 'RFC 6895 §3.1', query(kind=kind), lambda got, _: '' if got and got.rcode in (FORMERR, NOTIMP)
           else 'answered') for kind in (0, 41, 128, 249, 250, 253, 254)],
    *[Case(f'class {klass}', 'RFC 6895 §3.2', query(klass=klass), refused_or_notimp) for klass in (0, 2, 4, 254, 255)],
    Case('version.bind is not told', 'RFC 4892', query('version.bind', TXT, klass=3), refused_or_notimp),
    *[Case(f'opcode {opcode}', 'RFC 8906 §8.1.4', query(opcode=opcode, flags=RD),
           expect(NOTIMP, 0, answer=0, question=False)) for opcode in range(1, 16)],
    *[Case(f'opcode {opcode} with OPT', 'RFC 6891 §6.1.1', query(opcode=opcode, extra=[opt()]),
           expect(NOTIMP, 0, answer=0, edns=True, question=False, options=(15,))) for opcode in (4, 5)],
    Case('two questions with OPT', 'RFC 6891 §6.1.1', query(counts=(2, 0, 0, 1), tail=query()[12:] + opt()),
         expect(FORMERR, 0, answer=0, edns=True, question=False)),
]
