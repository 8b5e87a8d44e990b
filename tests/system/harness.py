"""What system tests share: real servers in folders of their own, on free loopback ports, gone when the test ends.

    class Mine(harness.Case):
        def test_it(self):
            origin = self.nginx(files={'hello.txt': b'hello'})
            edge = self.portolan(f'''
                [listener.http]
                listen = ["127.0.0.1:{{port}}"]
                [pool.app]
                servers = ["127.0.0.1:{origin.port}"]
                [[route]]
                pool = "app"
            ''')
            answer = edge.get('/hello.txt')
            self.assertEqual((answer.status, answer.body), (200, b'hello'))

    if __name__ == '__main__':
        harness.main()

A file runs alone (`/usr/bin/python3 tests/system/mine_test.py [Case.test]`) or as the CTest test system_mine. PORTOLAN_BINARY
is the binary under test; PORTOLAN_SCALE=full (./dev soak) asks for full-size loads, see scale().
"""
import atexit
import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(os.environ.get('PORTOLAN_BINARY', os.path.join(ROOT, 'build/release/portolan')))
FULL = os.environ.get('PORTOLAN_SCALE') == 'full'
START_S = 15                                   # a process that isn't ready by then never will be


def scale(small, full):
    """The size of a load: small in `./dev test`, full in `./dev soak`."""
    return full if FULL else small


def wait_until(condition, timeout=START_S, what='condition', step=0.02):
    """The first true value of condition(), or an AssertionError after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {timeout} s: {what() if callable(what) else what}')
        time.sleep(step)


# ── ports ───────────────────────────────────────────────────────────────────────────────────────────────────────

_given = set()


def free_port(host='127.0.0.1', kind=socket.SOCK_STREAM):
    """A port nobody uses and no test was given before, below the range the kernel gives outgoing connections."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    start = 20000 + os.getpid() * 7 % 10000
    for step in range(10000):
        port = 20000 + (start + step) % 10000
        if port in _given:
            continue
        with contextlib.ExitStack() as stack:
            try:
                for each in {kind, socket.SOCK_STREAM, socket.SOCK_DGRAM}:
                    stack.enter_context(socket.socket(family, each)).bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError('no free port')


def accepts(port, host='127.0.0.1'):
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), 1).close()
        return True
    return False


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────

class Process:
    """A child with its output in a file. stop() is gentle, then not; kill() is SIGKILL; the test ends them all."""

    def __init__(self, name, command, folder, **options):
        self.name, self.argv, self.folder, self.options = name, [str(part) for part in command], folder, options
        self.output_path = os.path.join(folder, f'{name}.out')
        self.child = None

    def start(self):
        with open(self.output_path, 'ab') as output:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          start_new_session=True, **self.options)
        return self

    @property
    def pid(self):
        return self.child.pid

    @property
    def alive(self):
        return self.child is not None and self.child.poll() is None

    @property
    def output(self):
        if not os.path.exists(self.output_path):
            return ''
        with open(self.output_path, encoding='utf-8', errors='replace') as file:
            return file.read()

    def signal(self, number):
        """To the process alone; use group_signal for nginx and Apache, whose workers are its children."""
        if self.alive:
            os.kill(self.pid, number)

    def group_signal(self, number):
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def wait(self, timeout=START_S):
        return self.child.wait(timeout)

    def stop(self, timeout=START_S):
        """SIGTERM and the exit status; SIGKILL after timeout."""
        if self.child is None:
            return None
        self.group_signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        finally:
            self.group_signal(signal.SIGKILL)

    def kill(self):
        self.group_signal(signal.SIGKILL)
        if self.child is not None:
            self.child.wait()

    def freeze(self):
        self.group_signal(signal.SIGSTOP)

    def thaw(self):
        self.group_signal(signal.SIGCONT)

    def memory_kib(self, field='VmHWM'):
        """VmHWM (peak resident) or VmRSS."""
        with open(f'/proc/{self.pid}/status', encoding='ascii') as file:
            return int(re.search(rf'^{field}:\s+(\d+) kB', file.read(), re.MULTILINE).group(1))

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def cpu_s(self):
        with open(f'/proc/{self.pid}/stat', encoding='ascii') as file:
            fields = file.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


# ── a client of bytes ───────────────────────────────────────────────────────────────────────────────────────────

