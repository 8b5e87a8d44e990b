"""The Debian package in a clean root: it installs, runs as its unit runs it, and goes. Needs root (debootstrap, chroot)."""
import contextlib
import glob
import hashlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import harness

CACHE = os.path.join(harness.ROOT, 'build/cache')
MINE = '/tmp/portolan-package-'


def run(*command, check=True, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if check and done.returncode:
        raise AssertionError(f'{shlex.join(command)} exited {done.returncode}:\n{done.stdout}')
    return done.stdout


def mirror():
    """The archive this machine installs from."""
    texts = []
    for path in ['/etc/apt/sources.list', *sorted(glob.glob('/etc/apt/sources.list.d/debian*'))]:
        with contextlib.suppress(OSError), open(path, encoding='utf-8') as file:
            texts.append(file.read())
    match = re.search(r'^(?:URIs:|deb )[^#\n]*?(https?://\S+)', '\n'.join(texts), re.MULTILINE)
    return match.group(1) if match else 'http://deb.debian.org/debian'


def clean_root(folder, packages):
    """A minimal Debian 12 with the packages, unpacked from a copy made once."""
    key = hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]
    kept = os.path.join(CACHE, f'root-{key}.tar')
    if not os.path.exists(kept):
        os.makedirs(CACHE, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=MINE) as fresh:
            run('debootstrap', '--variant=minbase', f'--include={",".join(packages)}', 'bookworm', fresh, mirror())
            for junk in glob.glob(f'{fresh}/var/cache/apt/archives/*.deb'):
                os.unlink(junk)
            run('tar', '-C', fresh, '--one-file-system', '-cf', kept + '.part', '.')
        os.rename(kept + '.part', kept)
    run('tar', '-C', folder, '-xf', kept)
    os.chmod(folder, 0o755)


