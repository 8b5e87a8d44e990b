"""Hit ratios of the eviction policies on recorded traffic, held to a fifth of a point of tests/golden/hit_ratio.json.

Traces are taken from ../shared/data/traces, or from the folders that PORTOLAN_TRACES names with colons between them. What isn't
there isn't replayed; `hit_ratio_test.py --record` records anew what is.
"""
import json
import lzma
import os
import struct
import subprocess
import sys
import unittest

import harness

GOLDEN = os.path.join(os.path.dirname(__file__), '../golden/hit_ratio.json')
REPLAY = os.path.join(harness.ROOT, 'build/release/bench/replay_trace')
FOLDERS = os.environ.get('PORTOLAN_TRACES', os.path.join(harness.ROOT, '../shared/data/traces')).split(':')
FRACTIONS = ('0.01', '0.05', '0.1', '0.25')
TOLERANCE = 0.2                                                 # percentage points
UNIT = 1000                                                     # bytes of an object where the trace tells none


def numbers(data):
    """Little-endian words of 32 bits, an object each."""
    return ((number, UNIT) for number, in struct.iter_unpack('<I', data))


def timed_lines(data):
    """Lines of time, object and size."""
    return (map(int, line.split()[1:3]) for line in data.splitlines())


TRACES = {'web07': ('web07.trace.xz', numbers), 'web12': ('web12.trace.xz', numbers),
          'adaptsize': ('request.trace.xz', timed_lines)}


def replay(name):
    """{'policy' | 'cache': {policy: {percent: [objects, bytes]}}}, or None where the trace isn't."""
    file, read = TRACES[name]
    for folder in FOLDERS:
        path = os.path.join(folder, file)
        if os.path.exists(path):
            break
    else:
        return None
    with lzma.open(path) as packed:
        lines = ''.join(f'{key} {size}\n' for key, size in read(packed.read()))
    done = subprocess.run([REPLAY, *FRACTIONS], input=lines, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


def recorded():
    with open(GOLDEN, encoding='ascii') as file:
        return json.load(file)


class HitRatios(unittest.TestCase):
    measured = {}

    @classmethod
    def setUpClass(cls):
        cls.measured = {name: found for name in TRACES if (found := replay(name))}
        if RECORD:
            kept = {**(recorded() if os.path.exists(GOLDEN) else {}), **cls.measured}
            text = json.dumps(kept, indent=1).replace('[\n     ', '[').replace(',\n     ', ', ').replace('\n    ]', ']')
            with open(GOLDEN, 'w', encoding='ascii') as file:
                file.write(text + '\n')

    def rows(self):
        for trace, ways in self.measured.items():
            for way, policies in ways.items():
                yield trace, way, policies

    def test_are_as_recorded(self):
        self.assertLessEqual({'web07', 'web12'}, set(self.measured))
        golden = recorded()
        for trace, way, policies in self.rows():
            self.assertEqual(sorted(policies), sorted(golden[trace][way]), 'the policies have changed: --record')
            for policy, figures in policies.items():
                for percent, (objects, by_bytes) in figures.items():
                    with self.subTest(f'{trace}, {way}, {policy}, {percent} %'):
                        expected = golden[trace][way][policy][percent]
                        self.assertAlmostEqual(objects, expected[0], delta=TOLERANCE)
                        self.assertAlmostEqual(by_bytes, expected[1], delta=TOLERANCE)

    def test_s3_fifo_beats_lru_everywhere(self):
        for trace, way, policies in self.rows():
            for percent, (objects, by_bytes) in policies['s3-fifo'].items():
                with self.subTest(f'{trace}, {way}, {percent} %'):
                    self.assertGreater(objects, policies['lru'][percent][0])
                    if percent != '1':                          # there, small ones cost a third of a point of the bytes
                        self.assertGreater(by_bytes, policies['lru'][percent][1])

    def test_sizes_are_worth_more_objects_at_no_cost_in_bytes(self):
        """Of the recorded trace with sizes, at 5 %."""
        trace = (self.measured if 'adaptsize' in self.measured else recorded())['adaptsize']['policy']
        objects, by_bytes = trace['s3-fifo']['5']
        self.assertGreaterEqual(objects, 39.5)
        self.assertGreaterEqual(by_bytes, 33.5)


RECORD = '--record' in sys.argv
if __name__ == '__main__':
    sys.argv = [argument for argument in sys.argv if argument != '--record']
    unittest.main()