class Answer:
    """One response: status, fields (list of pairs as sent), body."""

    def __init__(self, status, reason, fields, body):
        self.status, self.reason, self.fields, self.body = status, reason, fields, body

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        return ', '.join(self.all(name)) if self.all(name) else default

    def __getitem__(self, name):
        values = self.all(name)
        if not values:
            raise KeyError(name)
        return ', '.join(values)

    def __repr__(self):
        return f'<{self.status} {self.reason} {self.fields} {len(self.body)} bytes: {self.body[:200]!r}>'


class Client:
    """A connection that sends what it is told to the byte, and reads answers strictly. Use it with `with`."""

    def __init__(self, port, host='127.0.0.1', timeout=10, source=None):
        self.socket = socket.create_connection((host, port), timeout, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Leaves with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode('latin-1') if isinstance(data, str) else data)
        return self

    def request(self, method='GET', target='/', host='test', fields=(), body=None):
        fields = list(fields.items()) if isinstance(fields, dict) else list(fields)
        if body is not None and not any(key.lower() in ('content-length', 'transfer-encoding') for key, _ in fields):
            fields.append(('Content-Length', str(len(body))))
        head = f'{method} {target} HTTP/1.1\r\nHost: {host}\r\n' + ''.join(f'{k}: {v}\r\n' for k, v in fields)
        return self.send(head.encode('latin-1') + b'\r\n' + (body or b''))

    def _more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError(f'closed by the server after {self.buffer[:300]!r}')
        self.buffer += data

    def line(self):
        while b'\n' not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(b'\n')
        if not line.endswith(b'\r'):
            raise AssertionError(f'bare LF in {line!r}')
        return line[:-1].decode('latin-1')

    def exactly(self, size):
        parts, have = [], 0
        while have < size:
            if not self.buffer:
                self._more()
            part, self.buffer = self.buffer[:size - have], self.buffer[size - have:]
            parts.append(part)
            have += len(part)
        return b''.join(parts)

    def _fields(self):
        fields = []
        while line := self.line():
            name, colon, value = line.partition(':')
            assert colon and name == name.strip() and name, f'bad field line {line!r}'
            fields.append((name, value.strip()))
        return fields

    def head(self):
        """The next status line and fields: (status, reason, fields)."""
        line = self.line()
        match = re.fullmatch(r'HTTP/1\.[01] (\d{3}) ?(.*)', line)
        assert match, f'bad status line {line!r}'
        return int(match.group(1)), match.group(2), self._fields()

    def request_head(self):
        """Of a ScriptedOrigin's peer: (method, target, fields) of the next request."""
        method, target, version = self.line().split(' ')
        assert version == 'HTTP/1.1', version
        return method, target, self._fields()

    def request_body(self, fields):
        """The body that follows a request_head() with these fields."""
        asked = Answer(0, '', fields, b'')
        if asked.get('Transfer-Encoding') is None and asked.get('Content-Length') is None:
            return b''
        if asked.get('Expect'):
            self.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        return self._body(asked)

    def answer(self, method='GET', interim=None):
        """The next final answer. 1xx answers are appended to the list `interim`."""
        while True:
            status, reason, fields = self.head()
            if status >= 200 or status == 101:
                break
            if interim is not None:
                interim.append(Answer(status, reason, fields, b''))
        answer = Answer(status, reason, fields, b'')
        if method != 'HEAD' and status not in (101, 204, 304):
            answer.body = self._body(answer)
        return answer

    def _body(self, answer):
        if (answer.get('Transfer-Encoding') or '').lower() == 'chunked':
            assert answer.get('Content-Length') is None, 'both framings'
            body = b''
            while size := int(self.line().partition(';')[0], 16):
                body += self.exactly(size)
                assert self.exactly(2) == b'\r\n'
            answer.trailers = self._fields()
            return body
        if answer.get('Content-Length') is not None:
            assert len(answer.all('Content-Length')) == 1
            return self.exactly(int(answer['Content-Length']))
        return self.rest()

    def rest(self):
        """All until the server closes."""
        body, self.buffer = self.buffer, b''
        while data := self.socket.recv(1 << 18):
            body += data
        return body

    def closed(self, timeout=5):
        """Whether the server closes (FIN or RST) within timeout without sending more."""
        self.socket.settimeout(timeout)
        try:
            return not self.buffer and self.socket.recv(1) == b''
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def fetch(port, target='/', method='GET', host='127.0.0.1', timeout=10, **request):
    """One request on a connection of its own."""
    named = request.pop('name', 'test')
    with Client(port, host, timeout) as client:
        return client.request(method, target, named, **request).answer(method)


