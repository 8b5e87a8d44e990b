"""What the tables of conformance are made of: conversations of one client with the edge before one origin.

    case('9111 §4.2.1', 's-maxage counts before max-age',
         asks('origin', says='Cache-Control: max-age=60, s-maxage=1'), 1.2, asks('origin'))

A step is a request, or seconds to wait. The first word of a request says where its answer must come from:

    origin     the origin was asked, without a condition, and its answer is what the client got
    store      the origin was not asked
    stale      the client got what is stored, the origin was asked meanwhile
    replaced   the origin was asked with a condition and sent a new answer, which is what the client got
    validated  the origin was asked with a condition and said 304; the client got what was stored
    edge       the origin was not asked, nor did the answer come from it (504, 304 to the client …)
    refused    the origin was asked; the client got nothing that was stored

Every answer of the origin has a body of its own, so that nothing passes for something else. Every case has a path of its
own: they run at the same time.
"""
import collections
import concurrent.futures
import email.utils
import re
import threading
import time

import harness

Request = collections.namedtuple('Request', 'method target fields')


def clock(text):
    """{now}, {now+60}, {now-5}: dates."""
    def date(match):
        return email.utils.formatdate(time.time() + int(match.group(1) or 0), usegmt=True)
    return re.sub(r'\{now([+-]\d+)?\}', date, text)


def lines(text, key=''):
    return [line.strip() for line in clock(text).replace('{key}', key).splitlines() if line.strip()]


class Asks:
    """One request, what the origin says if it is asked, and what must come of it."""

    def __init__(self, gets, says='', status=200, method='GET', path='', fields='', body=None, got=None, has='', lacks='',
                 seen='', unseen='', cut=False, short=False, interim='', close=False):
        self.gets, self.says, self.method, self.path = gets, says, method, path
        self.status = 304 if gets == 'validated' else status
        self.fields, self.body, self.has, self.lacks = fields, body, has, lacks
        self.seen, self.unseen = seen, unseen        # fields of the request as the origin saw it
        self.got = got                               # the status the client gets, where it isn't the origin's
        self.cut, self.short, self.close = cut, short, close        # the origin: no answer, half of one, no framing
        self.interim = interim                       # fields of a 103 before it


asks = Asks
Case = collections.namedtuple('Case', 'section what steps profiles')


def case(section, what, *steps, only=None):
    return Case(section, what, steps, (only,) if only else ('cdn-safe', 'rfc'))


class Script:
    """What the origin is to say to one case at present, and what it was asked."""

    def __init__(self):
        self.step, self.asked, self.bodies, self.lock = None, [], [], threading.Lock()


class Origin:
    def __init__(self):
        self.scripts = {}

    def serve(self, client, _):
        while True:
            request = Request(*client.request_head())
            client.request_body(request.fields)
            script = self.scripts[request.target.split('/')[1]]
            step = script.step
            with script.lock:
                script.asked.append(request)
                body = b'' if step.status in (204, 304) else b'answer %d of %s' % (len(script.asked), request.target.encode())
                script.bodies.append(body)
            if step.cut:
                return
            self.reply(client, request, step, body)
            if step.close or step.short:
                return

    @staticmethod
    def reply(client, request, step, body):
        head = ''
        if step.interim:
            head += 'HTTP/1.1 103 Early Hints\r\n' + ''.join(f'{line}\r\n' for line in lines(step.interim)) + '\r\n'
        head += f'HTTP/1.1 {step.status} Said\r\n' + ''.join(f'{line}\r\n' for line in lines(step.says, request.target.split('/')[1]))
        if step.status not in (204, 304) and not step.close:
            head += f'Content-Length: {len(body) + (9 if step.short else 0)}\r\n'
        client.send(head + '\r\n')
        if request.method != 'HEAD':
            client.send(body)


