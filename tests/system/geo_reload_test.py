"""GeoDNS beside its answers: databases that change, checks before the first answer, what two nodes see, capacity."""
import contextlib
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import harness
import pki

CONFIG = '''
[geo]
databases = ["{folder}/geo.mmdb", { path = "{folder}/ours.txt", kind = "networks" }]
[datacenter.us]
location = [40.7, -74.0]
[datacenter.eu]
location = [48.9, 2.4]
[service.web]
us = { addresses = ["192.0.2.1"], health = US }
eu = { addresses = ["192.0.2.2"], health = EU }
[geodns]
listen = ["127.0.0.1:DNS"]
PEERS
[zone."example.com"]
nameservers = ["ns.example.net"]
records = [{ name = "www", service = "web", policy = "nearest" }]
[server]
name = "{name}"
workers = 2
{control}
LISTEN
'''
OURS = '10.1.0.0/16 latitude=48.9 longitude=2.4 country=FR\n10.2.0.0/16 latitude=40.7 longitude=-74.0 country=US\n'
SWAPPED = '10.2.0.0/16 latitude=48.9 longitude=2.4 country=FR\n10.1.0.0/16 latitude=40.7 longitude=-74.0 country=US\n'
ALWAYS = '{ file = "/nonexistent" }'
QUICK = 'interval = "100ms", timeout = "100ms", rise = 1, fall = 2'
US, EU = ['192.0.2.1'], ['192.0.2.2']


def process_text(process):
    with open(process.config_path, encoding='utf-8') as file:
        return file.read()


