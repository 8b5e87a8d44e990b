"""The rows with TLS: HTTP/1.1 and HTTP/2 over it, handshakes, and gRPC passed on."""
import http.client
import os
import re
import shutil
import ssl
import subprocess
import time

from . import measure, peers
from .http import Row

GRPC_CALL = b'\0\0\0\0\x05hello'                   # a message behind its prefix


def certificate(folder):
    """Certificate and key of a P-256 key, in one file."""
    path = os.path.join(folder, 'server.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days',
                    '30', '-subj', '/CN=bench', '-keyout', path + '.key', '-out', path + '.crt'], check=True,
                   capture_output=True)
    with open(path, 'wb') as out:
        for part in ('.crt', '.key'):
            with open(path + part, 'rb') as file:
                out.write(file.read())
    return path


def check_tls(port, size):
    """The answer over TLS and HTTP/1.1 is a 200 of `size` bytes."""
    context = ssl._create_unverified_context()      # pylint: disable=protected-access
    connection = http.client.HTTPSConnection('127.0.0.1', port, timeout=5, context=context)
    try:
        connection.request('GET', '/o')
        answer = connection.getresponse()
        if (answer.status, len(answer.read())) != (200, size):
            raise measure.Absent(f'answers {answer.status}')
    except (OSError, http.client.HTTPException) as error:
        raise measure.Absent(f'no answer: {error!r}') from error
    finally:
        connection.close()


class TlsRow(Row):
    """HTTP/1.1 over TLS, by wrk."""

    @property
    def peers(self):
        return ['nginx', 'haproxy']

    def prepare(self, folder):
        self.certificate = certificate(folder)
        return super().prepare(folder)

    def check(self, port):
        check_tls(port, self.size)

    def load(self, pid, port, seconds, folder):
        return measure.wrk(pid, f'https://127.0.0.1:{port}/o', self.connections, seconds, folder)


def h2load(pid, url, connections, streams, seconds, *more):
    """One run of h2load. It tells no percentiles: what it says of a request's time stands for them."""
    done, spent = measure.timed(pid, ['h2load', '-t1', f'-c{connections}', f'-m{streams}', f'-D{seconds}', *more, url], seconds)
    counts = re.search(r'requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout', done.stdout)
    if not counts or not int(counts.group(1)):
        raise measure.Absent(f'h2load: {(done.stderr or done.stdout).strip()[:200]}')
    answered, failed, errored, timeout = map(int, counts.groups())
    least, most, mean = (_microseconds(text) for text in re.search(
        r'time for request:\s+(\S+)\s+(\S+)\s+(\S+)', done.stdout).groups())
    return {'cpu_us': spent / 1000 / answered, 'per_second': answered / seconds, 'p50_us': mean, 'p99_us': most,
            'p999_us': most, 'resident_kib': measure.resident_kib(pid), 'errors': failed + errored + timeout, 'least': least}


def _microseconds(text):
    number, unit = re.fullmatch(r'([\d.]+)(us|ms|s)', text).groups()
    return float(number) * {'us': 1, 'ms': 1e3, 's': 1e6}[unit]


class H2Row(TlsRow):
    """HTTP/2 over TLS, by h2load. The percentiles' columns hold the mean and the longest time."""

    def __init__(self, *arguments, streams, **options):
        super().__init__(*arguments, **options)
        self.streams = streams

    @property
    def setting(self):
        return f'{self.connections} connections of {self.streams} streams'

    def load(self, pid, port, seconds, _folder):
        return h2load(pid, f'https://127.0.0.1:{port}/o', self.connections, self.streams, seconds)


class Handshakes(TlsRow):
    """Connections one after another by `openssl s_time`, which does a handshake and leaves."""

    def __init__(self, *arguments, how, **options):
        super().__init__(*arguments, **options)
        self.how = how

    @property
    def setting(self):
        return {'-new': 'TLS 1.3, full', '-reuse': 'TLS 1.2, resumed'}[self.how]

    def load(self, pid, port, seconds, _folder):
        version = '-tls1_3' if self.how == '-new' else '-tls1_2'
        done, spent = measure.timed(pid, ['openssl', 's_time', '-connect', f'127.0.0.1:{port}', self.how, version, '-time',
                                          seconds], seconds)
        made = re.search(r'(\d+) connections in \d+ real seconds', done.stdout)
        if not made or not int(made.group(1)):
            raise measure.Absent(f'openssl s_time: {done.stderr.strip()[:200]}')
        count = int(made.group(1))
        each = seconds * 1e6 / count
        return {'cpu_us': spent / 1000 / count, 'per_second': count / seconds, 'p50_us': each, 'p99_us': each, 'p999_us': each,
                'resident_kib': measure.resident_kib(pid), 'errors': 0}


class Grpc(TlsRow):
    """Unary calls passed on in HTTP/2 to nghttpd, which answers as a gRPC server does: a message and a trailer."""

    @property
    def peers(self):
        return ['nginx', 'haproxy', 'nghttpx']

    @property
    def setting(self):
        return f'{self.connections} connections of 10 streams'

    def prepare(self, folder):
        self.certificate = certificate(folder)
        self.files = os.path.join(folder, 'www')
        os.mkdir(self.files)
        with open(os.path.join(self.files, 'o'), 'wb') as file:
            file.write(GRPC_CALL)
        self.call = measure.write(folder, 'call', GRPC_CALL.decode('latin-1'))
        port = measure.free_port()
        self.origin = measure.start(['nghttpd', '--no-tls', '--trailer=grpc-status: 0', '-a', '127.0.0.1', '-d', self.files,
                                     port], measure.LOAD_CORE, folder, 'origin')
        measure.wait_for_port(self.origin, port, os.path.join(folder, 'origin'))
        return port

    def command(self, server, task):
        if server == 'nghttpx':
            return [shutil.which('nghttpx', path='/usr/sbin:/usr/bin'), f'-f127.0.0.1,{task.port}',
                    f'-b127.0.0.1,{task.origin};;proto=h2', '--workers=1', '--errorlog-file=/dev/null', self.certificate,
                    self.certificate]
        return super().command(server, task)

    def check(self, port):
        time.sleep(0.2)

    def load(self, pid, port, seconds, _folder):
        return h2load(pid, f'https://127.0.0.1:{port}/o', self.connections, 10, seconds, '-d', self.call, '-H',
                      'content-type: application/grpc', '-H', 'te: trailers')


ROWS = [
    TlsRow('tls-cached-1KiB', 'cached', 1 << 10),
    H2Row('h2-cached-1KiB-16x10', 'cached', 1 << 10, 16, streams=10),
    H2Row('h2-cached-1KiB-64x1', 'cached', 1 << 10, 64, streams=1),
    Handshakes('tls-handshake-full', 'cached', 1 << 10, 1, how='-new'),
    Handshakes('tls-handshake-resumed', 'cached', 1 << 10, 1, how='-reuse', long=True),
    Grpc('grpc-unary', 'grpc', len(GRPC_CALL), 16),
]
