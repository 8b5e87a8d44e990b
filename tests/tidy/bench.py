#!/usr/bin/env python3
"""The benchmark's arithmetic: medians and quartiles, ratios, verdicts, and what the table says.

usage: bench.py ROOT
"""
import os
import sys
import unittest

ROOT = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else '.')
sys.path.insert(0, os.path.join(ROOT, 'bench'))
from comparison import measure, report  # noqa: E402


def run(cost, errors=0):
    return {'cpu_us': cost, 'per_second': 1e6 / cost, 'p50_us': 1.0, 'p99_us': 2.0, 'p999_us': 3.0,
            'resident_kib': 1024, 'errors': errors}


def row(**costs):
    servers = report.summarise({name: [run(cost) for cost in each] for name, each in costs.items()})
    return {'setting': '64 connections', 'servers': servers, 'absent': {'varnish': 'not installed'}}


class Bench(unittest.TestCase):
    def test_one_outlier_moves_neither_median_nor_quartiles(self):
        self.assertEqual(measure.summary([5, 1, 2, 3, 4000]), {'low': 2, 'median': 3, 'high': 5})
        self.assertEqual(measure.summary([7]), {'low': 7, 'median': 7, 'high': 7})

    def test_ratios_are_to_the_floor_and_to_the_cheapest_peer(self):
        servers = row(floor=[8], portolan=[10], nginx=[20], haproxy=[12.5])['servers']
        self.assertEqual(servers['portolan']['to_floor'], 1.25)
        self.assertEqual(servers['portolan']['to_best_peer'], 0.8)
        self.assertEqual(servers['nginx']['to_best_peer'], 1.6)

    def test_without_peers_there_is_no_ratio_and_no_verdict_on_one(self):
        rows = {('passed-1KiB', 'bare'): row(floor=[10], portolan=[13])}
        self.assertIsNone(rows['passed-1KiB', 'bare']['servers']['portolan']['to_best_peer'])
        self.assertEqual([(ceiling, met) for _, _, ceiling, met in report.judge(rows)], [(1.2, False)])

    def test_a_target_is_met_at_its_ceiling(self):
        verdicts = report.judge({('cached-1KiB', 'bare'): row(floor=[8], portolan=[10], haproxy=[11])})
        self.assertEqual([met for *_, met in verdicts], [True, False])

    def test_errors_and_absences_show(self):
        servers = report.summarise({'floor': [run(8)], 'portolan': [run(9, 2), run(9, 3)]})
        absent = {'varnish': 'not installed'}
        rows = {('cached-1KiB', 'bare'): {'setting': '64 connections', 'servers': servers, 'absent': absent}}
        text = report.markdown({'cpu': 'c', 'kernel': 'k', 'commit': 'x', 'versions': {}}, rows, [])
        self.assertRegex(text, r'\| portolan \|.*\| 5 \|')
        self.assertIn('| varnish | absent: not installed |', text)


    def test_times_have_a_table_of_their_own(self):
        times = {name: {'start_ms': measure.summary([start]), 'resident_kib': measure.summary([2048])}
                 for name, start in (('nginx', 900), ('portolan', 60))}
        times['portolan']['reload_ms'] = measure.summary([75, 80, 900])
        rows = {('scale-http', 'times'): {'setting': 'many', 'times': times, 'servers': {}, 'absent': {}}}
        text = report.markdown({'cpu': 'c', 'kernel': 'k', 'commit': 'x', 'versions': {}}, rows, report.judge(rows))
        self.assertRegex(text, r'portolan \| 60 \| 80 \| 2.0 \|\n\| nginx \| 900 \| – \| 2.0')
        self.assertNotIn('scale-http', report.plot(rows))


if __name__ == '__main__':
    unittest.main()
