"""GeoDNS over the wire, with dnspython: two datacentres, the demo's database, health that moves answers."""
import random
import socket
import struct
import subprocess
import time

import harness

NEW_YORK, SAN_FRANCISCO, TOKYO = '192.0.2.0/28', '192.0.2.16/28', '198.51.100.176/28'
EAST, WEST = '192.0.2.10', '192.0.2.20'

CONFIG = '''
[geo]
databases = ["DATABASE"]
[datacenter.us-east]
location = [39.04, -77.49]
[datacenter.us-west]
location = [37.24, -121.78]
[service.web]
us-east = { addresses = ["192.0.2.10", "2001:db8:1::10"], health = EAST_HEALTH }
us-west = { addresses = ["192.0.2.20", "2001:db8:2::10"], health = WEST_HEALTH }
[geodns]
listen = ["0.0.0.0:DNS"]
IDLE
[zone."example.com"]
nameservers = ["ns1.example.com"]
records = [
  { name = "ns1", type = "A", value = "192.0.2.53" },
  { name = "@", type = "MX", value = "10 mail.example.com" },
  { name = "long", type = "TXT", value = "1LONG" },
  { name = "long", type = "TXT", value = "2LONG" },
  { name = "long", type = "TXT", value = "3LONG" },
  { name = "www", service = "web", policy = "nearest", ttl = "30s" },
  { name = "beta", service = "web", policy = "weighted", weights = { us-east = 70, us-west = 30 } },
  { name = "db", service = "web", policy = "failover", order = ["us-west", "us-east"] },
  { name = "*.dev", type = "A", value = "192.0.2.99" },
]
'''
SEED = 20261123
INTERVAL, FALL, TIMEOUT = 0.3, 2, 0.3
CHECK = f'interval = "{int(INTERVAL * 1000)}ms", timeout = "{int(TIMEOUT * 1000)}ms", fall = {FALL}, rise = 1'


