"""The tour: every step asks with curl and dig, shows what came, and checks it. The first untruth ends it."""
import collections
import contextlib
import ipaddress
import math
import os
import re
import shlex
import subprocess
import time

from world import BINARY, DATACENTERS, ROOT, Failure, bold, clean_environment, dim, styled, wait_until

City = collections.namedtuple('City', 'network latitude longitude')
CITIES = {                                     # as `portolan geo-demo` places them: city N has 198.18.(8N).0/21
    'New York': City('198.18.0.0/24', 40.7128, -74.0060),
    'San Francisco': City('198.18.8.0/24', 37.7749, -122.4194),
    'London': City('198.18.80.0/24', 51.5074, -0.1278),
    'Sao Paulo': City('198.18.64.0/24', -23.5505, -46.6333),
    'Tokyo': City('198.18.216.0/24', 35.6762, 139.6503),
}
REQUESTS = 150                                 # of each of the two curls that go on while a server is killed
KILL_AFTER = 60
RATE = '75/s'
MOVED_S = 15                                   # far more than interval × fall, for a machine that has other things to do


def distance_km(a, b):
    phi, psi = math.radians(a.latitude), math.radians(b.latitude)
    half = (math.sin((psi - phi) / 2) ** 2
            + math.cos(phi) * math.cos(psi) * math.sin(math.radians(b.longitude - a.longitude) / 2) ** 2)
    return 2 * 6371 * math.asin(math.sqrt(half))


