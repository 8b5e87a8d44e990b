"""The tour of the demo checks what it shows; here it runs whole."""
import os
import subprocess
import sys

import harness


class Demo(harness.Case):
    def test_the_tour_is_true(self):
        done = subprocess.run([sys.executable, os.path.join(harness.ROOT, 'conf/demo/run.py'), '--tour'], cwd=harness.ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
                              env={**os.environ, 'PORTOLAN_BINARY': harness.BINARY})
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('HIT', done.stdout.upper())


if __name__ == '__main__':
    harness.main()