# ── servers ─────────────────────────────────────────────────────────────────────────────────────────────────────

class Server(Process):
    """A Process with an HTTP port."""
    port = None

    def get(self, target='/', **request):
        return fetch(self.port, target, **request)

    def client(self, **options):
        return Client(self.port, **options)


NGINX = '''
daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
{user}
events {{ worker_connections 4096; }}
http {{
  default_type application/octet-stream; types {{ text/plain txt; text/html html; }}
  access_log {folder}/access.log; keepalive_requests 1000000; client_max_body_size 0; sendfile on;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen {host}:{port} backlog=4096; root {folder}/www; add_header X-Origin {name};
    location = /healthz {{ return 200 "ok\\n"; }}
    location = /name {{ return 200 "{name}\\n"; }}
    {locations}
  }}
}}
'''

APACHE = '''
ServerRoot {folder}
ServerName {name}
PidFile {folder}/httpd.pid
ErrorLog {folder}/error.log
Listen {host}:{port}
{user}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
TypesConfig /dev/null
AddType text/plain .txt
LogFormat "%h %{{Host}}i %k \\"%r\\" %>s %b" plain
CustomLog {folder}/access.log plain
DocumentRoot {folder}/www
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
Header set X-Origin {name}
{directives}
<Directory {folder}/www>
  Require all granted
</Directory>
'''


class Portolan(Server):
    """A Portolan with its file, its control socket and its metrics."""

    def __init__(self, folder, config, port, metrics_port, name='portolan', **options):
        self.config_path = os.path.join(folder, 'portolan.toml')
        self.admin_path = os.path.join(folder, 'admin.sock')
        self.access_path = os.path.join(folder, 'access.log')
        self.port, self.metrics_port = port, metrics_port
        super().__init__(name, [BINARY, 'run', '--config', self.config_path], folder, **options)
        self.write(config)

    def write(self, config):
        """Replaces the file. `{port}`, `{folder}`, `{name}` and `{control}` (admin, metrics: keys of a [server] table) are
        filled in; [server] and [log] are added where there is none."""
        text = textwrap.dedent(config)
        control = f'admin = "unix:{self.admin_path}"\nmetrics = "127.0.0.1:{self.metrics_port}"'
        for key, value in (('port', self.port), ('folder', self.folder), ('name', self.name), ('control', control)):
            text = text.replace('{' + key + '}', str(value))
        if not re.search(r'^\s*\[server\]', text, re.MULTILINE):
            text += textwrap.dedent(f'''
                [server]
                name = "{self.name}"
                workers = 2
                ''') + control + '\n'
        if not re.search(r'^\s*\[log\]', text, re.MULTILINE):
            text += f'\n[log]\naccess = {{ path = "{self.access_path}", format = "json" }}\n'
        with open(self.config_path, 'w', encoding='utf-8') as file:
            file.write(text)
        return self

    def begin(self):
        """Starts and waits for /ready."""
        self.start()
        try:
            wait_until(lambda: not self.alive or self._answers('/ready'), what='/ready')
        finally:
            if not self.alive:
                raise AssertionError(f'portolan ended with {self.child.returncode}:\n{self.output}')
        return self

    def _answers(self, path):
        with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
            return fetch(self.metrics_port, path, timeout=2).status == 200
        return False

    def command(self, *verb, check=True, timeout=30):
        """A subcommand against this process, e.g. command('status'); its standard output."""
        where = ['--config', self.config_path] if verb[0] == 'check' else ['--admin', f'unix:{self.admin_path}']
        done = subprocess.run([BINARY, *verb, *where], capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode:
            raise AssertionError(f'portolan {" ".join(verb)} exited {done.returncode}: {done.stdout}{done.stderr}')
        return done.stdout if check else done

    def reload(self, config=None):
        if config is not None:
            self.write(config)
        return self.command('reload')

    def metrics_text(self):
        return fetch(self.metrics_port, '/metrics').body.decode()

    def metrics(self):
        """{name: [(labels, value)]} of /metrics."""
        found = {}
        for line in self.metrics_text().splitlines():
            match = re.fullmatch(r'(\w+)(?:\{(.*)\})? (\S+)', line)
            if match:
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ''))
                found.setdefault(match.group(1), []).append((labels, float(match.group(3))))
        return found

    def metric(self, name, **labels):
        """The sum of one metric over the series that carry the labels."""
        return sum(value for have, value in self.metrics().get(name, []) if labels.items() <= have.items())

    def access_lines(self, least=0, timeout=5):
        """The access log as dictionaries; waits until there are at least `least` lines."""
        def lines():
            with contextlib.suppress(FileNotFoundError), open(self.access_path, encoding='utf-8') as file:
                return [json.loads(line) for line in file.read().splitlines() if line]
            return []
        wait_until(lambda: len(lines()) >= least, timeout, lambda: f'{least} lines in the access log: {lines()}')
        return lines()


