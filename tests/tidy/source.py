"""What the checks of this folder share: which files there are, and their text without comments and strings."""
import os
import re
import sys

ROOMS_ABOVE = ('core', 'edge', 'geodns', 'proxy', 'daemon')
TOKENS = re.compile(r'''//[^\n]*|/\*.*?\*/|R"([^()\\ ]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+\'''',
                    re.DOTALL)


def files(root, folders, endings):
    """Paths under the folders, relative to root, sorted."""
    found = []
    for folder in folders:
        for directory, below, names in os.walk(os.path.join(root, folder)):
            below[:] = [name for name in below if name != '__pycache__']
            found += [os.path.relpath(os.path.join(directory, name), root) for name in names if name.endswith(endings)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8', errors='replace') as file:
        return file.read()


def code_only(text):
    """The text with comments and the insides of strings blanked; line numbers stay."""
    def blank(match):
        token = match.group(0)
        if token.startswith('"') and text[text.rfind('\n', 0, match.start()) + 1:].lstrip().startswith('#include'):
            return token
        return re.sub(r'[^\n]', ' ', token)
    return TOKENS.sub(blank, text)


def report(findings):
    """Ends the check: prints what was found and exits 1 if anything was."""
    for finding in findings:
        print(finding)
    print(f'{len(findings)} findings')
    sys.exit(1 if findings else 0)
