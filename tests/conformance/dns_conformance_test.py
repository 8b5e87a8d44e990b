"""Does it answer what RFC 8906 §8 asks? Portolan every case; others, where installed, but those they are known to fail."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../system'))
import harness

import dns_cases
import dns_message
import dns_servers

# Of Debian 12's packages: gdnsd and Knot copy RD into the answer to an unknown opcode; NSD copies all flags, TC with
# them, and who then asks by TCP gets no answer; PowerDNS is silent to three, sets AA in BADVERS and refuses to tell of RRSIG.
KNOWN = {'gdnsd': {'opcodeflg'}, 'knot': {'opcodeflg'}, 'nsd': {'opcodeflg'}, 'pdns': {'tc', 'opcode', 'opcodeflg', 'type46', 'edns1', 'edns1flags', 'edns1opt', 'edns1do', 'edns1nsid', 'edns1cookie',
                  'edns1expire', 'edns1subnet'}}
SILENT = {'nsd': {'opcodeflg'}, 'pdns': {'tc', 'opcode', 'opcodeflg'}}


def ask(port, case):
    """What is wrong with the answer. An answer that says TC is not the last word: the same is asked by TCP."""
    wire = None
    if not case.tcp:
        wire = dns_message.over_udp(port, case.packet, timeout=0.3 if case.check is dns_cases.silence else 1.0)
    if case.tcp or (case.label == 'opcodeflg' and wire and wire[2] & 2):
        wire = next(iter(dns_message.over_tcp(port, [case.packet], timeout=1.0)), None)
    if wire is None:
        return case.check(None, case.packet)
    try:
        return case.check(dns_message.Answer(wire), case.packet)
    except (ValueError, IndexError) as error:
        return f'not a message: {error}'


def faults(port, cases):
    return {case.label: f'{case.where}: {wrong}' for case in cases if (wrong := ask(port, case))}


class DnsConformance(harness.Case):
    def serve(self, **more):
        self.port = harness.free_port()
        self.portolan(dns_servers.PORTOLAN.format(port=self.port), **more)

    def peer(self, server):
        if not dns_servers.installed(server):
            self.skipTest(f'{server} is not installed')
        port, folder = harness.free_port(), self.subfolder(server)
        command = dns_servers.SERVERS[server][0](folder, port, {'example.com': dns_servers.ZONE})
        self.own(harness.Process(server, command, folder)).start()
        harness.wait_until(lambda: dns_message.over_udp(port, dns_message.query(), 0.2), 10, server)
        return port

    def test_the_cases_of_rfc_8906(self):
        self.serve()
        self.assertEqual(faults(self.port, dns_cases.STANDARD), {})
        self.assertGreaterEqual(len(dns_cases.STANDARD), 32 + 30)

    def test_what_goes_further(self):
        self.serve()
        self.assertEqual(faults(self.port, dns_cases.STRICT), {})

    def test_queries_behind_one_another_and_in_pieces(self):
        self.serve()
        packets = [dns_message.query(owner, dns_message.A) for owner in ('www.example.com', 'gone.example.com')] * 50
        for split in (0, 1, 3, 4097):
            answers = [dns_message.Answer(wire) for wire in dns_message.over_tcp(self.port, packets, split=split)]
            self.assertEqual([answer.rcode for answer in answers], [0, 3] * 50, split)

    def check_peer(self, server):
        found = faults(self.peer(server), dns_cases.STANDARD)
        self.assertEqual(set(found), KNOWN[server], found)
        for label in SILENT.get(server, ()):
            self.assertIn('no answer', found[label])
        if server not in SILENT:
            self.assertIn('flags 100, not 000', found['opcodeflg'], 'RD comes back')

    def test_gdnsd(self):
        self.check_peer('gdnsd')

    def test_knot(self):
        self.check_peer('knot')

    def test_nsd(self):
        self.check_peer('nsd')

    def test_powerdns(self):
        self.check_peer('pdns')


if __name__ == '__main__':
    harness.main()