class ScriptedOrigin:
    """A server in this process that does what the function says: handler(client, number) a connection, in a thread.

    `client` is a Client, so client.line(), client.exactly() and client.send() play the other side; client.request_head()
    reads a request's line and fields. The connection closes when the function returns. `connections` counts them.
    """

    def __init__(self, handler, host='127.0.0.1', port=None):
        self.handler, self.connections, self.port = handler, 0, port or free_port(host)
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, self.port))
        self.listener.listen(1024)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                accepted = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(accepted, self.connections), daemon=True).start()

    def _run(self, accepted, number):
        client = Client.__new__(Client)
        client.socket, client.buffer = accepted, b''
        accepted.settimeout(60)
        with client, contextlib.suppress(OSError):
            self.handler(client, number)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def dns_query(port, name, kind='A', host='127.0.0.1', subnet=None, tcp=False, timeout=3):
    """dnspython's answer message. subnet "203.0.113.0/24" goes along as EDNS Client Subnet."""
    import dns.edns
    import dns.message
    import dns.query
    options = []
    if subnet:
        address, _, length = subnet.partition('/')
        options = [dns.edns.ECSOption(address, int(length or (128 if ':' in address else 32)))]
    query = dns.message.make_query(name, kind, use_edns=0, options=options)
    return (dns.query.tcp if tcp else dns.query.udp)(query, host, port=port, timeout=timeout)


def dns_addresses(*arguments, **options):
    """The addresses in the answer, sorted."""
    return sorted(str(item) for rrset in dns_query(*arguments, **options).answer for item in rrset)


# ── the test case ───────────────────────────────────────────────────────────────────────────────────────────────

_living = []


@atexit.register
def _end_all():
    for process in _living:
        process.kill()


