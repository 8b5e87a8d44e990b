"""Measurements to JSON and Markdown, with ratios to the floor and to the best peer of the run."""
import json
import os

from . import measure

# (row, column, reference, ceiling): Portolan's CPU a request is at most ceiling × that of the reference.
TARGETS = [('cached-1KiB', 'bare', 'floor', 1.25), ('cached-1KiB', 'bare', 'haproxy', 0.85),
           ('cached-1KiB', 'logged', 'floor', 1.35), ('passed-1KiB', 'bare', 'floor', 1.2),
           ('passed-1KiB', 'bare', 'best peer', 0.9), ('cached-64KiB', 'bare', 'best peer', 0.85),
           ('cached-1MiB', 'bare', 'best peer', 0.85), ('static-64KiB', 'bare', 'best peer', 1.0),
           ('stored-1MiB', 'bare', 'nginx', 1.0), ('stored-10MiB', 'bare', 'nginx', 1.0),
           ('tls-cached-1KiB', 'bare', 'best peer', 0.9), ('h2-cached-1KiB-16x10', 'bare', 'best peer', 0.75),
           ('h2-cached-1KiB-64x1', 'bare', 'best peer', 0.95), ('tls-handshake-full', 'bare', 'best peer', 1.0),
           ('tls-handshake-resumed', 'bare', 'best peer', 1.0), ('grpc-unary', 'bare', 'best peer', 0.9),
           ('dns-geo-subnet-v4', 'bare', 'floor', 1.15), ('dns-geo-subnet-v4', 'bare', 'gdnsd', 1.0)]


def summarise(runs):
    """{server: [run, …]} to {server: {figure: {median, low, high}, errors, ratios}}."""
    servers = {}
    for name, each in runs.items():
        figures = {key: measure.summary([run[key] for run in each]) for key in each[0] if key != 'errors'}
        servers[name] = figures | {'errors': sum(run['errors'] for run in each), 'rounds': len(each)}
    peers = [servers[name]['cpu_us']['median'] for name in servers if name not in ('floor', 'portolan')]
    for figures in servers.values():
        cost = figures['cpu_us']['median']
        figures['to_floor'] = cost / servers['floor']['cpu_us']['median'] if 'floor' in servers else None
        figures['to_best_peer'] = cost / min(peers) if peers else None
    return servers


def judge(rows):
    """One line a target this run has figures for: (what, figure, ceiling, met)."""
    verdicts = []
    for name, column, reference, ceiling in TARGETS:
        servers = rows.get((name, column), {}).get('servers', {})
        ours = servers.get('portolan')
        if reference == 'best peer':
            ratio = ours and ours['to_best_peer']
        elif ours and reference in servers:
            ratio = ours['cpu_us']['median'] / servers[reference]['cpu_us']['median']
        else:
            ratio = None
        if ratio is not None:
            verdicts.append((f'{name}, {column}: CPU to {reference}', ratio, ceiling, ratio <= ceiling))
    return verdicts


