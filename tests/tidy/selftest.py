#!/usr/bin/env python3
"""The checks of this folder against planted faults: each must be found, and a clean tree must pass."""
import os
import sys
import tempfile
import unittest

import features
import format as format_check
import layers
import sizes
import tally

HEADER = '#pragma once\n'
CLEAN = {
    'core/base/bytes.hh': HEADER + '#include <cstdint>\n',
    'core/base/clock.cc': '#include <time.h>\nint f() { return clock_gettime(0, nullptr); }\n',
    'core/base/log.cc': '#include <mutex>\n',
    'core/http/h1.hh': HEADER + '#include "core/base/bytes.hh"\n// #include <event2/event.h> and throw, in a comment\n',
    'core/loop/worker.cc': '#include <event2/event.h>\n#include <thread>\nconst char* s = "throw time(nullptr)";\n',
    'edge/cache.cc': '#include <mutex>\n\n#include "core/http/h1.hh"\n',
    'proxy/exchange.cc': '#include "edge/cache.hh"\n',
    'edge/cache.hh': HEADER,
    'docs/features.md': '| feature | key | test |\n|---|---|---|\n| a | `b` | `Suite.Name` `x_test.py::test_y` |\n',
    'tests/unit/a_test.cc': 'TEST(Suite, Name) {}\n',
    'tests/system/x_test.py': 'class X:\n    def test_y(self):\n',
    'ARCHITECTURE.md': '`core/base` `core/http` `core/loop` `edge` `proxy`\n',
}


def function(lines, head='int long_one(int a,\n             int b) {'):
    return head + '\n' + '  a += b;\n' * (lines - 1 - len(head.split('\n'))) + '}\n'


class Planted(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        for path, text in CLEAN.items():
            self.plant(path, text)

    def tearDown(self):
        self.folder.cleanup()

    def plant(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)

    def one(self, check, path, text, expected):
        self.plant(path, text)
        found = check.findings(self.root)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])
        self.assertTrue(found[0].startswith(path), found[0])

    def test_clean_tree_passes(self):
        for check in (layers, sizes, features):
            self.assertEqual(check.findings(self.root), [], check.__name__)

    def test_upward_include(self):
        self.one(layers, 'core/base/bytes.cc', '#include "core/http/h1.hh"\n', 'may not include core/http')

    def test_sideways_include(self):
        self.one(layers, 'edge/rules.cc', '\n#include "proxy/exchange.cc"\n', ':2: edge may not include proxy')

    def test_include_not_from_the_root(self):
        self.one(layers, 'edge/rules.cc', '#include "cache.hh"\n', 'not a path from the root')

    def test_unknown_room(self):
        self.one(layers, 'core/misc/a.cc', '', 'not a room')

    def test_library_without_its_owner(self):
        for header in ('event2/event.h', 'ares.h', 'openssl/ssl.h', 'maxminddb.h', 'toml++/toml.h', 'coroutine', 'regex'):
            with self.subTest(header):
                self.one(layers, 'proxy/a.cc', f'#include <{header}>\n', header)

    def test_lock_and_thread(self):
        for header in ('mutex', 'shared_mutex', 'condition_variable', 'thread'):
            with self.subTest(header):
                self.one(layers, 'proxy/a.cc', f'#include <{header}>\n', header)

    def test_socket_in_a_codec(self):
        self.one(layers, 'core/http/h1.cc', '#include <sys/socket.h>\n', 'no sockets')

    def test_heavy_header(self):
        self.one(layers, 'proxy/a.hh', HEADER + '#include <nlohmann/json.hpp>\n', 'heavy')

    def test_clock_and_entropy(self):
        for call in ('time(nullptr)', 'clock_gettime(0, &t)', 'std::chrono::steady_clock::now()', 'getrandom(p, 8, 0)'):
            with self.subTest(call):
                self.one(layers, 'edge/a.cc', f'auto t = {call};\n', 'core/base/clock')

    def test_member_named_time_is_no_clock(self):
        self.plant('edge/a.cc', 'auto t = record.time(); auto u = entry->time(0);\n')
        self.assertEqual(layers.findings(self.root), [])

    def test_throw(self):
        self.one(layers, 'edge/a.cc', 'void f() {\n  throw 1;\n}\n', 'a.cc:2: throw')

    def test_pragma_once(self):
        self.one(layers, 'edge/a.hh', 'int f();\n', 'pragma once')

    def test_long_file(self):
        self.plant('edge/a.cc', '\n' * 500)
        self.assertEqual(sizes.findings(self.root), [])
        self.one(sizes, 'edge/a.cc', '\n' * 501, '501 lines')

    def test_long_function(self):
        self.plant('edge/a.cc', 'namespace x {\n\n' + function(70) + function(70) + '}\n')
        self.assertEqual(sizes.findings(self.root), [])
        self.one(sizes, 'edge/a.cc', 'namespace x {\n\n' + function(20) + function(71) + '}\n', ':23: a function of 71')

    def test_long_member_function(self):
        body = ''.join('  ' + line + '\n' for line in function(80, 'int f(int a, int b) const {').splitlines())
        self.one(sizes, 'edge/a.hh', HEADER + 'class A {\n public:\n' + body + '};\n', ':4: a function of 80')

    def test_long_class_is_no_function(self):
        self.plant('edge/a.hh', HEADER + 'class A {\n' + '  int f();\n' * 100 + '};\n')
        self.assertEqual(sizes.findings(self.root), [])

    def test_marks(self):
        self.one(sizes, 'docs/a.md', 'later: TO' + 'DO\n', 'unfinished')

    def test_room_missing_in_architecture(self):
        self.plant('ARCHITECTURE.md', '`core/base` `core/http` `core/loop` `edge`\n')
        self.assertEqual(sizes.findings(self.root), ['ARCHITECTURE.md does not name `proxy`'])

    def test_feature_without_test(self):
        self.one(features, 'docs/features.md', '| cache | `cache` | |\n', 'no test for: cache')

    def test_feature_with_unknown_test(self):
        for name in ('Suite.Other', 'x_test.py::test_z', 'y_test.py::test_y'):
            with self.subTest(name):
                self.one(features, 'docs/features.md', f'| cache | `cache` | `{name}` |\n', f'no such test: {name}')

    def test_format(self):
        self.plant('.clang-format', 'BasedOnStyle: Google\n')
        self.plant('edge/a.cc', 'int  f( ){return 1 ;}\n')
        found = format_check.findings(self.root)
        self.assertTrue(any(finding.startswith('edge/a.cc:1:') for finding in found), found)


class Tally(unittest.TestCase):
    def test_counts(self):
        green = '[==========] 3 tests\n[  PASSED  ] 3 tests.\n'
        red = '[  PASSED  ] 2 tests.\n[  FAILED  ] 1 test, listed below:\n'
        self.assertEqual(tally.count(green, False), (3, 0))
        self.assertEqual(tally.count(red, True), (2, 1))
        self.assertEqual(tally.count(green, True), (3, 1))
        self.assertEqual(tally.count('Ran 5 tests in 1s\n\nOK\n', False), (5, 0))
        self.assertEqual(tally.count('Ran 5 tests in 1s\n\nFAILED (failures=1, errors=2)\n', True), (2, 3))
        self.assertEqual(tally.count('Segmentation fault', True), (0, 1))
        self.assertEqual(tally.count('', False), (1, 0))
        self.assertEqual(tally.count('[  PASSED  ] 0 tests.\n', False), (0, 1))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
