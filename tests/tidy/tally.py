#!/usr/bin/env python3
"""Counts the single tests inside a CTest run. usage: tally.py JUNIT.xml      prints "PASSED FAILED"

CTest counts executables; the cases in them (GoogleTest, unittest) are what somebody reading a sum wants to know.
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


def tally(path):
    passed = failed = 0
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        good, bad = count(case.findtext('system-out') or '', case.get('status') != 'run')
        passed, failed = passed + good, failed + bad
    return passed, failed


if __name__ == '__main__':
    print(*tally(sys.argv[1]))
