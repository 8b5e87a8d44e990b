#!/usr/bin/env python3
"""Every row of docs/features.md names a test that exists. usage: features.py ROOT

A test is written `Suite.Name` (GoogleTest), `file_test.py::test_name` (tests/system, tests/conformance), or as CTest knows it
(`tidy_layers`, `fuzz_replay_h1`).
"""
import os
import re
import sys

from source import files, read, report

GTEST = re.compile(r'\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)')
PYTHON = re.compile(r'^\s*def (test_\w+)\(', re.MULTILINE)


def known_tests(root):
    known = {f'tidy_{name}' for name in ('format', 'layers', 'sizes', 'features', 'selftest', 'bench')}
    for path in files(root, ['tests'], ('.cc',)):
        text = read(root, path)
        known |= {f'{suite}.{name}' for suite, name in GTEST.findall(text)}
        if path.endswith('_fuzz.cc'):
            known.add('fuzz_replay_' + os.path.basename(path)[:-len('_fuzz.cc')])
    for path in files(root, ['tests/system', 'tests/conformance'], ('_test.py',)):
        name = os.path.basename(path)
        known |= {f'{name}::{test}' for test in PYTHON.findall(read(root, path))}
    return known


def findings(root):
    if not os.path.exists(os.path.join(root, 'docs/features.md')):
        return ['docs/features.md is missing']
    known, found, rows = known_tests(root), [], 0
    for number, line in enumerate(read(root, 'docs/features.md').splitlines(), 1):
        cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)]
        if len(cells) != 5 or cells[1].lower() == 'feature' or set(cells[1]) <= set('-: '):
            continue
        rows += 1
        named = re.findall(r'`([^`]+)`', cells[3])
        if not named:
            found.append(f'docs/features.md:{number}: no test for: {cells[1]}')
        found += [f'docs/features.md:{number}: no such test: {test}' for test in named if test not in known]
    if rows == 0:
        found.append('docs/features.md: no rows')
    return found


if __name__ == '__main__':
    report(findings(sys.argv[1]))