def tree(root):
    """Every path in the root but what dpkg, the accounts and the caches of other tools keep."""
    skip = re.compile(r'/(proc|dev|sys|tmp|run)(/|$)|/var/(lib/dpkg|cache/(debconf|ldconfig|man)|log/(dpkg|alternatives)'
                      r'|log/apt|lib/apt|lib/systemd/deb-systemd-helper-enabled$|lib/systemd$)|/etc/(passwd|group|shadow'
                      r'|gshadow|subuid|subgid)-?$|/etc/(ld.so.cache|\.pwd.lock)|/etc/systemd/system/multi-user.target.wants$')
    found = set()
    for folder, below, names in os.walk(root):
        for name in below + names:
            path = os.path.join(folder, name)[len(root):]
            if not skip.match(path):
                found.add(path)
    return found


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        output = run(os.path.join(harness.ROOT, 'packaging/build.sh'), harness.BINARY)
        cls.package = os.path.join(harness.ROOT, output.strip().splitlines()[-1])
        cls.control = run('dpkg-deb', '--field', cls.package)
        depends = re.search(r'^Depends: (.*)$', cls.control, re.MULTILINE).group(1)
        cls.depends = sorted({part.split()[0] for part in depends.split(',')})
        cls.folder = tempfile.TemporaryDirectory(prefix=MINE)
        cls.root = cls.folder.name
        clean_root(cls.root, cls.depends)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def inside(self, *command, **options):
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C.UTF-8'}
        return run('chroot', self.root, *command, env=environment, **options)

    def path(self, name):
        return self.root + name

    def test_contents(self):
        listed = run('dpkg-deb', '--contents', self.package)
        for path in ('/usr/sbin/portolan', '/etc/portolan/portolan.toml', '/lib/systemd/system/portolan.service',
                     '/etc/logrotate.d/portolan', '/usr/share/man/man8/portolan.8.gz',
                     '/usr/share/man/man5/portolan.toml.5.gz', '/usr/share/doc/portolan/copyright'):
            self.assertRegex(listed, rf'root/root .* \.{re.escape(path)}\n')
        for library in ('libevent-core', 'libc-ares', 'libnghttp2', 'libmaxminddb', 'libsystemd'):
            self.assertTrue(any(name.startswith(library) for name in self.depends), self.depends)
        self.assertFalse([name for name in self.depends if name.endswith('-dev')])

    def test_no_link_of_the_documents_is_dead(self):
        listed = run('dpkg-deb', '--contents', self.package)
        folder = '/usr/share/doc/portolan/'
        pages = re.findall(rf' \.{folder}(\S+\.md)\n', listed)
        self.assertIn('docs/dns.md', pages)
        for page in pages:
            with open(os.path.join(harness.ROOT, page), encoding='utf-8') as file:
                # Not what stands in code: a regular expression may look like a link.
                text = re.sub(r'```.*?```|`[^`\n]*`', '', file.read(), flags=re.DOTALL)
            for link in re.findall(r'\]\((?!https?:)([^)#\s]+)', text):
                path = os.path.normpath(os.path.join(os.path.dirname(page), link))
                path = path.replace('conf/keepalived/', 'keepalived/')  # a symbolic link
                self.assertIn(f' .{folder}{path}', listed, page)

    def test_the_same_source_gives_the_same_package(self):
        def digest():
            with open(self.package, 'rb') as file:
                return hashlib.sha256(file.read()).hexdigest()
        first = digest()
        run(os.path.join(harness.ROOT, 'packaging/build.sh'), harness.BINARY)
        self.assertEqual(digest(), first)

    def test_unit_is_hardened(self):
        unit = os.path.join(harness.ROOT, 'packaging/portolan.service')
        output = run('systemd-analyze', 'security', '--no-pager', '--offline=true', unit, check=False)
        exposure = float(re.search(r'Overall exposure level for \S+: ([\d.]+)', output).group(1))
        self.assertLessEqual(exposure, 2.0, output)

    def test_man_pages_and_logrotate_are_sound(self):
        for page in ('portolan.8', 'portolan.toml.5'):
            path = os.path.join(harness.ROOT, 'packaging', page)
            self.assertEqual(run('groff', '-ww', '-man', '-Tutf8', '-z', path), '')
        self.assertIn('COMMANDS', run('man', '-l', os.path.join(harness.ROOT, 'packaging/portolan.8'),
                                      env={**os.environ, 'LC_ALL': 'C.UTF-8', 'MANPAGER': 'cat'}))
        with tempfile.TemporaryDirectory() as folder:
            # On this machine nobody is called portolan.
            with open(os.path.join(harness.ROOT, 'packaging/portolan.logrotate'), encoding='utf-8') as file:
                text = file.read().replace('portolan portolan', 'root root')
            path = os.path.join(folder, 'portolan')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            os.chmod(path, 0o644)
            output = run('logrotate', '--debug', '--state', os.path.join(folder, 'state'), path)
            self.assertNotIn('error', output.lower())
            self.assertIn('/var/log/portolan/*.log', output)

    def unit_values(self, key):
        with open(self.path('/lib/systemd/system/portolan.service'), encoding='utf-8') as file:
            return re.findall(rf'^{key}=(.*)$', file.read(), re.MULTILINE)

    def test_installs_runs_and_goes(self):
        before = tree(self.root)
        shutil.copy(self.package, self.path('/tmp/portolan.deb'))
        self.inside('dpkg', '-i', '/tmp/portolan.deb')
        self.assertIn('portolan', self.inside('getent', 'passwd', 'portolan'))
        self.inside('dpkg', '--verify', 'portolan')
        with open(self.path('/etc/portolan/portolan.toml'), 'rb') as shipped, \
                open(os.path.join(harness.ROOT, 'conf/portolan.toml'), 'rb') as ours:
            self.assertEqual(shipped.read(), ours.read())
        self.inside('/usr/sbin/portolan', 'check', '--config', '/etc/portolan/portolan.toml')
        self.run_as_the_unit_does()

        self.inside('dpkg', '--remove', 'portolan')
        left = {path for path in tree(self.root) - before if not os.path.isdir(self.path(path))}
        left = {path for path in left if not path.startswith(('/var/log/portolan/', '/etc/systemd/system/',
                                                              '/var/lib/systemd/deb-systemd-helper-'))}
        self.assertEqual(left, {'/etc/portolan/portolan.toml', '/etc/logrotate.d/portolan'}, 'remove keeps what was edited')
        self.inside('dpkg', '--purge', 'portolan')
        self.assertEqual(tree(self.root) - before, set(), 'purge leaves nothing')

    def run_as_the_unit_does(self):
        user = self.unit_values('User')[0]
        for name in ('Runtime', 'State', 'Cache', 'Logs'):
            base = {'Runtime': '/run', 'State': '/var/lib', 'Cache': '/var/cache', 'Logs': '/var/log'}[name]
            folder = f'{base}/{self.unit_values(name + "Directory")[0]}'
            self.inside('install', '-d', '-m', self.unit_values(name + 'DirectoryMode')[0], '-o', user, '-g', user, folder)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(self.path('/run/notify'))
        notify.settimeout(harness.START_S)
        os.chmod(self.path('/run/notify'), 0o666)
        run('mount', '-t', 'proc', 'proc', self.path('/proc'))
        self.addCleanup(run, 'umount', '--lazy', self.path('/proc'))
        # A network of its own; the unit's user with the unit's one capability, and no way to get more.
        capability = self.unit_values('AmbientCapabilities')[0].replace('CAP_', '').lower()
        privileges = ['setpriv', '--reuid', user, '--regid', self.unit_values('Group')[0], '--init-groups',
                      '--inh-caps', f'-all,+{capability}', '--ambient-caps', f'-all,+{capability}',
                      '--bounding-set', f'-all,+{capability}', '--no-new-privs']
        command = shlex.split(self.unit_values('ExecStart')[0])
        child = subprocess.Popen(
            ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh',
             'chroot', self.root, *privileges, *command],
            env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'NOTIFY_SOCKET': '/run/notify', 'WATCHDOG_USEC': '1000000'},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.hears(notify, 'READY=1', child)
            for host in ('127.0.0.1', '[::1]'):
                answer = run('nsenter', '--target', str(child.pid), '--net', 'curl', '-sS', '-i', f'http://{host}/')
                self.assertTrue(answer.startswith('HTTP/1.1 200'), answer)
                self.assertIn('Portolan', answer)
            with open(f'/proc/{child.pid}/status', encoding='ascii') as file:
                status = file.read()
            self.assertNotRegex(status, r'(?m)^Uid:\s+0')
            self.assertRegex(status, r'(?m)^CapEff:\s+0000000000000400$', 'CAP_NET_BIND_SERVICE alone')
            self.hears(notify, 'WATCHDOG=1', child)
            self.inside(*shlex.split(self.unit_values('ExecReload')[0]))
            self.hears(notify, 'RELOADING=1', child)
            self.hears(notify, 'READY=1', child)
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(harness.START_S), 0)
        finally:
            child.kill()
            output = child.communicate()[0].decode(errors='replace')
            notify.close()
            os.unlink(self.path('/run/notify'))
            if sys.exc_info()[0]:
                print(output, file=sys.stderr)

    def hears(self, notify, wanted, child):
        while True:
            try:
                message = notify.recv(4096).decode()
            except TimeoutError:
                self.fail(f'no {wanted}; exit status {child.poll()}')
            if wanted in message.split('\n'):
                return


if __name__ == '__main__':
    if os.geteuid() != 0:
        os.execvp('sudo', ['sudo', '-n', '-E', sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    harness.main()
