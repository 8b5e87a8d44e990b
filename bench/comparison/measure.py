"""Processes, their CPU time and memory, and one timed run of wrk. Nothing here knows a peer or a row."""
import contextlib
import fcntl
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, 'build/release')
BINARY = os.environ.get('PORTOLAN_BINARY', os.path.join(BUILD, 'portolan'))
SERVER_CORE, LOAD_CORE = 0, os.cpu_count() - 1
_running = []
_LATENCY = '''
done = function(s, l, r)
  io.write(string.format("PORTOLAN %d %d %f %f %f %d %d\\n", s.requests, s.duration, l:percentile(50),
    l:percentile(99), l:percentile(99.9), s.errors.status,
    s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
'''


class Absent(Exception):
    """A peer that can't take part, and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def write(folder, name, text):
    """The path of a new file below `folder`."""
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)
    return path


def start(command, core, folder, output):
    """A process group pinned to `core`; stop_all() ends it whatever happens."""
    with open(os.path.join(folder, output), 'ab') as out:
        child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    _running.append(child)
    return child


def stop(child):
    with contextlib.suppress(ProcessLookupError):
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(3)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    _running.remove(child)


def stop_all():
    for child in list(_running):
        stop(child)


def family(pid):
    """The process and all below it."""
    found = [pid]
    for task in os.listdir(f'/proc/{pid}/task'):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/task/{task}/children', encoding='ascii') as file:
            for child in file.read().split():
                found += family(int(child))
    return found


def cpu_ns(pid):
    """User and system time of every thread of the family, as the scheduler accounts it; or of every process in ticks,
    where that is more: threads that have ended are in it."""
    threads, ticks, tasks = 0, 0, []
    for process in family(pid):
        with contextlib.suppress(OSError), open(f'/proc/{process}/stat', encoding='utf-8', errors='replace') as file:
            ticks += sum(map(int, file.read().rpartition(')')[2].split()[11:13]))
        with contextlib.suppress(OSError):
            tasks = os.listdir(f'/proc/{process}/task')
        for task in tasks:
            with contextlib.suppress(OSError), open(f'/proc/{process}/task/{task}/schedstat', encoding='ascii') as file:
                threads += int(file.read().split()[0])
    return threads, ticks * 1_000_000_000 // os.sysconf('SC_CLK_TCK')


def resident_kib(pid):
    total = 0
    for process in family(pid):
        with contextlib.suppress(OSError), open(f'/proc/{process}/status', encoding='ascii') as file:
            if found := re.search(r'VmRSS:\s+(\d+)', file.read()):    # one that has ended has none
                total += int(found.group(1))
    return total


def last_line(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return (file.read().strip().splitlines() or ['no output'])[-1].replace(ROOT + '/', '')[:200]


def wait_for_port(child, port, output, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child.poll() is not None:
            raise Absent(f'ended at once with status {child.returncode}: {last_line(output)}')
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        time.sleep(0.05)
    raise Absent(f'does not listen after {seconds} s')


def check(port, path, size, times=3):
    """The answer is a 200 with `size` bytes, or the peer is absent from the row."""
    for _ in range(times):
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
        try:
            connection.request('GET', path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Absent(f'no answer: {error!r}') from error
        finally:
            connection.close()
        if answer.status != 200 or len(body) != size:
            raise Absent(f'answers {answer.status} with {len(body)} bytes, not 200 with {size}')


def soon(attempt, seconds=5):
    """The check of a server that may accept connections before it can answer."""
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Absent:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@contextlib.contextmanager
def machine_lock():
    """PORTOLAN_BENCH_LOCK=FILE serialises each timed run with other work on the machine."""
    path = os.environ.get('PORTOLAN_BENCH_LOCK')
    if not path:
        yield
        return
    with open(path, 'a', encoding='ascii') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def timed(pid, command, seconds):
    """Runs a load generator on its core: what it printed, and the CPU nanoseconds the server spent meanwhile."""
    with machine_lock():
        before = cpu_ns(pid)
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 30,
                              check=False, preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}))
        spent = max(after - start for after, start in zip(cpu_ns(pid), before))
    return done, spent


def wrk(pid, url, connections, seconds, folder, script=''):
    """One run of wrk: what the server spent, and what the client saw. `script`: Lua that shapes the requests."""
    path = os.path.join(folder, 'load.lua')
    if not os.path.exists(path):
        with open(path, 'w', encoding='ascii') as file:
            file.write(script + _LATENCY)
    done, spent = timed(pid, ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--timeout', '5s', '-s', path, url],
                        seconds)
    line = re.search(r'^PORTOLAN (.*)$', done.stdout, re.MULTILINE)
    if not line:
        raise Absent(f'wrk failed: {done.stderr.strip()[:200]}')
    requests, duration, p50, p99, p999, status, broken = (float(word) for word in line.group(1).split())
    if requests == 0:
        raise Absent('no request was answered')
    return {'cpu_us': spent / 1000 / requests, 'per_second': requests / duration * 1e6, 'p50_us': p50, 'p99_us': p99,
            'p999_us': p999, 'resident_kib': resident_kib(pid), 'errors': int(status + broken)}


def summary(values):
    """Median and quartiles."""
    if len(values) < 2:
        return {'median': values[0], 'low': values[0], 'high': values[0]}
    low, median, high = statistics.quantiles(values, n=4, method='inclusive')
    return {'median': median, 'low': low, 'high': high}