class Story:
    def __init__(self):
        self.began, self.steps, self.truths, self.asked = time.monotonic(), 0, 0, 0

    def step(self, title):
        self.steps += 1
        print(bold(f'\n{self.steps}. {title}'))

    def show(self, words, note=''):
        line = words if isinstance(words, str) else shlex.join(words)
        print(f'   $ {line}' + (dim(f'   # {note}') if note else ''))

    def run(self, words):
        """What a command says; a Failure where it fails."""
        self.asked += 1
        try:
            done = subprocess.run([BINARY, *words[1:]] if words[0].endswith('portolan') else words, cwd=ROOT,
                                  env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors='replace', timeout=30, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failure(f'no answer within 30 s: {shlex.join(words)}') from error
        if done.returncode != 0:
            raise Failure(f'{shlex.join(words)}: status {done.returncode}: {done.stdout.strip()}')
        return done.stdout

    def ask(self, words, note=''):
        """Shown with what came."""
        self.show(words, note)
        said = self.run(words)
        self.said(said)
        return said

    def said(self, text):
        for line in text.strip().splitlines():
            print(f'     {line}'.rstrip())

    def true(self, is_so, what):
        if not is_so:
            print(f'   {styled("31", "✗")} {what}')
            raise Failure(f'Untrue: {what}')
        self.truths += 1
        print(f'   {styled("32", "✓")} {what}')


class Tour:
    def __init__(self, world):
        self.world, self.story = world, Story()
        self.east, self.west = DATACENTERS['us-east'], DATACENTERS['us-west']

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────
    def dig(self, city):
        return [*self.world.dig_words.split(), 'www.demo.test', f'+subnet={CITIES[city].network}']

    def where(self, city):
        """The addresses a city gets, not shown."""
        return self.story.run(self.dig(city)).split()

    def who(self, url):
        return re.findall(r'Hello from ([\w-]+)\.', self.story.run(['curl', '-s', url]))

    def cities_get(self, expected, why):
        """expected: city → datacenter; each asked, shown and checked."""
        for city, name in expected.items():
            came = self.story.ask(self.dig(city), city).split()
            self.story.true(came == [DATACENTERS[name].address], f'{city}: {name}{why(city, name)}')

    def by_distance(self):
        return {city: min(DATACENTERS, key=lambda name: distance_km(place, DATACENTERS[name]))
                for city, place in CITIES.items()}

    def moves(self, since, expected, what):
        """Waits until every city gets what is expected, and tells how long after `since` that was."""
        def moved():
            return all(self.where(city) == [DATACENTERS[name].address] for city, name in expected.items())
        end = since + MOVED_S
        while not (so := moved()) and time.monotonic() < end:
            time.sleep(0.05)
        self.story.true(so, f'{what}, {time.monotonic() - since:.1f} s later')

    def kill(self, *names):
        for name in names:
            process = self.world.processes[name]
            self.story.show(f'kill -9 {process.pid}', name)
            process.kill()
        return time.monotonic()

    def start(self, *names):
        for name in names:
            process = self.world.processes[name]
            self.story.show([self.world.binary_words, 'run', '--config', process.config_path], name)
            process.start()
        return time.monotonic()

    def status(self, name):
        return self.story.ask([self.world.binary_words, 'status', '--admin', self.world.admin(name)])

    # ── the steps ───────────────────────────────────────────────────────────────────────────────────────────────
    def nearest(self):
        self.story.step('Five cities ask where www.demo.test is, and get the nearest datacentre')

        def why(city, name):
            far = max(distance_km(CITIES[city], site) for site in DATACENTERS.values())
            return f', {distance_km(CITIES[city], DATACENTERS[name]):,.0f} km away; the other is {far:,.0f} km away'
        expected = self.by_distance()
        self.cities_get(expected, why)
        self.story.true(set(expected.values()) == set(DATACENTERS), 'both datacentres have their cities')
        words = [word for word in self.dig('London') if word != '+short'] + ['+noall', '+comments']
        self.story.show(words, 'for whom is that answer good?')
        line = ''.join(re.findall(r'; CLIENT-SUBNET: .*', self.story.run(words)))
        self.story.said(line)
        scope = int((re.findall(r'/24/(\d+)$', line) or ['33'])[0])
        good_for = ipaddress.ip_network(f'198.18.80.0/{min(scope, 32)}', strict=False)
        alike = all(where == expected['London'] for city, where in expected.items()
                    if ipaddress.ip_network(CITIES[city].network).subnet_of(good_for))
        self.story.true(scope <= 21 and alike, f'for all of {good_for}, where everybody gets the same')

    def alternate(self):
        url = self.world.url(self.east.address) + '/'
        self.story.step('Requests to a datacentre take turns between its servers')
        self.story.show(f'for i in 1 2 3 4 5 6 7 8; do curl -s {url}; done')
        came = [name for _ in range(8) for name in self.who(url)]
        self.story.said('\n'.join(f'Hello from {name}.' for name in came))
        self.story.true(len(came) == 8 and {came.count(name) for name in self.east.servers} == {4},
                        'four requests each')
        self.story.true(all(one != other for one, other in zip(came, came[1:])), 'in turn')

    def hit(self):
        url = self.world.url(self.east.address) + '/files/harbours.txt'
        self.story.step('The second fetch comes from the cache')
        for what, pattern in (('the first was fetched from a server and stored', r'fwd=uri-miss\b.*\bstored\b'),
                              ('the second is a HIT: no server was asked', r'\bhit\b')):
            words = ['curl', '-s', '-D', '-', url]
            self.story.show(words)
            head, _, body = self.story.run(words).replace('\r\n', '\n').partition('\n\n')
            status = head.partition('\n')[0]
            noted = ''.join(re.findall(r'^cache-status: .*$', head, re.IGNORECASE | re.MULTILINE))
            self.story.said(f'{status}\n{noted}')
            with open(os.path.join(self.world.folder, 'www', 'harbours.txt'), encoding='utf-8') as file:
                same = body == file.read()
            self.story.true(' 200' in status and same and re.search(pattern, noted), what)

    def storm(self, name):
        """Two curls that go on while `name` is killed: the answers each got before and after."""
        url = f'{self.world.url(self.east.address)}/?[1-{REQUESTS}]'
        paths, curls = [], []
        with contextlib.ExitStack() as stack:
            for index, more in enumerate(([], ['-H', 'Connection: close'])):
                words = ['curl', '-sS', '--no-buffer', '--rate', RATE, '-w', '%{http_code}\\n', *more, url]
                self.story.show(' '.join(shlex.quote(word) for word in words) + ' &',
                                'a new connection each' if more else 'one connection')
                paths.append(os.path.join(self.world.folder, f'storm-{index}'))
                output = stack.enter_context(open(paths[-1], 'wb'))
                curls.append(subprocess.Popen(words, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=output,
                                              stderr=subprocess.STDOUT))

            def so_far():
                return [read(path).count('\n200\n') for path in paths]
            try:
                wait_until(lambda: min(so_far()) >= KILL_AFTER, 'requests on their way')
                self.kill(name)
                before = so_far()
                for curl in curls:
                    curl.wait(60)
            except subprocess.TimeoutExpired as error:
                raise Failure('the requests did not end within 60 s') from error
            finally:
                for curl in curls:
                    if curl.poll() is None:
                        curl.kill()
                        curl.wait()
        return [read(path) for path in paths], before

    def a_server_dies(self):
        first, second = self.east.servers
        self.story.step(f'{first} is killed under load, and nobody notices')
        said, before = self.storm(first)
        total = 2 * REQUESTS
        good = sum(len(re.findall(r'Hello from [\w-]+\.\n200\n', text)) for text in said)
        odd = [line for text in said for line in text.splitlines() if line != '200' and not line.startswith('Hello from ')]
        shares = {name: sum(text.count(f'Hello from {name}.') for text in said) for name in self.east.servers}
        self.story.said(f'{good} of {total} answered: {sum(before)} before, {good - sum(before)} after the kill; '
                        + ', '.join(f'{name} {count}' for name, count in shares.items()))
        self.story.true(good == total and not odd, f'none of {total} requests failed' + ''.join(f'\n     {o}' for o in odd[:5]))
        self.story.true(all(REQUESTS - count >= 50 for count in before), 'most of them came while it was dying or dead')
        self.story.true(shares[second] > shares[first] > 0, f'{second} took over')
        wait_until(lambda: re.search(r'127\.0\.0\.11:\d+ +down', self.story.run(
            [self.world.binary_words, 'status', '--admin', self.world.admin(self.east.edge)])), f'{first} seen down', MOVED_S)
        table = self.status(self.east.edge)
        self.story.true(re.search(r'127\.0\.0\.11:\d+ +down', table) and re.search(r'127\.0\.0\.12:\d+ +up', table),
                        f'the edge knows that {first} is down, and why')
        self.story.true(self.where('New York') == [self.east.address], 'one server is enough: DNS still names us-east')

    def the_server_returns(self):
        first = next(iter(self.east.servers))
        url = self.world.url(self.east.address) + '/'
        self.story.step(f'{first} is started again, and takes its turns')
        since = self.start(first)
        wait_until(lambda: first in self.who(url), f'{first} answers again', MOVED_S)
        took = time.monotonic() - since
        came = [name for _ in range(4) for name in self.who(url)]
        self.story.said('\n'.join(f'Hello from {name}.' for name in came))
        self.story.true(came.count(first) == 2, f'half of the requests are its again, {took:.1f} s after its start')
        self.world.await_all(MOVED_S)

    def servers_of_a_datacenter_die(self):
        self.story.step('Both servers of us-west are killed; its edge lives, and tells DNS')
        since = self.kill(*self.west.servers)
        expected = dict.fromkeys(CITIES, 'us-east')
        self.moves(since, expected, 'DNS names us-east to everybody')
        self.cities_get({city: name for city, name in expected.items() if self.by_distance()[city] == 'us-west'},
                        lambda city, name: ', the one that serves')
        table = self.status('dns')
        self.story.true(re.search(r'us-west +down .*peer west: 0 of 2 servers', table),
                        'DNS knows why: checks every 0.5 s, and two must fail')
        since = self.start(*self.west.servers)
        self.moves(since, self.by_distance(), 'every city has its nearest datacentre again')
        self.world.await_all(MOVED_S)

    def an_edge_dies(self):
        self.story.step('The edge of us-east is killed, and DNS moves everybody')
        since = self.kill(self.east.edge)
        expected = dict.fromkeys(CITIES, 'us-west')
        self.moves(since, expected, 'DNS names us-west to everybody')
        self.cities_get(expected, lambda city, name: '')
        address = ''.join(self.where('New York'))
        said = self.story.ask(['curl', '-s', self.world.url(address) + '/'], 'New York goes where it is told')
        self.story.true(re.search(r'from west-\d', said), 'and is answered')

    def the_edge_returns(self):
        self.story.step('The edge comes back, and so do its cities')
        since = self.start(self.east.edge)
        self.moves(since, self.by_distance(), 'DNS names the nearest to everybody again')
        self.cities_get(self.by_distance(), lambda city, name: '')
        said = self.story.ask(['curl', '-s', self.world.url(self.east.address) + '/'])
        self.story.true(re.search(r'from east-\d', said), 'and us-east answers')


def read(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


def walk(world):
    tour = Tour(world)
    for step in (tour.nearest, tour.alternate, tour.hit, tour.a_server_dies, tour.the_server_returns,
                 tour.servers_of_a_datacenter_die, tour.an_edge_dies, tour.the_edge_returns):
        step()
    story = tour.story
    print(bold(f'\nTour: {story.steps} steps, {story.truths} truths checked, none untrue, in '
               f'{time.monotonic() - story.began:.0f} s.'))
