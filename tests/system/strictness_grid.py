"""Runs the cases of strictness_cases.py against a forwarder: an origin that records every byte, a client of bytes, and what
came of each case. Used by strictness_test.py and strictness_peers.py."""
import contextlib
import socket
import threading
import time

import http2_frames as h2
import strict_http
from harness import free_port

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok'
REFUSED, NORMALISED, RAW, CHANGED, ACCEPTED, LOCAL = 'refused', 'normalised', 'raw', 'changed', 'accepted', 'answered itself'


class Recorder:
    """An origin that keeps what it is sent, a connection at a time, and answers every request it can read strictly.

    `script`: an Answer for the next request, and only that. `hold`: seconds between a request and its answer."""

    def __init__(self):
        self.port, self.lock = free_port(), threading.Lock()
        self.seen, self.early, self.script, self.hold = [], b'', None, 0
        self.scripted_closed = None                     # whether the forwarder closed the connection of the script
        self.listener = socket.create_server(('127.0.0.1', self.port), backlog=1024)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        record = bytearray()
        with self.lock:
            self.seen.append([record, 0])               # and how much of it was taken
        with peer, contextlib.suppress(OSError):
            at = 0
            while True:
                peer.settimeout(20)
                data = peer.recv(1 << 16)
                if not data:
                    return
                record += data
                while at < len(record):
                    try:
                        at = strict_http.request(bytes(record), at).end
                    except strict_http.Incomplete:
                        break
                    except strict_http.Malformed:
                        return self._end(peer, record)  # whatever it is, it has been passed on
                    if not self._answer(peer, record, at):
                        return

    def _answer(self, peer, record, at):
        """False: the connection is over."""
        if self.hold:
            self._listen(peer, record, self.hold)
            self.early += bytes(record[at:])
        with self.lock:
            script, self.script = self.script, None
        if script is None:
            peer.sendall(OK)
            return True
        peer.sendall(script.sent)
        with contextlib.suppress(OSError):              # refused already
            for piece in script.more:
                peer.sendall(piece)
                time.sleep(script.pause)
        if script.late:
            time.sleep(0.05)
            with contextlib.suppress(OSError):
                peer.sendall(script.late)
        if script.closes:
            return False
        before = len(record)
        if self._listen(peer, record, 1):
            self.scripted_closed = True
        elif len(record) == before:
            self.scripted_closed = False
        return not self.scripted_closed

    def _listen(self, peer, record, seconds):
        """Records for so long, or until the next bytes; True: the forwarder closed."""
        peer.settimeout(seconds)
        try:
            data = peer.recv(1 << 16)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        record += data
        return not data

    def _end(self, peer, record):
        with contextlib.suppress(OSError):
            peer.sendall(OK)
            while not self._listen(peer, record, 0.2):
                if len(record) > 1 << 20:
                    return

    def take(self):
        """What came since the last time: the bytes of each connection on which something came."""
        with self.lock:
            taken = [bytes(record[mark:]) for record, mark in self.seen if len(record) > mark]
            for each in self.seen:
                each[1] = len(each[0])
        self.early, self.script, self.scripted_closed = b'', None, None
        return taken


# ── the client ──────────────────────────────────────────────────────────────────────────────────────────────────────

def pieces_at(data, cuts):
    cuts = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in zip(cuts, cuts[1:]) if a != b]


