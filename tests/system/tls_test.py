"""TLS on listeners and to servers: who is shown which certificate, who comes back, who may pass, and what renewals do."""
import base64
import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time

import harness
import pki

CONFIG = '''
[listener.https]
listen = ["127.0.0.1:{{port}}"]
{listener}
[listener.https.tls]
certificates = [{certificates}]
{tls}
[[route]]
{route}
{more}
'''


class TlsClient(harness.Client):
    """A Client over TLS; `session` resumes."""

    def __init__(self, port, name='www.example.com', ca=None, session=None, chain=None, least=None, most=None, protocols=None,
                 ciphers=None, timeout=10, before=b''):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca:
            context.load_verify_locations(ca)
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if chain:
            context.load_cert_chain(chain)
        if least:
            context.minimum_version = least
        if most:
            context.maximum_version = most
        if protocols:
            context.set_alpn_protocols(protocols)
        if ciphers:
            context.set_ciphers(ciphers)
        if session:
            context = session[0]
        super().__init__(port, timeout=timeout)
        if before:
            self.socket.sendall(before)
        self.context = context
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session and session[1])
        except Exception:
            self.socket.close()
            raise

    def shown(self):
        """The names of the certificate the server showed."""
        with_openssl = pki.openssl('x509', '-inform', 'DER', '-noout', '-ext', 'subjectAltName',
                                   input=self.socket.getpeercert(binary_form=True)).decode()
        return with_openssl.replace('DNS:', '').split('\n')[1].strip()

    def key_kind(self):
        text = pki.openssl('x509', '-inform', 'DER', '-noout', '-text', input=self.socket.getpeercert(binary_form=True))
        return 'rsa' if b'rsaEncryption' in text else 'ecdsa'

    def resumable(self):
        """What a later client needs to resume this one's session."""
        return self.context, self.socket.session


class TlsCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.authority = pki.Authority(self.folder)

    def issue(self, *arguments, **options):
        return self.authority.issue(*arguments, **options)

    def edge(self, *certificates, listener='', tls='', route='respond = { body = "hello" }', more='', **options):
        listed = ', '.join(c if c.startswith('{') else f'"{c}"' for c in certificates)
        return self.portolan(CONFIG.format(certificates=listed, listener=listener, tls=tls, route=route, more=more),
                             **options)

    def connect(self, edge, *arguments, **options):
        return TlsClient(edge.port, *arguments, **options)

    def get(self, edge, target='/', **options):
        request = {key: options.pop(key) for key in ('fields', 'body', 'method') if key in options}
        with self.connect(edge, **options) as client:
            return client.request(target=target, **request).answer(request.get('method', 'GET'))


