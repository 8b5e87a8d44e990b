"""The tour of the demo checks what it shows; here it runs whole, and is shown something untrue."""
import os
import re
import signal
import subprocess
import sys

import harness

SCRIPT = os.path.join(harness.ROOT, 'conf/demo/run.py')


def command_lines():
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                with open(f'/proc/{entry}/cmdline', encoding='utf-8', errors='replace') as file:
                    yield file.read()
            except OSError:
                pass


class Demo(harness.Case):
    def demo(self, *options, binary=harness.BINARY):
        done = subprocess.run([sys.executable, SCRIPT, *options], cwd=harness.ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
                              env={**os.environ, 'PORTOLAN_BINARY': binary})
        self.nothing_is_left(done.stdout)
        return done

    def nothing_is_left(self, told):
        found = re.search(r'Everything is in (\S+)', told)
        self.assertTrue(found, told)
        folder = found.group(1)
        self.assertFalse(os.path.exists(folder))
        self.assertEqual([line for line in command_lines() if folder in line], [])

    def lying_binary(self, name, change):
        """A Portolan that runs the file `name` with a change, a sed script."""
        path = os.path.join(self.folder, 'portolan')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\ncase $3 in */{name}.toml) sed -i -e \'{change}\' "$3" ;; esac\n'
                       f'exec {harness.BINARY} "$@"\n')
        os.chmod(path, 0o755)
        return path

    def test_the_tour_is_true(self):
        done = self.demo('--tour')
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout.rstrip().splitlines()[-1], r'^Tour: 8 steps, \d+ truths checked, none untrue')
        self.assertEqual(done.stdout.count('✗'), 0)

    def test_untrue_dns_fails_the_tour(self):
        done = self.demo('--tour', binary=self.lying_binary('dns', 's/policy = "nearest"/policy = "failover"/'))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('✗ San Francisco: us-west', done.stdout)

    def test_an_edge_that_does_not_cache_fails_the_tour(self):
        done = self.demo('--tour', binary=self.lying_binary('east', '/^cache = /d'))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('✗ the first was fetched from a server and stored', done.stdout)

    def test_an_edge_that_does_not_retry_fails_the_tour(self):
        done = self.demo('--tour', binary=self.lying_binary('east', 's/^retry = .*/retry = { attempts = 0 }/'))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('✗ none of 300 requests failed', done.stdout)

    def test_ctrl_c_ends_everything(self):
        child = subprocess.Popen([sys.executable, SCRIPT], cwd=harness.ROOT, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True,
                                 env={**os.environ, 'PORTOLAN_BINARY': harness.BINARY})
        told = ''
        try:
            for line in child.stdout:
                told += line
                if line.startswith('Ctrl-C ends everything'):
                    break
            # What is printed to be tried is true as it stands.
            tried = [line.strip() for line in told.splitlines() if re.match(r' +(curl|dig|for) ', line)]
            self.assertGreater(len(tried), 8, told)
            for line in tried:
                done = subprocess.run(['/bin/sh', '-c', line], cwd=harness.ROOT, env={**os.environ, 'no_proxy': '*'},
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
                self.assertEqual((done.returncode, bool(done.stdout)), (0, True), line)
            child.send_signal(signal.SIGINT)
            told += child.communicate(timeout=30)[0]
            self.assertEqual(child.returncode, 0, told)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            child.stdout.close()
        self.nothing_is_left(told)


if __name__ == '__main__':
    harness.main()