def talk(port, pieces, silence=0.3, pause=0, most=10):
    """Sends the pieces; what came back until the end or `silence`, and whether the end came."""
    got = b''
    with contextlib.closing(socket.create_connection(('127.0.0.1', port), 10)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                client.sendall(piece)
                if pause:
                    time.sleep(pause)
        except OSError:
            pass                                        # refused already
        end = time.monotonic() + most
        client.settimeout(silence)
        try:
            while time.monotonic() < end:
                data = client.recv(1 << 16)
                if not data:
                    return got, True
                got += data
        except TimeoutError:
            return got, False
        except ConnectionResetError:
            return got, True
    return got, False


def status_of(got):
    return int(got[9:12]) if got[:7] == b'HTTP/1.' and got[9:12].isdigit() else None


def talk2(port, head, body=b'', silence=1.0):
    """A request in HTTP/2: its status, or what ended it ('reset', 'goaway', 'closed', 'silence')."""
    with h2.Frames(port, timeout=silence) as client, contextlib.suppress(OSError):
        try:
            client.send(h2.frame(h2.HEADERS, h2.END_HEADERS | (0 if body else h2.END_STREAM), 1, h2.block(*head)))
            if body:
                client.send(h2.frame(h2.DATA, h2.END_STREAM, 1, body))
            while True:
                kind, flags, _, payload = client.read()
                if kind == h2.SETTINGS and not flags & h2.ACK:
                    client.send(h2.frame(h2.SETTINGS, h2.ACK, 0))
                if kind == h2.HEADERS:
                    return status2(payload)
                if kind in (h2.RST_STREAM, h2.GOAWAY):
                    return 'reset' if kind == h2.RST_STREAM else 'goaway'
        except TimeoutError:
            return 'silence'
    return 'closed'


def status2(block):
    """Of a head's first field (RFC 7541 §6)."""
    while block[0] & 0xe0 == 0x20:                      # a table's new size
        block = block[1:]
    if block[0] & 0x80:
        return {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}.get(block[0] & 0x7f)
    size = block[1] & 0x7f
    return int(h2._digits(block[1:]) if block[1] & 0x80 else block[2:2 + size])


# ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────

def what_passed(connections):
    """What an origin got, judged: (RAW, why), (REFUSED, '') where nothing whole came, or (NORMALISED, messages)."""
    messages = []
    for data in connections:
        try:
            messages += strict_http.requests(data)
        except strict_http.Incomplete as cut:
            messages += cut.args[0]
        except strict_http.Malformed as why:
            return RAW, str(why)
    return (NORMALISED, messages) if messages else (REFUSED, '')


def settle(origin, least=0.02):
    """Waits until nothing more comes to the origin."""
    before = -1
    while (now := sum(len(record) for record, _ in origin.seen)) != before:
        before = now
        time.sleep(least)


def arrived(case, messages):
    """ACCEPTED, or CHANGED where none of the well-formed requests at the origin has the body and the fields it should have."""
    kept = [line.partition(b': ') for line in case.kept.encode('latin-1').split(b'\r\n') if line]
    for message in messages:
        there = {(name.lower(), value) for name, value in message.fields}
        whole = message.body == case.body and all((name.lower(), value) in there for name, _, value in kept)
        if whole and not any(message.all(name.encode()) for name in case.gone):
            return ACCEPTED
    return CHANGED


def run_request(port, origin, case, canary):
    """What a forwarder makes of a request: one of the words above."""
    origin.take()
    got, _ = talk(port, [case.sent + (canary if case.refuse else b'')], silence=0.4)
    settle(origin)
    outcome, messages = what_passed(origin.take())
    status = status_of(got)
    if outcome == REFUSED:
        return LOCAL if status and status < 400 else REFUSED
    if outcome == NORMALISED and (case.lawful or not case.refuse):
        return ACCEPTED if case.lawful else arrived(case, messages)
    return outcome


def run_answer(port, origin, case):
    """What a client gets of an answer, judged as a strict client would."""
    origin.take()
    origin.script = case
    got, closed = talk(port, [f'{case.method} /{case.number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'.encode()], silence=1.5)
    origin.take()
    if not got:
        return REFUSED
    try:
        answer = strict_http.response(got, closed, case.method.encode())
    except strict_http.Incomplete:
        return REFUSED
    except strict_http.Malformed:
        # An answer that breaks off amid its chunks is told from one that goes on with the fault.
        return REFUSED if case.in_body and case.sent.partition(b'\r\n\r\n')[2] not in got else RAW
    if int(answer.start[1]) >= 500 and answer.start[1] not in case.sent[:13]:
        return REFUSED
    return NORMALISED if case.refuse else ACCEPTED


def run_surplus(port, origin, case):
    origin.take()
    origin.script = case
    first, _ = talk(port, [f'{case.method} /{case.number} HTTP/1.1\r\nHost: a\r\n\r\n'.encode()], silence=0.4)
    both = first
    for _ in range(3):
        both += talk(port, [b'GET /2 HTTP/1.1\r\nHost: a\r\n\r\n'], silence=0.3)[0]
    origin.take()
    if b'smuggled' in both:
        return RAW
    return REFUSED if (status_of(first) or 502) >= 500 else NORMALISED


def run_upgrade(port, origin, case):
    origin.take()
    origin.hold = 0.3
    try:
        talk(port, [case.sent], silence=0.8)
        settle(origin)
        early = origin.early
    finally:
        origin.hold = 0
    outcome, _ = what_passed(origin.take())
    if early or outcome == RAW:
        return RAW
    return outcome


def run_head2(port, origin, case):
    origin.take()
    status = talk2(port, case.fields, case.body)
    settle(origin)
    outcome, messages = what_passed(origin.take())
    if outcome == REFUSED:
        return LOCAL if isinstance(status, int) and status < 400 else REFUSED
    return arrived(case, messages) if outcome == NORMALISED and not case.refuse else outcome