class Case(unittest.TestCase):
    """Makes servers and takes them away. On a failure the outputs of all Portolans are printed."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='portolan-')
        os.chmod(self.folder, 0o755)
        self.processes = []

    def tearDown(self):
        outcome = self._outcome.result
        bad = any(test is self for test, _ in outcome.failures + outcome.errors)
        for process in reversed(self.processes):
            process.stop()
            if isinstance(process, Portolan):
                if bad:
                    print(f'── {process.name} ──\n{process.output[-4000:]}', file=sys.stderr)
            _living.remove(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def own(self, process):
        """Ends the process with the test."""
        self.processes.append(process)
        _living.append(process)
        return process

    def scripted(self, handler, **options):
        """A ScriptedOrigin that closes with the test."""
        origin = ScriptedOrigin(handler, **options)
        self.addCleanup(origin.close)
        return origin

    def echo(self, name='echo', delay=0):
        """A ScriptedOrigin that answers with what it was asked, as JSON: {method, target, fields, body_size, origin}."""
        def handler(client, _):
            while True:
                method, target, fields = client.request_head()
                body = client.request_body(fields)
                time.sleep(delay)
                said = json.dumps({'method': method, 'target': target, 'fields': fields, 'body_size': len(body),
                                   'origin': name}).encode()
                client.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(said))
                if method != 'HEAD':
                    client.send(said)
        return self.scripted(handler)

    def subfolder(self, name):
        path = os.path.join(self.folder, f'{name}-{len(self.processes)}')
        os.makedirs(path)
        return path

    def _files(self, folder, files):
        www = os.path.join(folder, 'www')
        os.makedirs(www)
        for path, content in files.items():
            path = os.path.join(www, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if callable(content):
                content(path)                          # a function that writes the file: for large ones
            else:
                with open(path, 'wb') as file:
                    file.write(content)

    def nginx(self, files=None, locations='', name=None, host='127.0.0.1', port=None):
        """A real nginx: files under /, /healthz, /name (tells its name), X-Origin on answers, and your locations."""
        name = name or f'nginx{len(self.processes)}'
        server = self._origin(name, files, port, host)
        user = 'user root;' if os.geteuid() == 0 else ''
        config = NGINX.format(folder=server.folder, port=server.port, name=name, locations=locations, user=user, host=host)
        return self._begin(server, 'nginx.conf', config, lambda path: ['/usr/sbin/nginx', '-e', 'stderr', '-c', path])

    def apache(self, files=None, directives='', name=None, host='127.0.0.1', port=None):
        """A real Apache httpd (event MPM): files under /, X-Origin on answers, and your directives."""
        name = name or f'apache{len(self.processes)}'
        server = self._origin(name, files, port, host)
        user = 'User www-data\nGroup www-data' if os.geteuid() == 0 else ''
        config = APACHE.format(folder=server.folder, port=server.port, name=name, directives=directives, user=user,
                               host=host)
        return self._begin(server, 'httpd.conf', config,
                           lambda path: ['/usr/sbin/apache2', '-D', 'FOREGROUND', '-f', path])

    def _origin(self, name, files, port, host):
        folder = self.subfolder(name)
        self._files(folder, files or {})
        server = Server(name, [], folder)
        server.port, server.host = port or free_port(), host
        server.access_path = os.path.join(folder, 'access.log')
        return self.own(server)

    def _begin(self, server, file_name, config, command):
        path = os.path.join(server.folder, file_name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(config)
        server.argv = command(path)
        return self.restart(server)

    def restart(self, server):
        """Starts a server (again) and waits until it accepts."""
        server.start()
        wait_until(lambda: accepts(server.port, getattr(server, 'host', '127.0.0.1')),
                   what=lambda: f'{server.name} accepts: {server.output}')
        return server

    def portolan(self, config, name='portolan', start=True, **options):
        """A Portolan on a free port, ready. `{port}` in the text becomes that port; see Portolan.write.

        options go to Popen: user="nobody", preexec_fn=… for limits.
        """
        folder = self.subfolder(name)
        if 'user' in options:
            os.chown(folder, pwd.getpwnam(options['user']).pw_uid, -1)
        process = self.own(Portolan(folder, config, free_port(), free_port(), name, **options))
        return process.begin() if start else process

    def curl(self, *arguments, check=True, timeout=60):
        """Real curl, silent, standard output as bytes."""
        done = subprocess.run(['curl', '-sS', '--max-time', str(timeout), *map(str, arguments)], capture_output=True,
                              check=False)
        if check and done.returncode:
            self.fail(f'curl {arguments} exited {done.returncode}: {done.stderr.decode()}')
        return done.stdout if check else done

    def wrk(self, port, target='/', seconds=5, connections=64, timeout='10s', script=None):
        """Real wrk with one thread: a dictionary of requests, per_second, errors (sockets) and non2xx."""
        command = ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--timeout', timeout]
        command += ['-s', script] if script else []
        done = subprocess.run(command + [f'http://127.0.0.1:{port}{target}'], capture_output=True, text=True, check=False)
        if done.returncode:
            self.fail(f'wrk: {done.stdout}{done.stderr}')
        errors = re.search(r'Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)', done.stdout)
        bad = re.search(r'Non-2xx or 3xx responses: (\d+)', done.stdout)
        return {'requests': int(re.search(r'(\d+) requests in', done.stdout).group(1)),
                'per_second': float(re.search(r'Requests/sec:\s+([\d.]+)', done.stdout).group(1)),
                'errors': [int(n) for n in errors.groups()] if errors else [0, 0, 0, 0],
                'non2xx': int(bad.group(1)) if bad else 0, 'text': done.stdout}


def main():
    """Runs the file's tests; fails clearly where there is no binary."""
    if not os.access(BINARY, os.X_OK):
        sys.exit(f'{BINARY} is missing: ./dev build, or set PORTOLAN_BINARY')
    unittest.main(verbosity=2, warnings='ignore')