class GeoDns(harness.Case):
    def dns(self, east, west, more='', idle=''):
        database = f'{self.folder}/demo.mmdb'
        subprocess.run([harness.BINARY, 'geo-demo', database], check=True, stdout=subprocess.DEVNULL)
        self.port = harness.free_port()
        text = CONFIG.replace('DATABASE', database).replace('EAST_HEALTH', east).replace('WEST_HEALTH', west)
        text = text.replace('DNS', str(self.port)).replace('LONG', 'x' * 250).replace('IDLE', idle)
        return self.portolan(text + more, name='dns')

    def tcp_checked(self):
        self.origins = [self.nginx(name='east'), self.nginx(name='west')]
        return self.dns(*(f'{{ tcp = "127.0.0.1:{origin.port}", {CHECK} }}' for origin in self.origins))

    def www(self, subnet=NEW_YORK, name='www.example.com', kind='A'):
        return harness.dns_addresses(self.port, name, kind, subnet=subnet)

    def settled(self):
        harness.wait_until(lambda: self.www() == [EAST] and self.www(SAN_FRANCISCO) == [WEST], 5, 'both up')

    def test_nearest_for_every_kind_of_asker(self):
        self.tcp_checked()
        self.settled()
        self.assertEqual(self.www(TOKYO), [WEST])
        self.assertEqual(self.www('2001:db8::/48'), [EAST])
        self.assertEqual(self.www(kind='AAAA'), ['2001:db8:1::10'])
        answer = harness.dns_query(self.port, 'www.example.com', subnet='192.0.2.3/32')
        self.assertEqual(answer.options[0].scopelen, 28)
        self.assertEqual(answer.answer[0].ttl, 5)                 # checks every 0.3 s: the floor
        plain = harness.dns_query(self.port, 'example.com', 'MX', subnet=NEW_YORK)
        self.assertEqual(plain.options[0].scopelen, 0)

    def test_udp_and_tcp_from_the_address_asked(self):
        self.tcp_checked()
        self.settled()
        for host in ('127.0.0.1', '127.0.0.5', '127.3.2.1'):         # dnspython refuses an answer from elsewhere
            answer = harness.dns_query(self.port, 'ns1.example.com', host=host)
            self.assertEqual(answer.answer[0][0].address, '192.0.2.53')
        self.assertEqual(harness.dns_addresses(self.port, 'www.example.com', subnet=NEW_YORK, tcp=True), [EAST])

    def test_names_that_are_not_there(self):
        self.tcp_checked()
        query = harness.dns_query
        self.assertEqual(query(self.port, 'none.example.com').rcode(), 3)
        self.assertTrue(query(self.port, 'none.example.com').authority, 'SOA')
        nodata = query(self.port, 'ns1.example.com', 'AAAA')
        self.assertEqual((nodata.rcode(), nodata.answer), (0, []))
        self.assertEqual(query(self.port, 'dev.example.com').rcode(), 0, 'an empty non-terminal')
        self.assertEqual(harness.dns_addresses(self.port, 'any.dev.example.com'), ['192.0.2.99'])
        self.assertEqual(query(self.port, 'example.org').rcode(), 5)

    def test_scopes(self):
        self.tcp_checked()
        self.settled()
        for name, kind, subnet, scope in (('www.example.com', 'A', '192.0.2.3/32', 28),
                                          ('www.example.com', 'AAAA', '192.0.2.3/32', 28),
                                          ('www.example.com', 'A', '2001:db8:0:1::/64', 48),
                                          ('www.example.com', 'TXT', '192.0.2.3/32', 0),          # NODATA
                                          ('none.example.com', 'A', '192.0.2.3/32', 0),           # NXDOMAIN
                                          ('ns1.example.com', 'A', '192.0.2.3/32', 0)):           # for everybody alike
            with self.subTest((name, kind, subnet)):
                answer = harness.dns_query(self.port, name, kind, subnet=subnet)
                self.assertEqual(answer.options[0].scopelen, scope)
                self.assertEqual(answer.options[0].srclen, int(subnet.partition('/')[2]))

    def test_too_long_for_udp_comes_by_tcp(self):
        self.tcp_checked()
        done = subprocess.run(['dig', '@127.0.0.1', '-p', str(self.port), '+noedns', '+ignore', 'long.example.com', 'TXT'],
                              capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, r'flags: qr aa tc.*ANSWER: 0,')
        self.assertFalse(harness.dns_query(self.port, 'long.example.com', 'TXT').flags & 0x0200, 'EDNS has room')
        whole = harness.dns_query(self.port, 'long.example.com', 'TXT', tcp=True)
        self.assertEqual((len(whole.answer[0]), whole.flags & 0x0200), (3, 0))
        done = subprocess.run(['dig', '@127.0.0.1', '-p', str(self.port), '+short', '+noedns', 'long.example.com', 'TXT'],
                              capture_output=True, text=True, check=True)
        self.assertEqual(len(done.stdout.splitlines()), 3, 'dig asks again by TCP')

    def raw(self, packet):
        """The answer to a datagram, or None."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.4)
            client.sendto(packet, ('127.0.0.1', self.port))
            try:
                return client.recv(4096)
            except TimeoutError:
                return None

    def test_malformed_packets(self):
        self.tcp_checked()
        question = b'\3www\7example\3com\0\0\1\0\1'
        head = struct.Struct('!HHHHHH')
        opt = b'\0\0\x29\4\xd0\0\0\0\0\0\0'
        formerr = {'no question': head.pack(7, 0, 0, 0, 0, 0),
                   'two questions': head.pack(7, 0, 2, 0, 0, 0) + question * 2,
                   'a question cut off': head.pack(7, 0, 1, 0, 0, 0) + question[:-3],
                   'a pointer to itself': head.pack(7, 0, 1, 0, 0, 0) + b'\xc0\x0c\0\1\0\1',
                   'two OPT': head.pack(7, 0, 1, 0, 0, 2) + question + opt * 2,
                   'a subnet of too many bytes': head.pack(7, 0, 1, 0, 0, 1) + question + opt[:-2] + struct.pack(
                       '!HHHHBB', 13, 8, 9, 1, 24, 0) + b'\1\2\3\4\5'}
        for what, packet in formerr.items():
            with self.subTest(what):
                answer = self.raw(packet)
                self.assertIsNotNone(answer)
                self.assertEqual((answer[:2], answer[2] & 0x80, answer[3] & 15), (b'\0\7', 0x80, 1))
        self.assertIsNone(self.raw(b'short'), 'a short packet')
        self.assertIsNone(self.raw(head.pack(7, 0x8000, 1, 0, 0, 0) + question), 'an answer')
        self.assertEqual(self.raw(head.pack(7, 0x2800, 1, 0, 0, 0) + question)[3] & 15, 4, 'UPDATE: NOTIMP')
        noise = random.Random(SEED)
        for _ in range(harness.scale(300, 20000)):
            packet = bytearray(head.pack(7, 0, 1, 0, 0, 1) + question + opt)
            for _ in range(noise.randrange(1, 6)):
                packet[noise.randrange(len(packet))] = noise.randrange(256)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(packet[:noise.randrange(1, len(packet) + 1)], ('127.0.0.1', self.port))
        self.settled()

    def test_tcp_clients_that_misbehave_are_closed(self):
        self.dns(*('{ tcp = "127.0.0.1:1" }',) * 2, idle='tcp_idle_timeout = "1s"')
        for sent in (b'', b'\0', b'\0\x40abc', b'\0\3abc'):
            with self.subTest(sent), harness.Client(self.port) as client:
                client.send(sent)
                self.assertTrue(client.closed(4))

    def test_weighted_and_failover(self):
        self.tcp_checked()
        self.settled()
        asked = [self.www(name='beta.example.com')[0] for _ in range(300)]
        self.assertGreater(asked.count(EAST), 160)
        self.assertGreater(asked.count(WEST), 50)
        self.assertEqual(self.www(name='db.example.com'), [WEST])
        self.origins[1].kill()
        harness.wait_until(lambda: self.www(name='db.example.com') == [EAST], 5, 'failover')

    def test_a_dead_datacentre_moves_everybody_in_time(self):
        self.tcp_checked()
        self.settled()
        start = time.monotonic()
        self.origins[0].kill()
        harness.wait_until(lambda: self.www() == [WEST], 5, 'moved', step=0.01)
        self.assertLess(time.monotonic() - start, INTERVAL * FALL + 0.5)
        self.restart(self.origins[0])
        harness.wait_until(lambda: self.www() == [EAST], 5, 'back')
        for origin in self.origins:
            origin.kill()
        harness.wait_until(lambda: self.www() == [EAST, WEST], 5, 'all down answers all')

    def peers(self):
        self.origins, self.edges, ports = [], [], []
        for name in ('us-east', 'us-west'):
            origin, port = self.nginx(name=name), harness.free_port()
            self.origins.append(origin)
            ports.append(port)
            self.edges.append(self.portolan(f'''
[server]
name = "{name}"
peers = {{ listen = "127.0.0.1:{port}" }}
{{control}}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{origin.port}"]
health = {{ http = "/healthz", {CHECK} }}
[[route]]
pool = "app"
''', name=name))
        return self.dns(*(f'{{ peer = "http://127.0.0.1:{port}", pool = "app", {CHECK} }}' for port in ports))

    def samples(self, end, revive, within):
        """Ends the eastern origin at random moments of the check's interval, and measures until DNS has moved."""
        self.peers()
        took = []
        for _ in range(harness.scale(4, 15)):
            self.settled()
            time.sleep(random.random() * INTERVAL)
            start = time.monotonic()
            end(self.origins[0])
            harness.wait_until(lambda: self.www() == [WEST], 5, 'moved', step=0.01)
            took.append(time.monotonic() - start)
            revive(self.origins[0])
        self.assertLess(max(took), within, took)

    def test_killing_a_datacentres_origins_moves_another_process(self):
        self.samples(lambda origin: origin.kill(), self.restart, INTERVAL * FALL + 0.5)

    def test_freezing_them_too(self):
        self.samples(lambda origin: origin.freeze(), lambda origin: origin.thaw(), INTERVAL * FALL + TIMEOUT + 0.5)

    def test_killing_the_edge_itself(self):
        self.peers()
        self.settled()
        self.edges[0].kill()
        harness.wait_until(lambda: self.www() == [WEST], 5, 'moved')

    def test_draining_a_datacentre(self):
        dns = self.tcp_checked()
        self.settled()
        dns.command('drain', 'datacenter', 'us-east')
        harness.wait_until(lambda: self.www() == [WEST], 3, 'drained')
        dns.command('enable', 'datacenter', 'us-east')
        harness.wait_until(lambda: self.www() == [EAST], 3, 'enabled')

    def test_real_dig(self):
        self.tcp_checked()
        self.settled()
        done = subprocess.run(['dig', '@127.0.0.1', '-p', str(self.port), '+short', f'+subnet={SAN_FRANCISCO}',
                               'www.example.com'], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), WEST)


if __name__ == '__main__':
    harness.main()
