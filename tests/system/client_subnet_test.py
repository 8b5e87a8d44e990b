"""Client Subnet (RFC 7871) with a real cache in front: whoever is inside a scope is answered alike.

One test for everybody: ask for many networks, note the answer and the scope, and look for a network inside that scope which
is answered otherwise. Unbound, which keeps answers by scope, shows what comes of one: it must never say another thing than we.
Knot and PowerDNS fail the first half of this, which is shown where they are installed.
"""
import ipaddress
import os
import random
import shutil
import unittest

import dns.edns
import dns.message
import dns.query

import harness

SEED = 20261127
# Nested networks, and beside each other; all within 10.0.0.0/8, in no order.
NETWORKS = {'10.0.0.0/8': 'east', '10.1.0.0/16': 'west', '10.1.2.0/24': 'east', '10.64.0.0/10': 'west',
            '10.96.0.0/12': 'east', '10.97.128.0/18': 'west', '10.200.0.0/13': 'west', '10.200.4.0/22': 'east'}
ADDRESSES = {'east': '192.0.2.1', 'west': '192.0.2.2', 'third': '192.0.2.3'}
PLACES = {'east': 'latitude=39.0 longitude=-77.5 country=US', 'west': 'latitude=37.3 longitude=-121.9 country=US'}

CONFIG = '''
[geo]
databases = [{ path = "DATABASE", kind = "networks" }]
[datacenter.east]
location = [39.04, -77.49]
[datacenter.west]
location = [37.24, -121.78]
[datacenter.third]
[service.web]
east = { addresses = ["192.0.2.1"] }
west = { addresses = ["192.0.2.2"] }
third = { addresses = ["192.0.2.3"] }
[geodns]
listen = ["127.0.0.1:DNS"]
[zone."example.com"]
nameservers = ["ns1.example.com"]
records = [
  { name = "ns1", type = "A", value = "127.0.0.1" },
  { name = "fixed", type = "A", value = "192.0.2.9" },
  { name = "www", service = "web", policy = "nearest", ttl = "1h", rules = [
    { networks = ["10.1.128.0/17", "10.72.0.0/16"], order = ["third"] },
  ] },
  { name = "stuck", service = "web", policy = "sticky", ttl = "1h" },
]
'''

UNBOUND = '''
server:
  directory: "FOLDER"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: PORT
  do-daemonize: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  module-config: "subnetcache iterator"
  send-client-subnet: 127.0.0.1
  client-subnet-zone: "example.com"
  client-subnet-always-forward: yes
  max-client-subnet-ipv4: 24
  minimal-responses: yes
  qname-minimisation: no
remote-control:
  control-enable: no
stub-zone:
  name: "example.com"
  stub-addr: 127.0.0.1@DNS
'''

KNOT = '''
server:
  listen: 127.0.0.1@PORT
  rundir: FOLDER
  edns-client-subnet: on
database:
  storage: FOLDER
mod-geoip:
  - id: geo
    config-file: FOLDER/geo.conf
    mode: subnet
zone:
  - domain: example.com
    storage: FOLDER
    file: example.com.zone
    module: mod-geoip/geo
'''

ZONE = '''$ORIGIN example.com.
$TTL 300
@ IN SOA ns1 host 1 7200 3600 1209600 60
@ IN NS ns1
ns1 IN A 127.0.0.1
'''


def ask(port, name, subnet, timeout=3):
    """The addresses, sorted, and the scope."""
    network = ipaddress.ip_network(subnet)
    option = dns.edns.ECSOption(str(network.network_address), network.prefixlen)
    query = dns.message.make_query(name, 'A', use_edns=0, options=[option])
    answer = dns.query.udp(query, '127.0.0.1', timeout, port)
    scopes = [o.scopelen for o in answer.options if isinstance(o, dns.edns.ECSOption)]
    return sorted(str(item) for rrset in answer.answer for item in rrset), scopes[0] if scopes else 0


def subnets():
    """/24s in and around the borders of all networks, and some more."""
    random.seed(SEED)
    found = set()
    borders = list(NETWORKS) + ['10.1.128.0/17', '10.72.0.0/16']
    for text in borders:
        network = ipaddress.ip_network(text)
        first, last = int(network.network_address), int(network.broadcast_address)
        for address in (first, last, first - 1, last + 1, random.randint(first, last)):
            found.add(f'{ipaddress.ip_address(address & 0xffffff00)}/24')
    for _ in range(60):
        found.add(f'10.{random.randrange(256)}.{random.randrange(256)}.0/24')
        found.add(f'{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.0/24')
    return sorted(found)


def poisoned(answers):
    """Pairs of networks of which one's scope covers the other, which is answered otherwise. {subnet: (addresses, scope)}"""
    found = []
    for subnet, (addresses, scope) in answers.items():
        covered = ipaddress.ip_network((str(ipaddress.ip_network(subnet).network_address), scope), strict=False)
        for other, (theirs, _) in answers.items():
            if ipaddress.ip_network(other).network_address in covered and theirs != addresses:
                found.append((subnet, scope, other))
    return found


