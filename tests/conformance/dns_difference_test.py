"""Random queries over one static zone: answered as NSD and Knot answer them, where they are installed.

rcode, flags and the sections as sets must be theirs; what may differ is in EXPLAINED, with the reason in docs/dns.md.
PORTOLAN_SCALE=full asks 1,000,000 questions, else 20,000.
"""
import collections
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../system'))
import harness

import dns_message
import dns_servers
from dns_message import A, AA, AAAA, ANY, CNAME, NS, SOA, TC, TXT

SEED = 20261127
QUESTIONS = 1_000_000 if os.environ.get('PORTOLAN_SCALE') == 'full' else 20_000
WINDOW = 40
PTR, HINFO, MX, SRV, NAPTR, DS, SSHFP, TLSA, SVCB, HTTPS, CAA = 12, 13, 15, 33, 35, 43, 44, 52, 64, 65, 257
TYPES = [A, AAAA, CNAME, NS, SOA, MX, TXT, PTR, SRV, NAPTR, DS, SSHFP, TLSA, SVCB, HTTPS, CAA, HINFO, 65280, 666, 1234, ANY]

# name, type, value as a zone file has it; names in values are absolute
RECORDS = [
    ('@', 'MX', '10 mail.example.com.'), ('@', 'MX', '20 mx.elsewhere.test.'), ('@', 'TXT', '"v=spf1 -all" "two"'),
    ('@', 'CAA', '0 issue "ca.example.net"'), ('@', 'A', '192.0.2.80'), ('ns1', 'A', '192.0.2.53'),
    ('ns1', 'AAAA', '2001:db8::53'), ('ns2', 'A', '192.0.2.54'), ('mail', 'A', '192.0.2.25'),
    ('mail', 'AAAA', '2001:db8::25'), ('www', 'A', '192.0.2.1'), ('www', 'A', '192.0.2.2'), ('www', 'A', '192.0.2.3'),
    ('www', 'AAAA', '2001:db8::1'), ('www', 'HTTPS', '1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1'),
    ('alias', 'CNAME', 'www.example.com.'), ('chain', 'CNAME', 'alias.example.com.'), ('out', 'CNAME', 'www.elsewhere.test.'),
    ('dangling', 'CNAME', 'gone.example.com.'), ('to-ent', 'CNAME', 'ent.example.com.'),
    ('to-wild', 'CNAME', 'any.wild.example.com.'), ('to-sub', 'CNAME', 'www.sub.example.com.'),
    ('a.ent', 'A', '192.0.2.10'), ('x.y.z.ent', 'TXT', '"deep"'), ('*.wild', 'A', '192.0.2.11'),
    ('*.wild', 'MX', '5 mail.example.com.'), ('there.wild', 'TXT', '"there"'), ('q.ent.wild', 'A', '192.0.2.12'),
    ('*.alias-wild', 'CNAME', 'www.example.com.'), ('*.sub-wild', 'CNAME', 'host.sub.example.com.'),
    ('sub', 'NS', 'ns.sub.example.com.'), ('sub', 'NS', 'ns2.sub.example.com.'), ('ns.sub', 'A', '192.0.2.71'),
    ('ns2.sub', 'AAAA', '2001:db8::71'), ('sub', 'DS', '60485 13 2 ' + '2bb183af5f22588179a53b0a98631fad1a292118' + 24 * '0'),
    ('far', 'NS', 'ns.elsewhere.test.'), ('deep.a.far-ent', 'NS', 'ns.elsewhere.test.'),
    ('_sip._tcp', 'SRV', '10 60 5060 sip.example.com.'), ('sip', 'A', '192.0.2.60'),
    ('order', 'NAPTR', '100 10 "S" "SIP+D2U" "" _sip._udp.example.com.'), ('_443._tcp.www', 'TLSA', '3 1 1 ' + 'ab' * 32),
    ('host', 'SSHFP', '4 2 ' + 'cd' * 32), ('svc', 'SVCB', '1 mail.example.com. mandatory=alpn alpn=h2'),
    ('svc', 'SVCB', '0 mail.example.com.'), ('box', 'HINFO', '"PC" "Linux"'), ('1.2.0.192.rev', 'PTR', 'www.example.com.'),
    ('odd', 'TYPE65280', '\\# 5 0102030405'), ('odd', 'TYPE1234', '\\# 0'),
    *[('many', 'A', f'198.51.100.{i}') for i in range(1, 90)], *[('big', 'TXT', f'"{i}{"b" * 240}"') for i in range(6)],
    *[(f'host{i}', 'A', f'203.0.113.{i}') for i in range(1, 200)],
]
ZONE = '''$ORIGIN example.com.
$TTL 300
@ IN SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 60
@ IN NS ns1.example.com.
@ IN NS ns2.example.com.
''' + ''.join(f'{name} IN {kind} {value}\n' for name, kind, value in RECORDS)


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


PORTOLAN = '''
[geodns]
listen = ["127.0.0.1:{port}"]
[zone."example.com"]
nameservers = ["ns1.example.com", "ns2.example.com"]
records = [
''' + ''.join(f'  {{{{ name = {quoted(name)}, type = "{kind}", value = {quoted(value)} }}}},\n'
              for name, kind, value in RECORDS) + ']\n'

LABELS = sorted({label for name, _, _ in RECORDS for label in name.split('.')} - {'@', '*'})
OWNERS = sorted({name for name, _, _ in RECORDS} - {'@'})


