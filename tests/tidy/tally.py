#!/usr/bin/env python3
"""Counts the single tests inside a CTest run. usage: tally.py JUNIT.xml [PRESET REPORT]      prints "PASSED FAILED"

CTest counts executables; the cases in them (GoogleTest, unittest) are what somebody reading a sum wants to know. What
failed is appended to REPORT, so that the end of a long run tells what went wrong and not only how often.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree


def count(output, failed):
    """(passed, failed) of one CTest test from what it printed."""
    googletest = re.search(r'^\[  PASSED  \] (\d+) tests?\.', output, re.MULTILINE)
    if googletest:
        bad = re.search(r'^\[  FAILED  \] (\d+) tests?, listed below', output, re.MULTILINE)
        good, bad = int(googletest.group(1)), int(bad.group(1)) if bad else 0
    elif re.search(r'^Ran \d+ tests? in ', output, re.MULTILINE):
        ran = int(re.search(r'^Ran (\d+) tests? in ', output, re.MULTILINE).group(1))
        bad = sum(int(n) for n in re.findall(r'(?:failures|errors|unexpected successes)=(\d+)',
                                             output[output.rindex('Ran '):]))
        good = max(ran - bad, 0)
    else:
        good, bad = (0, 1) if failed else (1, 0)
    if failed and bad == 0:
        bad = 1                                     # a crash after, or an exit code against, a clean summary
    if not failed and good + bad == 0:
        bad = 1                                     # nothing ran
    return good, bad


LINES = 40                                          # of a failure are repeated, and of what a test said last


def failures(output):
    """What a test that failed said of it: each case's own report, or its last lines where there is none."""
    parts = re.findall(r'^\[ RUN      \] (?:(?!^\[ RUN ).)*?^\[  FAILED  \] [^\n]*', output, re.MULTILINE | re.DOTALL)
    parts += re.findall(r'^={70}\n(?:FAIL|ERROR): .*?(?=^={70}$|^-{70}\nRan )', output, re.MULTILINE | re.DOTALL)
    shown = []
    for part in parts or [output]:
        lines = part.strip().splitlines()
        shown += lines if len(lines) <= LINES else lines[:4] + ['    …'] + lines[4 - LINES:]
    return shown


def tally(path, preset='', report=None):
    passed = failed = 0
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        output = case.findtext('system-out') or ''
        good, bad = count(output, case.get('status') != 'run')
        passed, failed = passed + good, failed + bad
        if bad and report:
            with open(report, 'a', encoding='utf-8') as to:
                print(f'\n{preset} {case.get("name")}: {bad} failed', *failures(output), sep='\n  ', file=to)
    return passed, failed


if __name__ == '__main__':
    print(*tally(*sys.argv[1:]))