class GeoReload(harness.Case):
    def serve(self, us=ALWAYS, eu=ALWAYS, name='ns1', peers='', listen=''):
        folder = self.subfolder(name + '-files')
        subprocess.run([harness.BINARY, 'geo-demo', os.path.join(folder, 'geo.mmdb')], check=True,
                       stdout=subprocess.DEVNULL)
        self.ours = os.path.join(folder, 'ours.txt')
        self.put(OURS)
        self.port = harness.free_port()
        text = CONFIG.replace('US', us, 1).replace('EU', eu, 1).replace('DNS', str(self.port)).replace('PEERS', peers)
        text = text.replace('LISTEN', listen).replace('{folder}', folder)
        return self.portolan(text, name=name)

    def put(self, text):
        """In its place at once, as editors and cp do."""
        with open(self.ours, 'w', encoding='ascii') as file:
            file.write(text)

    def www(self, subnet='10.1.0.0/24', port=None):
        return harness.dns_addresses(port or self.port, 'www.example.com', subnet=subnet)

    def test_a_database_that_changes_is_read_anew(self):
        self.serve()
        self.assertEqual((self.www('10.1.0.0/24'), self.www('10.2.0.0/24')), (EU, US))
        self.put(SWAPPED)
        harness.wait_until(lambda: self.www('10.1.0.0/24') == US, timeout=15, what='the new database')
        self.assertEqual(self.www('10.2.0.0/24'), EU)

    def test_routes_go_by_it_too(self):
        routes = '''trusted = ["127.0.0.1"]
[listener.http]
listen = ["127.0.0.1:{port}"]
[[route]]
country = ["FR"]
respond = { status = 200, body = "FR" }
[[route]]
respond = { status = 200, body = "elsewhere" }
'''
        process = self.serve(listen=routes)

        def told():
            return process.get('/', fields={'X-Forwarded-For': '10.1.0.1'}).body
        self.assertEqual(told(), b'FR')
        self.put(SWAPPED)
        harness.wait_until(lambda: told() == b'elsewhere', timeout=15, what='the new database')
        self.assertIn('country US', process.command('explain', 'GET', 'http://a/', '--listener', 'http', '--from', '10.1.0.1'))
        # And what is posted to the workers later, for another reason, is not the old one.
        process.command('drain', 'datacenter', 'us')
        self.assertEqual(told(), b'elsewhere')

    def test_a_bad_one_disturbs_nobody(self):
        process = self.serve()
        wrong, stop = [], threading.Event()

        def asks():
            while not stop.is_set():
                if self.www('10.1.0.0/24') != EU:
                    wrong.append(self.www('10.1.0.0/24'))

        asking = threading.Thread(target=asks)
        asking.start()
        database = os.path.join(os.path.dirname(self.ours), 'geo.mmdb')
        with open(database, 'r+b') as file:
            file.truncate(1000)                                   # in place: no SIGBUS
        time.sleep(5)
        self.put('10.1.0.0/16 country=Germany\n')
        time.sleep(5)
        os.unlink(database)
        time.sleep(5)
        stop.set()
        asking.join()
        self.assertEqual(wrong, [])
        self.assertTrue(process.alive)
        self.assertIn("a database changed and can't be used, the old one goes on", process.output)
        self.assertNotEqual(process.command('reload', check=False).returncode, 0)
        self.assertEqual(self.www('10.1.0.0/24'), EU, 'a reload that is refused changes nothing either')
        subprocess.run([harness.BINARY, 'geo-demo', database], check=True, stdout=subprocess.DEVNULL)
        self.put(SWAPPED)
        harness.wait_until(lambda: self.www('10.1.0.0/24') == US, timeout=15, what='the repaired databases')

    def test_checks_run_before_the_first_answer(self):
        closed = harness.free_port()
        slow = socket.create_server(('127.0.0.1', 0))             # accepts, and is good
        with slow:
            process = self.serve(us=f'{{ tcp = "127.0.0.1:{closed}", interval = "10s", timeout = "1s", fall = 1 }}',
                                 eu=f'{{ tcp = "127.0.0.1:{slow.getsockname()[1]}", interval = "10s" }}')
            self.assertEqual(self.www('10.2.0.0/24'), EU, 'the nearest is down, and was never answered')
            self.assertIn('connection refused', process.command('status'))

    def secure(self, certificate):
        """A server with that certificate that is well; its port, and the names it was asked for."""
        names = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _, name, __: names.append(name)
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    accepted = listener.accept()[0]
                except OSError:
                    return
                with contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True) as client:
                    client.recv(4096)
                    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1], names

    def test_https_checks_and_files(self):
        authority = pki.Authority(self.folder)
        port, names = self.secure(authority.issue('web.pem', 'web.test'))
        state = os.path.join(self.folder, 'eu.state')
        with open(state, 'w', encoding='ascii') as file:
            file.write('down')
        url = f'http = "https://127.0.0.1:{port}/healthz"'
        secure = f'{{ {url}, tls = {{ ca = "{authority.file}", name = "web.test" }}, {QUICK} }}'
        good = f'{{ all = [{secure}, {{ tcp = "127.0.0.1:{port}" }}] }}'
        process = self.serve(us=good, eu=f'{{ file = "{state}", max_age = "10s", interval = "100ms" }}')
        harness.wait_until(lambda: self.www('10.1.0.0/24') == US, what='eu, by its file')
        status = process.command('status')
        self.assertRegex(status, r'us +up')
        self.assertIn('web.test', names, 'SNI')
        with open(state, 'w', encoding='ascii') as file:
            file.write('up')
        harness.wait_until(lambda: self.www('10.1.0.0/24') == EU, what='eu again')
        process.reload(process_text(process).replace('name = "web.test"', 'name = "other.test"'))
        harness.wait_until(lambda: 'down' in next(line for line in process.command('status').splitlines() if ' us ' in line),
                           what='a certificate for another name')

    def test_two_nodes_with_different_views_show_it(self):
        listener = socket.create_server(('127.0.0.1', 0))
        with listener:
            good = f'{{ tcp = "127.0.0.1:{listener.getsockname()[1]}", {QUICK} }}'
            bad = f'{{ tcp = "127.0.0.1:{harness.free_port()}", {QUICK} }}'
            peers = harness.free_port()
            self.serve(us=good, eu=bad, name='ns1',
                       listen=f'peers = {{ listen = "127.0.0.1:{peers}", allow = ["127.0.0.0/8"] }}')
            second = self.serve(us=good, eu=good, name='ns2', peers=f'peers = ["http://127.0.0.1:{peers}"]')
            harness.wait_until(lambda: re.search(r'eu +up +down +differs', second.command('status', '--peers')),
                               what='the difference')
            lines = second.command('status', '--peers').splitlines()
            eu = next(line for line in lines if ' eu ' in line)
            self.assertRegex(eu, r'eu +up +down +differs')
            us = next(line for line in lines if ' us ' in line)
            self.assertRegex(us, r'us +up +up')
            self.assertNotIn('differs', us)

    def test_explain_says_what_is_answered(self):
        process = self.serve()
        told = process.command('explain', 'dns', 'www.example.com', 'A', '--from', '10.1.2.0/24')
        for part in ('FR', '1. eu', '2. us', 'pick        eu: 192.0.2.2', 'scope       /'):
            self.assertIn(part, told)
        process.command('drain', 'datacenter', 'eu')
        harness.wait_until(lambda: self.www() == US, what='the drain')
        self.assertIn('draining', process.command('explain', 'dns', 'www.example.com', 'A', '--from', '10.1.2.0/24'))
        process.command('enable', 'datacenter', 'eu')
        harness.wait_until(lambda: self.www() == EU, what='everybody back')
        metrics = process.metrics()
        answered = {(labels['policy'], labels['datacenter']): value
                    for labels, value in metrics['portolan_dns_service_answers_total']}
        self.assertGreater(answered['nearest', 'eu'], 0)
        self.assertGreater(answered['nearest', 'us'], 0)


if __name__ == '__main__':
    import unittest
    unittest.main(verbosity=2)