def markdown(machine, rows, verdicts):
    out = ['# The comparison', '', f'{machine["cpu"]}, Linux {machine["kernel"]}, commit {machine["commit"]}; '
           'per core, on loopback.',
           'Median and quartiles of the rounds; CPU is user and system time of all the server\'s processes.', '']
    out += [f'- {name}: {version}' for name, version in machine['versions'].items()]
    for (name, column), row in rows.items():
        out += ['', f'## {name}, {column}: {row["setting"]}', '']
        if column == 'times':
            out += table_of_times(row)
            continue
        out += ['| server | CPU µs a request | × floor | × best peer | requests/s | p50 µs | p99 µs | p99.9 µs | MiB | '
                'errors |',
                '|---|---|---|---|---|---|---|---|---|---|']
        for server, of in sorted(row['servers'].items(), key=lambda item: item[1]['cpu_us']['median']):
            cost = of['cpu_us']
            ratios = ' | '.join('–' if of[key] is None else f'{of[key]:.2f}' for key in ('to_floor', 'to_best_peer'))
            rest = ' | '.join(f'{of[key]["median"]:.0f}' for key in ('per_second', 'p50_us', 'p99_us', 'p999_us'))
            out.append(f'| {server} | {cost["median"]:.2f} ({cost["low"]:.2f}–{cost["high"]:.2f}) | '
                       f'{ratios} | {rest} | {of["resident_kib"]["median"] / 1024:.1f} | {of["errors"]} |')
        out += [f'| {server} | absent: {why} | | | | | | | | |' for server, why in row['absent'].items()]
    out += ['', '## Targets', '', '| target | figure | at most | |', '|---|---|---|---|']
    out += [f'| {what} | {ratio:.3f} | {ceiling} | {"met" if met else f"missed by {ratio / ceiling - 1:.1%}"} |'
            for what, ratio, ceiling, met in verdicts]
    return '\n'.join(out) + '\n'


def table_of_times(row):
    """Milliseconds until the first right answer after a start, and until the new one after a reload."""
    out = ['| server | start ms | reload ms | MiB |', '|---|---|---|---|']
    for server, of in sorted(row['times'].items(), key=lambda item: item[1]['start_ms']['median']):
        reload = f'{of["reload_ms"]["median"]:.0f}' if 'reload_ms' in of else '–'
        out.append(f'| {server} | {of["start_ms"]["median"]:.0f} | {reload} | {of["resident_kib"]["median"] / 1024:.1f} |')
    return out + [f'| {server} | absent: {why} | | |' for server, why in row['absent'].items()]


def plot(rows):
    """Portolan's CPU a request in ratio to the floor (or the best peer), and each peer's, as bars."""
    lines, y = [], 30
    for (name, column), row in rows.items():
        servers = row['servers']
        base = servers.get('floor') or min((of for server, of in servers.items() if server != 'portolan'),
                                           key=lambda of: of['cpu_us']['median'], default=None)
        if not base:
            continue
        lines.append(f'<text x="10" y="{y}" font-weight="bold">{name}, {column}</text>')
        for server, of in sorted(servers.items(), key=lambda item: item[1]['cpu_us']['median']):
            y += 16
            ratio = of['cpu_us']['median'] / base['cpu_us']['median']
            colour = {'portolan': '#2266aa', 'floor': '#999999'}.get(server, '#ccaa66')
            lines.append(f'<text x="110" y="{y}" text-anchor="end">{server}</text><rect x="118" y="{y - 10}" '
                         f'height="12" width="{min(ratio, 6) * 100:.0f}" fill="{colour}"/>'
                         f'<text x="{min(ratio, 6) * 100 + 124:.0f}" y="{y}">{of["cpu_us"]["median"]:.2f} µs</text>')
        y += 30
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="840" height="{y}" font-family="sans-serif" '
            f'font-size="12"><text x="10" y="12">CPU µs a request; a bar of 100 is the floor, or else the best peer'
            f'</text>\n' + '\n'.join(lines) + '\n</svg>\n')


def write(folder, machine, rows):
    os.makedirs(folder, exist_ok=True)
    verdicts = judge(rows)
    text = markdown(machine, rows, verdicts)
    with open(os.path.join(folder, 'latest.md'), 'w', encoding='utf-8') as file:
        file.write(text)
    data = {'machine': machine,
            'rows': [{'work': name, 'column': column} | row for (name, column), row in rows.items()],
            'targets': [dict(zip(('what', 'ratio', 'at_most', 'met'), verdict)) for verdict in verdicts]}
    with open(os.path.join(folder, 'latest.json'), 'w', encoding='utf-8') as file:
        json.dump(data, file, indent=1)
        file.write('\n')
    with open(os.path.join(folder, 'latest.svg'), 'w', encoding='utf-8') as file:
        file.write(plot(rows))
    return text
