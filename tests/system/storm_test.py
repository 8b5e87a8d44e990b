"""Under load: servers die, freeze and come back, the file is reloaded; and bodies larger than memory pass through."""
import os
import subprocess
import threading
import time

import harness

CONFIG = '''
[listener.http]
listen = ["127.0.0.1:{port}"]
[timeouts]
response = "1s"
[pool.app]
servers = [SERVERS]
health = { http = "/healthz", interval = "200ms", timeout = "200ms", fall = 2, rise = 1 }
[[route]]
pool = "app"
[[route]]
path = "/cached/"
pool = "app"
cache = "edge"
[cache.edge]
memory = "32 MiB"
'''


def config(*origins):
    return CONFIG.replace('SERVERS', ', '.join(f'"127.0.0.1:{origin.port}"' for origin in origins))


class Storm(harness.Case):
    def test_no_request_fails_but_those_already_answered_in_part(self):
        origins = [self.nginx() for _ in range(3)]
        edge = self.portolan(config(*origins))
        connections, result, done = 64, {}, threading.Event()

        def load():
            result.update(self.wrk(edge.port, '/name', harness.scale(10, 60), connections))
            done.set()
        thread = threading.Thread(target=load)
        thread.start()
        reloads = threading.Thread(target=self.reload_often, args=(edge, harness.scale(10, 50), done))
        reloads.start()
        for _ in range(harness.scale(2, 10)):
            origins[0].kill()
            time.sleep(1)
            self.restart(origins[0])
            time.sleep(1)
        for _ in range(harness.scale(1, 3)):
            origins[1].freeze()
            time.sleep(2)
            origins[1].thaw()
            time.sleep(1)
        thread.join()
        reloads.join()
        cut = edge.metric('portolan_responses_cut_total')
        errors, text = result['errors'], result['text'] + f'cut: {cut}'
        self.assertEqual((errors[0], errors[2], errors[3]), (0, 0, 0), text)
        self.assertLessEqual(errors[1] + result['non2xx'], cut, text)
        self.assertEqual((self.reloads, self.failures), (harness.scale(10, 50), 0), 'reloads, and those that failed')
        self.assertEqual(edge.output.count('event=reloaded'), self.reloads)
        dropped = edge.metric('portolan_access_log_dropped_total')
        edge.stop()
        with open(edge.access_path, 'rb') as file:
            logged = sum(1 for _ in file)
        self.assertAlmostEqual(logged + dropped, result['requests'], delta=connections)

    def reload_often(self, edge, times, done):
        self.failures = self.reloads = 0
        for _ in range(times):
            self.reloads += 1
            self.failures += edge.command('reload', check=False).returncode != 0
            if done.wait(0.5):
                return


class Memory(harness.Case):
    def test_large_bodies_pass_through_a_little_memory(self):
        size = harness.scale(256 << 20, 5 << 30)

        def sparse(path):
            with open(path, 'wb') as file:
                file.truncate(size)
        edge = self.portolan(config(self.nginx({'big': sparse, 'cached/big': sparse})))
        url = f'http://127.0.0.1:{edge.port}'
        fetches = [subprocess.Popen(['curl', '-sS', '-o', '/dev/null', '-w', '%{size_download}', f'{url}{path}'],
                                    stdout=subprocess.PIPE, text=True) for path in ['/big'] * 7 + ['/cached/big']]
        slow = subprocess.Popen(['curl', '-sS', '-o', '/dev/null', '--limit-rate', '1M', '--max-time',
                                 str(harness.scale(5, 60)), f'{url}/big'], stderr=subprocess.DEVNULL)
        self.assertEqual([fetch.communicate()[0] for fetch in fetches], [str(size)] * 8)
        slow.wait()
        self.assertLess(edge.memory_kib('VmHWM'), 96 << 10)
        self.assertEqual(edge.get('/name').status, 200)
        self.assertLess(len(os.listdir(f'/proc/{edge.pid}/fd')), 100, 'descriptors are given back')


if __name__ == '__main__':
    harness.main()