def random_name(rng):
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(['example.com', 'com', 'example.org', 'www.elsewhere.test', ''])
    if kind < 0.08:
        name = rng.choice(['many', 'big', 'sub', 'www.sub', 'to-sub', 'x.sub-wild'])
    elif kind < 0.55:
        name = rng.choice(OWNERS)
    else:
        name = '.'.join(rng.choice([*LABELS, 'x', 'gone', '*', 'ent', 'wild']) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.2:
        name = rng.choice(['a', '*', 'www', 'ns', '_tcp', 'x' * 63]) + '.' + name
    name += '.example.com'
    if rng.random() < 0.3:
        name = ''.join(rng.choice((c.lower(), c.upper())) for c in name)
    return name


def random_query(rng):
    extra = []
    if rng.random() < 0.5:
        extra = [dns_message.opt(rng.choice([0, 512, 900, 1232, 4096]))]
    flags = rng.choice([0, dns_message.RD, dns_message.CD])
    return dns_message.query(random_name(rng), rng.choice(TYPES), flags, extra=extra)


def record(each):
    data = each.data
    if each.kind == SOA:                       # but for the serial: ours is the time
        data = data[:-20] + data[-16:]
    return each.owner, each.kind, each.klass, each.ttl, data


def summary(answer):
    sets = [frozenset(map(record, section)) for section in answer.sections]
    flags = answer.flags & ~(15 | dns_message.CD)
    if answer.flags & TC:  # how much of it is sent along is each server's own
        return answer.rcode, flags & ~AA, None, None, None
    # The authority of a positive answer and all that is additional are optional: RFC 1034 §4.3.2, RFC 2181 §9
    needed = not answer.sections[0] or answer.flags & AA == 0
    authority = sets[1] if needed or any(r.kind == SOA for r in answer.sections[1]) else None
    return answer.rcode, flags, sets[0], authority, None


def glue(answer):
    """The additional records of a referral: there they are needed."""
    referral = not answer.flags & (AA | TC) and any(r.kind == NS for r in answer.sections[1])
    return frozenset(map(record, answer.sections[2])) if referral else None


def explained(asked, ours, theirs):
    """Why they may differ: a row of docs/dns.md's table, or None."""
    if int.from_bytes(asked[-4:-2], 'big') == ANY:
        return 'ANY'
    if ours.flags & TC != theirs.flags & TC:
        return 'what fits'
    return None


class Difference(harness.Case):
    def begin_peer(self, server):
        if not dns_servers.installed(server):
            self.skipTest(f'{server} is not installed')
        port, folder = harness.free_port(), self.subfolder(server)
        command = dns_servers.SERVERS[server][0](folder, port, {'example.com': ZONE})
        self.own(harness.Process(server, command, folder)).start()
        harness.wait_until(lambda: dns_message.over_udp(port, dns_message.query(), 0.2), 15, server)
        return port

    def begin_ours(self):
        port = harness.free_port()
        self.portolan(PORTOLAN.format(port=port))
        return port

    @staticmethod
    def ask_all(sockets, packets):
        """The answers of each server, in the order of the packets, whose ids are their numbers."""
        answers = [[None] * len(packets) for _ in sockets]
        for s, got in zip(sockets, answers):
            waiting = set(range(len(packets)))
            for _ in range(5):
                for i in waiting:
                    s.send(packets[i])
                try:
                    while waiting:
                        wire = s.recv(65535)
                        got[int.from_bytes(wire[:2], 'big')] = wire
                        waiting.discard(int.from_bytes(wire[:2], 'big'))
                except socket.timeout:
                    continue
                break
        return answers

    def compare(self, server):
        theirs, ours = self.begin_peer(server), self.begin_ours()
        rng = random.Random(SEED)
        sockets = []
        for port in (ours, theirs):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(s.close)
            s.connect(('127.0.0.1', port))
            s.settimeout(1.0)
            sockets.append(s)
        reasons, faults, seen = collections.Counter(), [], collections.Counter()
        for _ in range(0, QUESTIONS, WINDOW):
            packets = [i.to_bytes(2, 'big') + random_query(rng)[2:] for i in range(WINDOW)]
            for packet, mine, his in zip(packets, *self.ask_all(sockets, packets)):
                self.assertTrue(mine and his, 'an answer is missing')
                mine, his = dns_message.Answer(mine), dns_message.Answer(his)
                seen[mine.rcode, bool(mine.flags & AA), bool(mine.flags & TC)] += 1
                if summary(mine) == summary(his) and (glue(mine) == glue(his) or mine.flags & TC):
                    continue
                why = explained(mine.question, mine, his)
                reasons[why] += 1
                if why is None:
                    faults.append(f'{mine.question!r}\n  ours   {summary(mine)} {glue(mine)}\n  theirs {summary(his)} {glue(his)}')
        print(f'{server}: {QUESTIONS:,} questions, {dict(seen)}; explained differences: {dict(reasons)}', file=sys.stderr)
        self.assertFalse(faults, '\n'.join([f'{len(faults)} differences', *faults[:12]]))
        self.assertGreater(len(seen), 4, 'the questions have all kinds of answers')

    def test_as_nsd(self):
        self.compare('nsd')

    def test_as_knot(self):
        self.compare('knot')


if __name__ == '__main__':
    harness.main()
