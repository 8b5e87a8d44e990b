"""Two nodes share an address by keepalived, each in a network namespace of its own; a third is the client. What a move of
the address costs is counted: when the daemon dies, when the node dies, and when a node leaves of its own will.

The keepalived files are those that ship (conf/keepalived). Needs root for the namespaces.
"""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import harness

ADDRESS = '192.0.2.100'
HERE = os.path.dirname(os.path.abspath(__file__))


def ip(*words, check=True):
    done = subprocess.run(['ip', *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f'ip {" ".join(words)}: {done.stderr.strip()}')
    return done.stdout


def why_not():
    if os.geteuid() != 0:
        return 'network namespaces need root'
    name = f'portolan-{os.getpid()}-try'
    try:
        ip('netns', 'add', name)
    except OSError as error:
        return f'no network namespace can be made here: {error}'
    ip('netns', 'del', name)
    return None


WHY_NOT = why_not()
GIVES_UP_S = 5                                             # a request without an answer; above the longest gap allowed

CONFIG = '''
[server]
name = "{name}"
workers = 2
admin = "unix:{folder}/admin.sock"
metrics = "127.0.0.1:9145"
shutdown_delay = "4s"
[log]
access = { path = "off" }
[listener.http]
listen = ["192.0.2.100:80"]
freebind = true
[pool.app]
servers = ["192.0.2.4:8080"]
required = true
health = { http = "/healthz", interval = "200ms", timeout = "200ms", rise = 1, fall = 2 }
[[route]]
pool = "app"
'''


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Failover(harness.Case):
    def setUp(self):
        super().setUp()
        self.prefix = f'pt{os.getpid() % 100000}'
        self.keepalived, self.nodes = {}, {}
        for name in ('lan', 'edge-1', 'edge-2', 'client'):
            ip('netns', 'add', self.space(name))
            self.addCleanup(ip, 'netns', 'del', self.space(name), check=False)
            self.inside(name, 'ip', 'link', 'set', 'lo', 'up')
        self.inside('lan', 'ip', 'link', 'add', 'lan', 'type', 'bridge', 'forward_delay', '0')
        for number, name in ((1, 'edge-1'), (2, 'edge-2'), (3, 'client')):
            ip('link', 'add', 'eth0', 'netns', self.space(name), 'type', 'veth', 'peer', 'name', f'port{number}', 'netns',
               self.space('lan'))
            self.inside('lan', 'ip', 'link', 'set', f'port{number}', 'master', 'lan', 'up')
            self.inside(name, 'ip', 'address', 'add', f'192.0.2.{number}/24', 'dev', 'eth0')
            self.inside(name, 'ip', 'link', 'set', 'eth0', 'up')
        self.inside('lan', 'ip', 'address', 'add', '192.0.2.4/24', 'dev', 'lan')
        self.inside('lan', 'ip', 'link', 'set', 'lan', 'up')
        self.origin()
        for name in ('edge-1', 'edge-2'):
            self.nodes[name] = self.node(name)
        harness.wait_until(self.holder, 20, 'a node has the address')
        harness.wait_until(lambda: self.curl_status() == '200', 20, 'the address answers')

    def tearDown(self):
        for node in self.nodes.values():
            node.kill()                                    # rather than wait for its shutdown_delay
        super().tearDown()

    def space(self, name):
        return f'{self.prefix}-{name}'

    def inside(self, name, *command, check=True):
        done = subprocess.run(['ip', 'netns', 'exec', self.space(name), *map(str, command)], capture_output=True,
                              text=True, check=False)
        if check and done.returncode:
            raise OSError(f'{command} in {name}: {done.stdout}{done.stderr}')
        return done.stdout

    def process(self, name, space, command, folder):
        return self.own(harness.Process(name, ['ip', 'netns', 'exec', self.space(space), *command], folder))

    def origin(self):
        folder = self.subfolder('origin')
        os.makedirs(os.path.join(folder, 'www'))
        path = os.path.join(folder, 'nginx.conf')
        with open(path, 'w', encoding='ascii') as file:
            file.write(harness.NGINX.format(folder=folder, host='192.0.2.4', port=8080, name='origin', locations='',
                                            user='user root;'))
        self.process('origin', 'lan', ['/usr/sbin/nginx', '-e', 'stderr', '-c', path], folder).start()

    def node(self, name):
        folder = self.subfolder(name)
        edge = harness.Portolan(folder, CONFIG, 80, 9145, name)
        edge.argv = ['ip', 'netns', 'exec', self.space(name), *edge.argv]
        self.own(edge).start()
        conf = os.path.join(folder, 'keepalived.conf')
        with open(os.path.join(harness.ROOT, f'conf/keepalived/{name}.conf'), encoding='utf-8') as shipped, \
                open(conf, 'w', encoding='utf-8') as file:
            file.write(shipped.read())
        pids = [f'--{kind}={folder}/{kind}' for kind in ('pid', 'vrrp_pid', 'checkers_pid')]
        keeper = self.process('keepalived', name, ['/usr/sbin/keepalived', '--dont-fork', '--log-console', '--vrrp',
                                                   f'--use-file={conf}', *pids], folder)
        self.keepalived[name] = keeper.start()
        return edge

    def holder(self):
        """The node that has the address, or None where it is nobody's or on its way."""
        having = [name for name in self.keepalived
                  if ADDRESS in self.inside(name, 'ip', '-4', 'address', 'show', 'dev', 'eth0', check=False)]
        return having[0] if len(having) == 1 else None

    def curl_status(self):
        return self.inside('client', 'curl', '-s', '-o', '/dev/null', '-m', '1', '-w', '%{http_code}',
                           f'http://{ADDRESS}/name', check=False)

    @contextlib.contextmanager
    def clients(self, per_second=200):
        """A steady load while the body runs and a little longer; afterwards what it lost is in the dictionary."""
        loss = {}
        client = subprocess.Popen(
            ['ip', 'netns', 'exec', self.space('client'), sys.executable, os.path.join(HERE, 'paced_client.py'), ADDRESS,
             '80', '16', str(per_second), str(GIVES_UP_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(1.5)
            yield loss
            time.sleep(2)
            loss.update(json.loads(client.communicate(timeout=30)[0]))
        finally:
            client.kill()
            client.wait()
        print(f'  {self.id().rpartition(".")[2]}: {loss}', file=sys.stderr)

    def moved(self, old, timeout=10):
        return harness.wait_until(lambda: self.holder() not in (None, old) and self.holder(), timeout,
                                  lambda: f'the address leaves {old}: {self.keepalived[old].output[-2000:]}')

    def other(self, name):
        return 'edge-2' if name == 'edge-1' else 'edge-1'

    def seen_ready(self, name):
        """keepalived has seen it ready as often as it wants to."""
        script, told = 'VRRP_Script(portolan)', self.keepalived[name].output
        return script in told and 'succeeded' in told[told.rindex(script):].splitlines()[0]

    def wait_ready(self, name):
        harness.wait_until(lambda: self.inside(name, 'curl', '-s', '-m', '1', 'http://127.0.0.1:9145/ready', check=False)
                           == 'ready\n', 20, lambda: f'{name} is ready: {self.nodes[name].output[-2000:]}')
        harness.wait_until(lambda: self.seen_ready(name), 20, lambda: f'keepalived sees it: {self.keepalived[name].output}')

    def test_a_daemon_that_dies_costs_about_a_second(self):
        active = self.holder()
        self.wait_ready(self.other(active))
        with self.clients() as loss:
            self.nodes[active].kill()
            self.assertEqual(self.moved(active), self.other(active))
        self.assertLess(loss['gap_ms'], 3_000, loss)
        self.assertLessEqual(loss['failed'], 200 * 3, loss)
        self.assertGreater(loss['nodes'].get(self.other(active), 0), 200, loss)
        # It comes back and moves nothing.
        self.nodes[active].start()
        self.wait_ready(active)
        with self.clients() as loss:
            pass
        self.assertEqual((loss['failed'], self.holder()), (0, self.other(active)), loss)

    def test_a_node_that_dies_costs_about_a_second(self):
        active = self.holder()
        self.wait_ready(self.other(active))
        with self.clients() as loss:
            number = active[-1]
            self.inside('lan', 'ip', 'link', 'set', f'port{number}', 'down')
            self.keepalived[active].kill()
            self.nodes[active].kill()
            self.inside(active, 'ip', 'address', 'flush', 'dev', 'eth0')
            self.assertEqual(self.moved(active), self.other(active))
        self.assertLess(loss['gap_ms'], 4_000, loss)
        # At most one of each client: the request that was under way, and gives up after GIVES_UP_S.
        self.assertLessEqual(loss['failed'], 16, loss)

    def test_a_node_that_leaves_costs_nothing(self):
        active = self.holder()
        self.wait_ready(self.other(active))
        with self.clients() as loss:
            self.nodes[active].command('drain', 'node')
            self.assertEqual(self.moved(active), self.other(active))
        self.assertEqual(loss['failed'], 0, loss)
        self.assertLess(loss['gap_ms'], 4_000, loss)
        self.assertGreater(loss['nodes'].get(self.other(active), 0), 200, loss)
        # And back again.
        self.nodes[active].command('enable', 'node')
        self.wait_ready(active)
        with self.clients() as loss:
            self.nodes[self.other(active)].command('drain', 'node')
            self.assertEqual(self.moved(self.other(active)), active)
        self.assertEqual(loss['failed'], 0, loss)

    def test_a_daemon_that_is_stopped_costs_nothing(self):
        active = self.holder()
        self.wait_ready(self.other(active))
        with self.clients() as loss:
            self.nodes[active].signal(signal.SIGTERM)
            self.assertEqual(self.moved(active), self.other(active))
            self.assertEqual(self.nodes[active].wait(), 0)
        self.assertEqual(loss['failed'], 0, loss)
        self.assertLess(loss['gap_ms'], 4_000, loss)

    def test_a_node_that_leaves_under_wrk_costs_nothing(self):
        active = self.holder()
        self.wait_ready(self.other(active))
        wrk = subprocess.Popen(['ip', 'netns', 'exec', self.space('client'), 'wrk', '-t1', '-c16', '-d7s', '--timeout',
                                '10s', f'http://{ADDRESS}/name'], stdout=subprocess.PIPE, text=True)
        self.addCleanup(wrk.kill)
        time.sleep(1.5)
        self.nodes[active].command('drain', 'node')
        self.assertEqual(self.moved(active), self.other(active))
        text = wrk.communicate(timeout=30)[0]
        print(text, file=sys.stderr)
        self.assertNotIn('Socket errors', text)
        self.assertNotIn('Non-2xx', text)
        self.assertGreater(int(re.search(r'(\d+) requests in', text).group(1)), 1000, text)


if __name__ == '__main__':
    harness.main()