class ClientSubnet(harness.Case):
    def serve(self):
        database = os.path.join(self.folder, 'networks.txt')
        with open(database, 'w', encoding='ascii') as file:
            file.writelines(f'{network} {PLACES[place]}\n' for network, place in NETWORKS.items())
        self.port = harness.free_port()
        return self.portolan(CONFIG.replace('DATABASE', database).replace('DNS', str(self.port)), name='dns')

    def peer(self, name, command, files):
        folder = self.subfolder(name)
        port = harness.free_port()
        for path, text in files.items():
            with open(os.path.join(folder, path), 'w', encoding='ascii') as file:
                file.write(text.replace('FOLDER', folder).replace('PORT', str(port)))
        process = self.own(harness.Process(name, [part.replace('FOLDER', folder) for part in command], folder))
        process.start()

        def answers():
            try:
                return bool(ask(port, 'www.example.com', '10.0.0.0/8', timeout=0.3)[0])
            except (dns.exception.Timeout, OSError):
                return False

        harness.wait_until(answers, what=f'{name} answers')
        return port

    def test_whoever_is_inside_a_scope_is_answered_alike(self):
        self.serve()
        for name in ('www.example.com', 'stuck.example.com', 'fixed.example.com'):
            answers = {subnet: ask(self.port, name, subnet) for subnet in subnets()}
            self.assertEqual(poisoned(answers), [], name)
        self.assertEqual({scope for _, scope in answers.values()}, {0})

    @unittest.skipUnless(shutil.which('unbound'), 'needs unbound')
    def test_a_cache_in_front_says_what_we_say(self):
        self.serve()
        unbound = self.peer('unbound', ['unbound', '-d', '-c', 'FOLDER/unbound.conf'],
                            {'unbound.conf': UNBOUND.replace('DNS', str(self.port))})
        asked = subnets()
        for name in ('www.example.com', 'stuck.example.com'):
            direct = {subnet: ask(self.port, name, subnet)[0] for subnet in asked}
            self.assertGreater(len({tuple(a) for a in direct.values()}), 2, 'it must have something to mix up')
            for seed in range(3):  # what comes first is what is kept
                order = list(asked)
                random.Random(seed).shuffle(order)
                for subnet in order:
                    self.assertEqual(ask(unbound, name, subnet)[0], direct[subnet], f'{name} for {subnet}')

    @unittest.skipUnless(shutil.which('unbound'), 'needs unbound')
    def test_scopes_are_short_enough_to_be_kept(self):
        process = self.serve()
        unbound = self.peer('unbound', ['unbound', '-d', '-c', 'FOLDER/unbound.conf'],
                            {'unbound.conf': UNBOUND.replace('DNS', str(self.port))})

        def queries():
            return sum(value for _, value in process.metrics().get('portolan_dns_service_answers_total', []))

        before = queries()
        asked = 0
        for second in range(16, 32):
            for third in range(0, 256, 4):
                ask(unbound, 'www.example.com', f'10.{second}.{third}.0/24')
                asked += 1
        self.assertLess(queries() - before, asked / 50, 'one answer serves all of 10.16.0.0/12')

    @unittest.skipUnless(shutil.which('knotd'), 'needs knot')
    def test_knot_gives_scopes_that_poison_caches(self):
        views = ''.join(f'  - net: {network}\n    A: {ADDRESSES[place]}\n' for network, place in NETWORKS.items())
        port = self.peer('knot', ['knotd', '-c', 'FOLDER/knot.conf'],
                         {'knot.conf': KNOT, 'geo.conf': 'www.example.com:\n' + views,
                          'example.com.zone': ZONE + 'www IN A 192.0.2.3\n'})
        found = poisoned({subnet: ask(port, 'www.example.com', subnet) for subnet in subnets()})
        print(f'Knot: {len(found)} pairs, such as {found[:2]}')
        self.assertTrue(found)

    @unittest.skipUnless(shutil.which('pdns_server'), 'needs pdns')
    def test_powerdns_copies_the_length_it_was_asked_with(self):
        lua = ("www IN LUA A \";if(netmask({'10.1.2.0/24'})) then return '192.0.2.1' "
               "elseif(netmask({'10.1.0.0/16'})) then return '192.0.2.2' else return '192.0.2.1' end\"\n")
        port = self.peer('pdns', ['pdns_server', '--config-dir=FOLDER', '--daemon=no', '--guardian=no'],
                         {'pdns.conf': 'launch=bind\nbind-config=FOLDER/named.conf\nlocal-address=127.0.0.1\n'
                                       'local-port=PORT\nsocket-dir=FOLDER\nedns-subnet-processing=yes\n'
                                       'enable-lua-records=yes\nsetuid=\nsetgid=\n',
                          'named.conf': 'zone "example.com" { type master; file "FOLDER/example.com.zone"; };\n',
                          'example.com.zone': ZONE + lua})
        wide = {text: ask(port, 'www.example.com', text)
                for text in ('10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.2.0.0/16')}
        found = poisoned(wide)
        print(f'PowerDNS: {len(found)} pairs, such as {found[:2]}')
        self.assertTrue(found)
        self.serve()
        ours = {text: ask(self.port, 'www.example.com', text) for text in wide}
        self.assertEqual(poisoned(ours), [])


if __name__ == '__main__':
    unittest.main(verbosity=2)
