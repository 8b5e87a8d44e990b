#!/usr/bin/env python3
"""Line coverage by gcov. usage: coverage.py BUILD PERCENT PREFIX...

Sums what every .gcda under BUILD saw of the sources whose path from the root begins with a PREFIX, one sum a PREFIX;
exits 1 where one is below PERCENT or has no lines at all.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile


def lines_seen(build, root, prefixes):
    """{path: {line: count}} over all object files."""
    seen = {}
    data = [os.path.join(folder, name) for folder, _, names in os.walk(build) for name in names
            if name.endswith('.gcda')]
    with tempfile.TemporaryDirectory() as work:
        for path in data:
            subprocess.run(['gcov', '--json-format', os.path.abspath(path)], cwd=work, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in os.listdir(work):
                with gzip.open(os.path.join(work, name)) as file:
                    for source in json.load(file)['files']:
                        merge(seen, root, prefixes, source)
                os.unlink(os.path.join(work, name))
    return seen


def merge(seen, root, prefixes, source):
    path = os.path.relpath(os.path.join(root, source['file']), root)
    if not path.startswith(tuple(prefixes)):
        return
    lines = seen.setdefault(path, {})
    for line in source['lines']:
        number = line['line_number']
        lines[number] = max(lines.get(number, 0), line['count'])


def main(build, least, prefixes):
    seen = lines_seen(build, os.getcwd(), prefixes)
    good = True
    for prefix in prefixes:
        total = covered = 0
        for path in sorted(p for p in seen if p.startswith(prefix)):
            hit = sum(1 for count in seen[path].values() if count)
            missed = sorted(number for number, count in seen[path].items() if not count)
            print(f'{path}: {hit}/{len(seen[path])}; not run: {" ".join(map(str, missed[:20]))}')
            total, covered = total + len(seen[path]), covered + hit
        percent = 100 * covered / total if total else 0
        print(f'{prefix}*: {percent:.1f} % of {total} lines (at least {least} %)')
        good = good and total > 0 and percent >= least
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
