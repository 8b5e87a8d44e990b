#!/usr/bin/env python3
"""Every source is as clang-format leaves it. usage: format.py ROOT"""
import os
import re
import subprocess
import sys

from source import ROOMS_ABOVE, files, report

ENDINGS = ('.cc', '.hh')


def findings(root):
    paths = files(root, ROOMS_ABOVE + ('tests', 'bench'), ENDINGS)
    if not paths:
        return ['no sources found']
    found = {}
    for start in range(0, len(paths), 40):
        done = subprocess.run(['clang-format', '--dry-run', '-Werror', *paths[start:start + 40]], cwd=root,
                              stderr=subprocess.PIPE, text=True, check=False)
        for path, line in re.findall(r'^(\S+?):(\d+):\d+: error', done.stderr, re.MULTILINE):
            found.setdefault(os.path.normpath(path), []).append(line)
        if done.returncode and not found:
            return [done.stderr]
    return [f'{path}:{lines[0]}: {len(lines)} places not as clang-format leaves them (./dev format)'
            for path, lines in sorted(found.items())]


if __name__ == '__main__':
    report(findings(sys.argv[1]))