class Conversation:
    """Runs one case through one edge; says what went wrong, or nothing."""

    def __init__(self, case, edge, key, script):
        self.case, self.edge, self.key, self.script = case, edge, key, script
        self.faults = []

    def run(self):
        for number, step in enumerate(self.case.steps, 1):
            if isinstance(step, (int, float)):
                time.sleep(step)
                continue
            try:
                self.ask(step)
            except (AssertionError, OSError) as error:
                self.faults.append(f'{type(error).__name__}: {error}')
            if self.faults:
                return f'step {number} ({step.gets}): ' + '; '.join(self.faults)
        return None

    def ask(self, step):
        self.script.step, before = step, len(self.script.asked)
        fields = [tuple(part.strip() for part in line.split(':', 1)) for line in lines(step.fields)]
        interims = []
        with self.edge.client() as client:
            client.request(step.method, f'/{self.key}/{step.path}', 'test', fields, step.body)
            answer = client.answer(step.method, interims)
        if step.gets == 'stale':
            harness.wait_until(lambda: len(self.script.asked) > before, 5, 'the origin is asked meanwhile')
            time.sleep(0.1)
        self.where_from(step, answer, self.script.asked[before:])
        self.check_fields(step, answer)
        if step.interim:
            self.check(len(interims) == 1 and interims[0].status == 103, f'interims {interims}')
            for line in lines(step.interim):
                name, _, value = line.partition(': ')
                self.check(interims and interims[0].get(name) == value, f'the 103 lacks {line}')

    def check(self, good, what):
        if not good:
            self.faults.append(what)

    def where_from(self, step, answer, asked):
        conditional = any(name.lower() in ('if-none-match', 'if-modified-since') for r in asked for name, _ in r.fields)
        self.check(answer.status == (step.got or (200 if step.gets in ('validated', 'stale') else step.status)),
                   f'status {answer.status}')
        times = len(asked) > 0 if step.cut else len(asked) == (step.gets not in ('store', 'edge'))   # it may be tried again
        self.check(times, f'the origin was asked {len(asked)} times')
        if step.gets == 'origin':
            self.check(not conditional, 'the request had a condition')
        if step.gets in ('validated', 'replaced'):
            self.check(conditional, 'the request had no condition')
        if step.method != 'HEAD' and answer.status not in (204, 304):
            before = self.script.bodies[:len(self.script.asked) - len(asked)]
            if step.gets in ('origin', 'replaced'):
                self.check(answer.body == self.script.bodies[-1], f'body {answer.body}')
            if step.gets in ('store', 'stale', 'validated'):
                self.check(answer.body in before, f'body {answer.body}')
            if step.gets in ('edge', 'refused'):
                self.check(answer.body not in (before if step.gets == 'refused' else self.script.bodies), f'body {answer.body}')

    def check_fields(self, step, answer):
        for line in lines(step.has):
            name, _, value = line.partition(': ')
            said = answer.get(name)
            self.check(said is not None and (not value or re.search(value, said)), f'{name}: {said}, not {value}')
        for name in lines(step.lacks):
            self.check(answer.get(name) is None, f'{name}: {answer.get(name)}')
        if not (step.seen or step.unseen):
            return
        seen = harness.Answer(0, '', self.script.asked[-1].fields, b'')
        for line in lines(step.seen):
            name, _, value = line.partition(': ')
            self.check(seen.get(name) == value, f'the origin saw {name}: {seen.get(name)}, not {value}')
        for name in lines(step.unseen):
            self.check(seen.get(name) is None, f'the origin saw {name}: {seen.get(name)}')


def run(cases, edges, origin, at_once=48):
    """Every case with every profile it is for; the list of what went wrong."""
    conversations = []
    for case in cases:
        for profile in case.profiles:
            key = f'{profile}-{len(origin.scripts)}'
            script = origin.scripts[key] = Script()
            conversations.append((profile, Conversation(case, edges[profile], key, script)))
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(lambda each: each[1].run(), conversations))
    return [f'{profile}: {c.case.section}: {c.case.what}: {fault}'
            for (profile, c), fault in zip(conversations, results) if fault]
