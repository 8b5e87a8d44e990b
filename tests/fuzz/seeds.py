#!/usr/bin/env python3
"""Seeds for the HTTP/1 targets from the table of strictness: seeds.py FOLDER writes FOLDER/TARGET/… (./dev fuzz)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../system'))
import strictness_cases as cases


def write(folder, target, texts):
    path = os.path.join(folder, target)
    os.makedirs(path, exist_ok=True)
    for number, text in enumerate(texts):
        for first in b'\0\1':                          # the limits there are, and small ones
            with open(os.path.join(path, f'{number}-{first}'), 'wb') as file:
                file.write(bytes((first,)) + text)


def main():
    sent = [case.sent for case in cases.REQUESTS + cases.UPGRADES]
    write(sys.argv[1], 'h1_request', [text + cases.CANARY for text in sent])
    write(sys.argv[1], 'h1_response', [case.sent for case in cases.RESPONSES + cases.SURPLUS])
    write(sys.argv[1], 'h1_chunked', [text.partition(b'\r\n\r\n')[2] for text in sent if b'chunked' in text])


if __name__ == '__main__':
    main()