class Certificates(TlsCase):
    def test_are_chosen_by_name(self):
        edge = self.edge(self.issue('first.pem', 'first.example'), self.issue('www.pem', 'www.example.com'),
                         self.issue('wild.pem', '*.example.com', '*.shop.example'))
        for name, shown in (('www.example.com', 'www.example.com'), ('WWW.example.COM', 'www.example.com'),
                            ('api.example.com', '*.example.com, *.shop.example'),
                            ('a.shop.example', '*.example.com, *.shop.example'), ('first.example', 'first.example'),
                            ('a.b.example.com', 'first.example'), ('example.com', 'first.example'),
                            ('unknown.example', 'first.example'), (None, 'first.example')):
            with self.subTest(name), self.connect(edge, name) as client:
                self.assertEqual(client.shown(), shown)

    def test_come_with_their_chain(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        with self.connect(edge, ca=self.authority.file) as client:
            self.assertEqual(client.request().answer().body, b'hello')

    def test_of_two_kinds_serve_one_name(self):
        edge = self.edge(self.issue('ec.pem', 'www.example.com'), self.issue('rsa.pem', 'www.example.com', kind='rsa'))
        for ciphers, kind in (('ECDHE-RSA-AES128-GCM-SHA256', 'rsa'), ('ECDHE-ECDSA-AES128-GCM-SHA256', 'ecdsa')):
            for name in ('www.example.com', None):
                with self.subTest(kind), self.connect(edge, name, most=ssl.TLSVersion.TLSv1_2, ciphers=ciphers) as client:
                    self.assertEqual(client.key_kind(), kind)

    def test_come_from_patterns_and_pairs(self):
        os.mkdir(os.path.join(self.folder, 'tls'))
        self.issue('tls/a.pem', 'a.example'), self.issue('tls/b.pem', 'b.example')
        pair = self.issue('pair.pem', 'pair.example')
        edge = self.edge(f'{self.folder}/tls/*.pem', f'{{ certificate = "{pair}.crt", key = "{pair}.key" }}')
        for name in ('a.example', 'b.example', 'pair.example'):
            with self.connect(edge, name) as client:
                self.assertEqual(client.shown(), name)

    def test_unknown_names_are_refused_where_asked(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'), tls='unknown_names = "refuse"')
        self.assertEqual(self.get(edge).status, 200)
        for name in ('unknown.example', None):
            with self.subTest(name), self.assertRaisesRegex(ssl.SSLError, '(?i)unrecognized.name'):
                self.connect(edge, name)

    def test_that_are_broken_are_named_by_check(self):
        good, other = self.issue('good.pem', 'www.example.com'), self.issue('other.pem', 'www.example.com')
        with open(good, encoding='ascii') as file:
            text = file.read()
        cases = {'no key': (text.split('-----BEGIN EC')[0], 'no private key'), 'no certificate': ('hello', 'no certificate'),
                 'garbage': (text.replace('MII', 'MIX', 1), 'broken'),
                 'cut': (text[:-60], 'no private key'),
                 'a key of another': (open(other + '.crt', encoding='ascii').read() + open(good + '.key', encoding='ascii').read(),
                                      "doesn't belong")}
        for name, (content, words) in cases.items():
            path = os.path.join(self.folder, 'case.pem')
            with open(path, 'w', encoding='ascii') as file:
                file.write(content)
            with self.subTest(name):
                edge = self.edge(path, start=False)
                said = edge.command('check', check=False)
                self.assertEqual(said.returncode, 2)
                self.assertRegex(said.stderr, rf'portolan.toml:\d+:\d+: .*case.pem: .*{words}')
        said = self.edge(f'{self.folder}/none/*.pem', start=False).command('check', check=False)
        self.assertRegex(said.stderr, r'portolan.toml:\d+:\d+: no file matches ')


class Versions(TlsCase):
    def versions(self, edge):
        spoken = []
        for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with contextlib.suppress(ssl.SSLError, OSError), self.connect(edge, least=version, most=version,
                                                                         ciphers='ALL:@SECLEVEL=0') as client:
                spoken.append(client.socket.version())
        return spoken

    def test_intermediate_is_1_2_and_1_3(self):
        self.assertEqual(self.versions(self.edge(self.issue('www.pem', 'www.example.com'))), ['TLSv1.2', 'TLSv1.3'])

    def test_modern_is_1_3_alone(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'), tls='policy = "modern"')
        self.assertEqual(self.versions(edge), ['TLSv1.3'])

    def test_weak_ciphers_are_refused(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com', kind='rsa'))
        for cipher in ('AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'DHE-RSA-AES128-GCM-SHA256', 'AES128-GCM-SHA256'):
            with self.subTest(cipher), self.assertRaises(ssl.SSLError):
                self.connect(edge, most=ssl.TLSVersion.TLSv1_2, ciphers=cipher)

    def test_of_strong_ciphers_the_cheapest_is_taken(self):
        """AES with the shorter key, unless the client puts ChaCha first: it has no AES in its hardware."""
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        with self.connect(edge, least=ssl.TLSVersion.TLSv1_3) as client:            # offers AES-256 first
            self.assertEqual(client.socket.cipher()[0], 'TLS_AES_128_GCM_SHA256')
        for offered, taken in (('AES256-GCM-SHA384 AES128-GCM-SHA256', 'AES128-GCM-SHA256'),
                               ('AES256-GCM-SHA384', 'AES256-GCM-SHA384'),
                               ('CHACHA20-POLY1305 AES128-GCM-SHA256', 'CHACHA20-POLY1305'),
                               ('AES256-GCM-SHA384 CHACHA20-POLY1305', 'AES256-GCM-SHA384')):
            ciphers = ':'.join('ECDHE-ECDSA-' + name for name in offered.split())
            with self.subTest(offered), self.connect(edge, most=ssl.TLSVersion.TLSv1_2, ciphers=ciphers) as client:
                self.assertEqual(client.socket.cipher()[0], 'ECDHE-ECDSA-' + taken)

    def test_alpn(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        with self.connect(edge, protocols=['spdy/3', 'http/1.1']) as client:
            self.assertEqual(client.socket.selected_alpn_protocol(), 'http/1.1')
        with self.assertRaisesRegex(ssl.SSLError, '(?i)no.application.protocol'):
            self.connect(edge, protocols=['spdy/3'])

    def test_requests_say_so(self):
        origin = self.echo()
        edge = self.edge(self.issue('www.pem', 'www.example.com'), route='pool = "app"',
                         more=f'[pool.app]\nservers = ["127.0.0.1:{origin.port}"]')
        answer = self.get(edge)
        self.assertIn(b'["X-Forwarded-Proto", "https"]', answer.body)
        self.assertEqual(edge.access_lines(1)[0]['tls'], 'TLSv1.3')
        self.assertEqual(edge.metric('portolan_tls_handshakes_total', listener='https', version='TLSv1.3', resumed='no'), 1)

    def test_hsts(self):
        certificate = self.issue('www.pem', 'www.example.com')
        edge = self.edge(certificate, listener='hsts = { max_age = "365d", include_subdomains = true }')
        self.assertEqual(self.get(edge)['Strict-Transport-Security'], 'max-age=31536000; includeSubDomains')
        self.assertIsNone(self.get(self.edge(certificate, name='bare')).get('Strict-Transport-Security'))


class Sessions(TlsCase):
    def resumes(self, edge, session, **options):
        with self.connect(edge, session=session, **options) as client:
            client.request().answer()
            return client.socket.session_reused

    def session(self, edge, **options):
        with self.connect(edge, **options) as client:
            client.request().answer()
            return client.resumable()

    def test_are_resumed_by_any_worker_and_after_a_restart(self):
        certificate = self.issue('www.pem', 'www.example.com')
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                config = '[server]\nname = "edge"\nworkers = 2\nstate = "{folder}"\n{control}\n'
                edge = self.edge(certificate, more=config, name=f'portolan-{version.value}')
                session = self.session(edge, most=version)
                self.assertTrue(all(self.resumes(edge, session) for _ in range(20)))
                self.assertEqual(os.stat(os.path.join(edge.folder, 'ticket-keys')).st_mode & 0o777, 0o600)
                edge.stop()
                edge.begin()
                self.assertTrue(self.resumes(edge, session))
                edge.reload()
                self.assertTrue(self.resumes(edge, session))

    def test_are_not_kept_where_no_place_is_given(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        session = self.session(edge)
        edge.stop()
        edge.begin()
        self.assertFalse(self.resumes(edge, session))

    def test_without_tickets_nothing_is_resumed(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'), tls='tickets = false')
        session = self.session(edge, most=ssl.TLSVersion.TLSv1_2)
        self.assertFalse(self.resumes(edge, session))

    def test_of_one_listener_are_not_resumed_at_another(self):
        certificate = self.issue('www.pem', 'www.example.com')
        second = harness.free_port()
        edge = self.edge(certificate, more=f'[listener.other]\nlisten = ["127.0.0.1:{second}"]\n'
                                           f'[listener.other.tls]\ncertificates = ["{certificate}"]')
        session = self.session(edge)
        with TlsClient(second, session=session) as client:
            client.request().answer()
            self.assertFalse(client.socket.session_reused)


class Clients(TlsCase):
    """With certificates of their own."""

    def test_pass_by_what_listener_and_route_ask(self):
        origin = self.echo()
        alice = self.issue('alice.pem', 'alice.example', subject='/O=Example/CN=alice')
        stranger = pki.Authority(self.subfolder('strangers')).issue('eve.pem', 'eve.example')
        edge = self.edge(self.issue('www.pem', 'www.example.com'), route='pool = "app"', tls=f'''
            client_certificates = "optional"
            client_ca = "{self.authority.file}"''', more=f'''
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            [[route]]
            path = "/inside"
            pool = "app"
            client_certificate = true''')
        self.assertEqual(self.get(edge).status, 200)
        self.assertEqual(self.get(edge, '/inside').status, 403)
        answer = self.get(edge, '/inside', chain=alice)
        self.assertEqual(answer.status, 200)
        fields = dict(map(tuple, harness.json.loads(answer.body)['fields']))
        der = pki.openssl('x509', '-in', alice, '-outform', 'DER')
        self.assertEqual(fields['Client-Cert'], f':{base64.b64encode(der).decode()}:')
        self.assertEqual(fields['X-Client-Cert-Subject'], 'CN=alice,O=Example')
        with self.assertRaises((ssl.SSLError, OSError)):
            self.get(edge, '/inside', chain=stranger)

    def test_cannot_forge_who_they_are(self):
        origin = self.echo()
        edge = self.edge(self.issue('www.pem', 'www.example.com'), route='pool = "app"',
                         more=f'[pool.app]\nservers = ["127.0.0.1:{origin.port}"]')
        forged = {'Client-Cert': ':AAAA:', 'client-cert-chain': 'x', 'X-Client-Cert-Subject': 'CN=root', 'X-CLIENT-CERT-Serial': '1'}
        body = self.get(edge, fields=forged).body.lower()
        self.assertNotIn(b'client-cert', body)

    def test_without_one_are_refused_where_it_is_required(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'), tls=f'''
            client_certificates = "required"
            client_ca = "{self.authority.file}"''')
        alice = self.issue('alice.pem', 'alice.example')
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.get(edge, chain=alice, most=version).status, 200)
            with self.assertRaises((ssl.SSLError, OSError)):
                self.get(edge, most=version)
        with self.connect(edge, chain=alice) as client:
            client.request().answer()
            session = client.resumable()
        with self.connect(edge, session=session) as client:
            self.assertEqual(client.request().answer().status, 200)
            self.assertTrue(client.socket.session_reused)


class Bytes(TlsCase):
    """What travels is what was sent, however it comes."""

    def test_large_bodies_both_ways_and_slow_readers(self):
        content = os.urandom(5_000_000)
        origin = self.nginx({'big': content}, locations='location /put { client_max_body_size 0; return 200 "taken"; }')
        echo = self.echo()
        edge = self.edge(self.issue('www.pem', 'www.example.com'), route='pool = "app"', more=f'''
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            [pool.echo]
            servers = ["127.0.0.1:{echo.port}"]
            [[route]]
            path = "/echo"
            pool = "echo"
            [[route]]
            path = "/cached"
            pool = "app"
            cache = "c"
            [cache.c]
            memory = "64 MiB"
            ''')
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.get(edge, '/big', most=version).body, content)
            answer = self.get(edge, '/echo', method='POST', body=content, most=version)
            self.assertEqual(harness.json.loads(answer.body)['body_size'], len(content))
        with self.connect(edge) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.request(target='/big')
            time.sleep(0.5)
            self.assertEqual(client.answer().body, content)
            client.request(target='/big')                      # the connection goes on
            self.assertEqual(client.answer().body, content)

    def test_files_and_cached_bodies(self):
        content = os.urandom(300_000)
        www = self.subfolder('www')
        with open(os.path.join(www, 'file'), 'wb') as file:
            file.write(content)
        origin = self.nginx({'cached': content}, locations='location /cached { add_header Cache-Control max-age=60; }')
        edge = self.edge(self.issue('www.pem', 'www.example.com'), route=f'files = {{ root = "{www}" }}', more=f'''
            [pool.app]
            servers = ["127.0.0.1:{origin.port}"]
            [[route]]
            path = "/cached"
            pool = "app"
            cache = "c"
            [cache.c]
            memory = "64 MiB"
            ''')
        with self.connect(edge) as client:
            for target in ('/file', '/cached', '/cached', '/file') * 3:
                self.assertEqual(client.request(target=target).answer().body, content)

    def test_a_hello_split_at_every_byte(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname='www.example.com')
        with harness.Client(edge.port) as client:
            def exchange(step):
                while True:
                    try:
                        result, again = step(), False
                    except ssl.SSLWantReadError:
                        result, again = None, True
                    for byte in outgoing.read():
                        client.send(bytes([byte]))
                        time.sleep(0.0002)
                    if not again:
                        return result
                    data = client.socket.recv(65536)
                    if not data:
                        incoming.write_eof()
                    incoming.write(data)
            exchange(tls.do_handshake)
            exchange(lambda: tls.write(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
            answer = b''
            while part := exchange(lambda: tls.read(65536)):
                answer += part
        self.assertTrue(answer.endswith(b'hello'), answer)

    def test_the_proxy_protocol_comes_before_it(self):
        origin = self.echo()
        edge = self.edge(self.issue('www.pem', 'www.example.com'), listener='proxy_protocol = true', route='pool = "app"',
                         more=f'[pool.app]\nservers = ["127.0.0.1:{origin.port}"]\n[server]\nname = "edge"\nworkers = 2\n'
                              '{control}\ntrusted = ["127.0.0.1"]')
        answer = self.get(edge, before=b'PROXY TCP4 203.0.113.7 192.0.2.1 1234 443\r\n')
        self.assertIn(b'["X-Forwarded-For", "203.0.113.7"]', answer.body)

    def test_plain_http_and_garbage_are_refused_at_once(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        for data in (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', os.urandom(3000), b'\x16\x03\x01\xff\xff' + b'\0' * 600):
            with harness.Client(edge.port) as client:
                client.send(data)
                client.socket.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    self.assertLess(len(client.rest()), 64)     # an alert at most
        self.assertEqual(self.get(edge).status, 200)

    def test_a_slow_handshake_is_ended(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'), tls='handshake_timeout = "300ms"')
        with harness.Client(edge.port) as client:
            client.send(b'\x16\x03\x01')
            began = time.monotonic()
            self.assertTrue(client.closed())
            self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(edge.metric('portolan_tls_handshake_failures_total', reason='timeout'), 1)

    def test_of_one_address_are_bounded_while_they_are_under_way(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'), tls='handshakes_per_source = 3',
                         more='[server]\nname = "edge"\nworkers = 1\n{control}')
        slow = [harness.Client(edge.port).send(b'\x16\x03\x01') for _ in range(3)]
        harness.wait_until(lambda: edge.metric('portolan_connections') == 3)
        with harness.Client(edge.port) as client:
            self.assertTrue(client.closed())
        self.assertEqual(edge.metric('portolan_tls_handshake_failures_total', reason='too many of its source'), 1)
        with harness.Client(edge.port, source='127.0.0.2') as other:
            self.assertFalse(other.send(b'\x16\x03\x01').closed(0.3))
        slow.pop().close()
        harness.wait_until(lambda: edge.metric('portolan_connections') == 2)
        self.assertEqual(self.get(edge).status, 200)
        self.assertEqual(self.get(edge).status, 200)           # those that ended count no more
        for client in slow:
            client.close()


class Flood(TlsCase):
    def test_of_handshakes_leaves_others_their_turn(self):
        """A crowd of clients that only shake hands, while one goes on asking over a connection that it has."""
        edge = self.edge(self.issue('www.pem', 'www.example.com'), more='[server]\nname = "edge"\nworkers = 1\n{control}')
        over, made = threading.Event(), []

        def crowd():
            while not over.is_set():
                waiting = []
                for _ in range(40):                             # all hellos are there before one is answered
                    with contextlib.suppress(OSError):
                        raw = socket.create_connection(('127.0.0.1', edge.port), 5)
                        raw.sendall(hello)
                        waiting.append(raw)
                for raw in waiting:
                    with contextlib.suppress(OSError):
                        raw.recv(4096)
                        made.append(1)
                    raw.close()

        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname='www.example.com').do_handshake()
        hello = outgoing.read()
        waits = []
        with self.connect(edge) as client:
            thread = threading.Thread(target=crowd, daemon=True)
            thread.start()
            end = time.monotonic() + 2
            while time.monotonic() < end:
                began = time.perf_counter()
                client.request().answer()
                waits.append(time.perf_counter() - began)
            over.set()
            thread.join(20)
        self.assertGreater(len(made), 100)
        waits.sort()
        # Forty handshakes in a row would take a worker more than ten milliseconds.
        self.assertLess(waits[len(waits) // 2], 0.008)


class Renewal(TlsCase):
    def test_takes_effect_with_a_reload_and_touches_no_connection(self):
        os.mkdir(os.path.join(self.folder, 'tls'))
        self.issue('tls/www.pem', 'www.example.com')
        edge = self.edge(f'{self.folder}/tls/*.pem')
        with self.connect(edge) as before:
            first = before.socket.getpeercert(binary_form=True)
            self.issue('tls/www.pem', 'www.example.com')
            self.issue('tls/new.pem', 'new.example')
            edge.reload()
            self.assertEqual(before.request().answer().body, b'hello')
            with self.connect(edge) as after, self.connect(edge, 'new.example') as new:
                self.assertNotEqual(after.socket.getpeercert(binary_form=True), first)
                self.assertEqual(new.shown(), 'new.example')
            self.assertEqual(before.request().answer().body, b'hello')

    def test_that_is_broken_is_refused_by_name_and_the_old_one_stays(self):
        os.mkdir(os.path.join(self.folder, 'tls'))
        path, other = self.issue('tls/www.pem', 'www.example.com'), self.issue('tls/other.pem', 'other.example')
        edge = self.edge(f'{self.folder}/tls/*.pem')
        with self.connect(edge) as client, self.connect(edge, 'other.example') as second:
            shown, other_shown = (c.socket.getpeercert(binary_form=True) for c in (client, second))
        key = open(other + '.key', 'rb').read()
        for broken in (b'garbage', open(path + '.crt', 'rb').read() + key, b''):
            with open(path, 'wb') as file:
                file.write(broken)
            self.issue('tls/other.pem', 'other.example')
            said = edge.command('reload', check=False)
            self.assertNotEqual(said.returncode, 0)
            self.assertRegex(said.stderr, r'tls/www.pem: .*stays')
            with self.connect(edge) as client, self.connect(edge, 'other.example') as second:
                self.assertEqual(client.socket.getpeercert(binary_form=True), shown)
                now = second.socket.getpeercert(binary_form=True)
                self.assertNotEqual(now, other_shown)           # what can be renewed is
                other_shown = now
        self.issue('tls/www.pem', 'www.example.com')
        edge.reload()
        with self.connect(edge) as client:
            self.assertNotEqual(client.socket.getpeercert(binary_form=True), shown)


class Servers(TlsCase):
    """TLS to servers."""

    def origin(self, certificate, name='www', more=''):
        return self.nginx({'name.txt': name.encode()}, name=name, locations=f'''
            listen 127.0.0.1:{{tls}} ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate};
            location /reused {{ return 200 "$ssl_session_reused $ssl_server_name $ssl_client_s_dn"; }}
            {more}'''.replace('{tls}', str(self.port())))

    def port(self):
        self.tls_port = harness.free_port()
        return self.tls_port

    def edge_to(self, port, tls, pool='', host='127.0.0.1', **options):
        return self.portolan(f'''
            [listener.http]
            listen = ["127.0.0.1:{{port}}"]
            [pool.app]
            servers = ["{host}:{port}"]
            tls = {tls}
            {pool}
            [[route]]
            pool = "app"
            ''', **options)

    def test_are_verified_by_authority_and_name(self):
        self.origin(self.issue('origin.pem', 'app.internal', '127.0.0.1'))
        port, ca = self.tls_port, self.authority.file
        stranger = pki.Authority(self.subfolder('strangers'))
        for tls, status in ((f'{{ ca = "{ca}", name = "app.internal" }}', 200), (f'{{ ca = "{ca}" }}', 200),
                            (f'{{ ca = "{ca}", name = "other.internal" }}', 502),
                            (f'{{ ca = "{stranger.file}", name = "app.internal" }}', 502), ('{}', 502),
                            ('{ verify = false }', 200)):
            with self.subTest(tls):
                edge = self.edge_to(port, tls, name=f'edge-{status}-{hash(tls)}')
                answer = edge.get('/name.txt')
                self.assertIn(answer.status, (status, 503) if status == 502 else (status,), edge.output)
                edge.stop()

    def test_are_told_the_name_and_resumed(self):
        self.origin(self.issue('origin.pem', 'app.internal'))
        edge = self.edge_to(self.tls_port, f'{{ ca = "{self.authority.file}", name = "app.internal" }}',
                            pool='timeouts = { keepalive = "50ms" }\n[server]\nname = "edge"\nworkers = 1\n{control}')
        self.assertEqual(edge.get('/reused').body.split()[:2], [b'.', b'app.internal'])
        time.sleep(0.3)
        self.assertEqual(edge.get('/reused').body.split()[:2], [b'r', b'app.internal'])

    def test_that_ask_are_shown_a_certificate(self):
        self.origin(self.issue('origin.pem', 'app.internal'),
                    more=f'ssl_verify_client on; ssl_client_certificate {self.authority.file}; ssl_verify_depth 2;')
        mine = self.issue('mine.pem', 'edge.internal', subject='/CN=edge')
        tls = f'ca = "{self.authority.file}", name = "app.internal"'
        self.assertEqual(self.edge_to(self.tls_port, f'{{ {tls} }}', name='bare').get('/reused').status, 400)
        edge = self.edge_to(self.tls_port, f'{{ {tls}, certificate = "{mine}" }}')
        self.assertIn(b'CN=edge', edge.get('/reused').body)

    def test_are_checked_over_tls(self):
        for check in ('http = "/healthz"', 'tcp = true'):
            with self.subTest(check):
                self.origin(self.issue('origin.pem', 'app.internal'), name=f'o{len(self.processes)}')
                for name, state in (('app.internal', 'up'), ('wrong.internal', 'down')):
                    edge = self.edge_to(self.tls_port, f'{{ ca = "{self.authority.file}", name = "{name}" }}',
                                        pool=f'health = {{ {check}, interval = "50ms", fall = 2 }}', name=f'e{len(self.processes)}')
                    harness.wait_until(lambda edge=edge, state=state: state in edge.command('status'),
                                       what=lambda edge=edge: edge.command('status'))
                    edge.stop()

    def test_that_end_without_saying_so_are_not_believed(self):
        """A body that ends with the connection is whole only when TLS says so (RFC 9112 §9.8)."""
        certificate = self.issue('origin.pem', '127.0.0.1')
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

        def handler(client, number):
            plain = client.socket
            client.socket = context.wrap_socket(plain, server_side=True)
            client.request_head()
            client.send(b'HTTP/1.1 200 OK\r\n\r\nhello')
            if number == 1:
                client.socket.unwrap()
            else:
                os.close(client.socket.detach())
        origin = self.scripted(handler)
        edge = self.edge_to(origin.port, f'{{ ca = "{self.authority.file}" }}')
        self.assertEqual(edge.get('/').body, b'hello')
        with self.assertRaises(ConnectionError):
            edge.get('/')


class Many(TlsCase):
    def test_certificates_start_and_reload_in_a_moment(self):
        count = harness.scale(1000, 10000)
        key = os.path.join(self.folder, 'many.key')
        pki.openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', key)
        folder = self.subfolder('many')
        self.make(folder, key, count)
        edge = self.edge(f'{folder}/*.pem', start=False)
        before = self.edge(self.issue('one.pem', 'one.example'), name='one').memory_kib('VmRSS')
        began = time.perf_counter()
        edge.begin()
        started = time.perf_counter() - began
        took = []
        for _ in range(3):
            began = time.perf_counter()
            edge.reload()
            took.append(time.perf_counter() - began)
        for number in (0, count // 2, count - 1):
            with self.connect(edge, f'host{number}.example') as client:
                self.assertEqual(client.shown(), f'host{number}.example')
        bytes_each = (edge.memory_kib('VmRSS') - before) * 1024 / count
        print(f'{count} certificates: start {started:.2f} s, reload {min(took):.2f} s, {bytes_each:.0f} bytes each')
        self.assertLess(started, 2)
        self.assertLess(min(took), 1)
        self.assertLess(bytes_each, 8000)                       # the heap of reading them included

    def make(self, folder, key, count):
        """Self-signed, with one key; a process for each batch, since the command takes 10 ms each."""
        script = ('for i in $(seq $2 $3); do openssl req -x509 -new -key $1 -subj /CN=host$i -days 30 '
                  '-addext subjectAltName=DNS:host$i.example 2>/dev/null > $4/$i.pem; cat $1 >> $4/$i.pem; done')
        half = count // 2
        batches = [subprocess.Popen(['sh', '-c', script, 'sh', key, str(first), str(last), folder])
                   for first, last in ((0, half - 1), (half, count - 1))]
        for batch in batches:
            self.assertEqual(batch.wait(), 0)


class Leaving(TlsCase):
    def test_right_after_the_handshake_is_seen(self):
        edge = self.edge(self.issue('www.pem', 'www.example.com'))
        resumable = None
        for _ in range(100):                           # resumed, so that the client's bytes are the last
            with self.connect(edge, most=ssl.TLSVersion.TLSv1_2, session=resumable) as client:
                resumable = client.resumable()
                client.socket = socket.socket(fileno=client.socket.detach())
                client.reset()                         # no close_notify, and a RST
        harness.wait_until(lambda: edge.metric('portolan_connections', listener='https') == 0, timeout=3)


class Stapling(TlsCase):
    def issue_with_responder(self, states):
        """Certificates of these states (V, R), and the real responder (openssl ocsp) that they name; not started yet."""
        port = harness.free_port()
        index = os.path.join(self.folder, 'index.txt')
        paths = []
        with open(index, 'w', encoding='ascii') as file:
            for number, state in enumerate(states):
                paths.append(self.issue(f'{number}.pem', f'{number}.example.com', extensions=[
                    f'authorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/ocsp']))
                serial = pki.openssl('x509', '-in', paths[-1], '-noout', '-serial').decode().strip().split('=')[1]
                since = '250101000000Z' if state == 'R' else ''
                file.write(f'{state}\t491231235959Z\t{since}\t{serial}\tunknown\t/CN={number}\n')
        certificate, key = self.authority.intermediate
        responder = self.own(harness.Process('ocsp', ['openssl', 'ocsp', '-index', index, '-port', str(port), '-rsigner',
                                                      certificate, '-rkey', key, '-CA', certificate, '-nmin', '5'],
                                             self.folder))
        return paths, responder, port

    def stapled(self, edge, name):
        said = pki.openssl('s_client', '-connect', f'127.0.0.1:{edge.port}', '-servername', name, '-status', input=b'')
        return b'Cert Status: good' in said

    def test_a_responder_is_asked_and_its_answer_shown(self):
        paths, responder, _ = self.issue_with_responder('VR')
        responder.start()
        harness.wait_until(lambda: 'waiting for OCSP' in responder.output)   # a mere connection would hold it up
        edge = self.edge(*paths)
        harness.wait_until(lambda: self.stapled(edge, '0.example.com'))
        harness.wait_until(lambda: 'the certificate is revoked' in edge.output)
        self.assertFalse(self.stapled(edge, '1.example.com'))
        responder.kill()
        edge.reload()                                  # what it said holds on
        self.assertTrue(self.stapled(edge, '0.example.com'))

    def test_a_responder_that_is_away_is_named_once(self):
        paths, _, port = self.issue_with_responder('V')
        edge = self.edge(*paths)
        harness.wait_until(lambda: 'no OCSP answer to staple' in edge.output)
        self.assertIn(f'http://127.0.0.1:{port}/ocsp', edge.output)
        self.assertEqual(self.get(edge, name='0.example.com').status, 200)

    def test_can_be_turned_off(self):
        paths, responder, _ = self.issue_with_responder('V')
        responder.start()
        harness.wait_until(lambda: 'waiting for OCSP' in responder.output)   # a mere connection would hold it up
        edge = self.edge(*paths, tls='ocsp = false')
        time.sleep(0.5)
        self.assertFalse(self.stapled(edge, '0.example.com'))


if __name__ == '__main__':
    harness.main()
