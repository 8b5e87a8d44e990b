#!/usr/bin/env python3
"""How large things may grow, and what may not be left lying about. usage: sizes.py ROOT

A file over 500 lines or a function over 70 is a sign of a missing noun. Functions are found by clang-format's layout:
a definition's closing brace stands alone under the column where it began.
"""
import os
import re
import sys

from layers import MAY_INCLUDE
from source import ROOMS_ABOVE, code_only, files, read, report

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 70
NOT_A_FUNCTION = re.compile(r'\s*(namespace|class|struct|enum|union|extern|template|public|private|protected|#|})')
MARKS = re.compile(r'\b(TO' r'DO|FIX' r'ME|X' r'XX|HA' r'CK)\b')
MACHINE = re.compile(r'/(work)/(main|shared)|/(root)/')
TEXTS = ('.cc', '.hh', '.py', '.md', '.sh', '.toml', '.txt', '.service', '.cmake')


def long_functions(text):
    """(line, length) of every function longer than allowed."""
    opened = {}                                                   # column → line number of the definition's first line
    for number, line in enumerate(code_only(text).splitlines(), 1):
        if not line.strip():
            continue
        column = len(line) - len(line.lstrip())
        if line.strip() in ('}', '};', '});') and column in opened:
            start, head = opened.pop(column)
            if number - start + 1 > MOST_LINES_OF_A_FUNCTION and '(' in head:
                yield start, number - start + 1
        elif column in (0, 2, 4) and not line.strip().startswith('}'):
            if NOT_A_FUNCTION.match(line):
                opened.pop(column, None)
            elif column not in opened or not opened[column][1].rstrip().endswith('{'):
                opened[column] = (number, line)
            # A definition's head may take several lines: the last of them ends with the brace.
            if column in opened and line.rstrip().endswith('{'):
                opened[column] = (opened[column][0], opened[column][1].rstrip() + ' {')
            elif column in opened and line.rstrip().endswith((';', '}')):
                opened.pop(column)


def architecture(root):
    path = os.path.join(root, 'ARCHITECTURE.md')
    if not os.path.exists(path):
        return ['ARCHITECTURE.md is missing']
    text = read(root, 'ARCHITECTURE.md')
    rooms = [room for room in MAY_INCLUDE if os.path.isdir(os.path.join(root, room))]
    return [f'ARCHITECTURE.md does not name `{room}`' for room in rooms if f'`{room}`' not in text]


def findings(root):
    found = []
    for path in files(root, ROOMS_ABOVE, ('.cc', '.hh')):
        text = read(root, path)
        lines = text.count('\n')
        if lines > MOST_LINES:
            found.append(f'{path}: {lines} lines, at most {MOST_LINES}')
        found += [f'{path}:{line}: a function of {length} lines, at most {MOST_LINES_OF_A_FUNCTION}'
                  for line, length in long_functions(text)]
    everywhere = files(root, ROOMS_ABOVE + ('tests', 'bench', 'conf', 'docs', 'packaging'), TEXTS)
    everywhere += [path for path in ('dev', 'README.md', 'ARCHITECTURE.md', 'CMakeLists.txt')
                   if os.path.exists(os.path.join(root, path))]
    for path in everywhere:
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if MARKS.search(line):
                found.append(f'{path}:{number}: a mark of unfinished work')
            if MACHINE.search(line) and not path.startswith('tests/tidy/'):
                found.append(f"{path}:{number}: a path of somebody's machine")
    return found + architecture(root)


if __name__ == '__main__':
    report(findings(sys.argv[1]))
