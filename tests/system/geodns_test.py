"""GeoDNS over the wire, with dnspython: two datacentres, the demo's database, health that moves answers."""
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
[zone."example.com"]
nameservers = ["ns1.example.com"]
records = [
  { name = "ns1", type = "A", value = "192.0.2.53" },
  { name = "@", type = "MX", value = "10 mail.example.com" },
  { name = "long", type = "TXT", value = "LONG" },
  { name = "www", service = "web", policy = "nearest", ttl = "30s" },
  { name = "beta", service = "web", policy = "weighted", weights = { us-east = 70, us-west = 30 } },
  { name = "db", service = "web", policy = "failover", order = ["us-west", "us-east"] },
  { name = "*.dev", type = "A", value = "192.0.2.99" },
]
'''
INTERVAL, FALL, TIMEOUT = 0.3, 2, 0.3
CHECK = f'interval = "{int(INTERVAL * 1000)}ms", timeout = "{int(TIMEOUT * 1000)}ms", fall = {FALL}, rise = 1'


class GeoDns(harness.Case):
    def dns(self, east, west, more=''):
        database = f'{self.folder}/demo.mmdb'
        subprocess.run([harness.BINARY, 'geo-demo', database], check=True, stdout=subprocess.DEVNULL)
        self.port = harness.free_port()
        text = CONFIG.replace('DATABASE', database).replace('EAST_HEALTH', east).replace('WEST_HEALTH', west)
        text = text.replace('DNS', str(self.port)).replace('LONG', 'x' * 250)
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
        self.assertEqual(answer.answer[0].ttl, 30)
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

    def test_killing_a_datacentres_origins_moves_another_process(self):
        self.peers()
        self.settled()
        start = time.monotonic()
        self.origins[0].kill()
        harness.wait_until(lambda: self.www() == [WEST], 5, 'moved', step=0.01)
        self.assertLess(time.monotonic() - start, INTERVAL * FALL + 0.5)

    def test_freezing_them_too(self):
        self.peers()
        self.settled()
        start = time.monotonic()
        self.origins[0].freeze()
        harness.wait_until(lambda: self.www() == [WEST], 5, 'moved', step=0.01)
        self.assertLess(time.monotonic() - start, INTERVAL * FALL + TIMEOUT + 0.5)

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
