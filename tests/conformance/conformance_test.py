"""How conformant the edge cache is, section by section: the tables beside this file, for both profiles."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../system'))
import harness

import conversation
import field_cases
import reuse_cases
import storing_cases
import validation_cases

EDGE = '''
[server]
name = "edge"
workers = 1
{{control}}
[listener.http]
listen = ["127.0.0.1:{{port}}"]
[pool.app]
servers = ["127.0.0.1:{origin}"]
retry = {{ attempts = 1 }}
[[route]]
pool = "app"
cache = "c"
[cache.c]
memory = "64 MiB"
profile = "{profile}"
negative_ttl = "2s"
'''


class Conformance(harness.Case):
    def converse(self, *tables):
        origin = conversation.Origin()
        port = self.scripted(origin.serve).port
        edges = {profile: self.portolan(EDGE.format(origin=port, profile=profile), name=profile)
                 for profile in ('cdn-safe', 'rfc')}
        faults = conversation.run([each for table in tables for each in table], edges, origin)
        if faults:
            self.fail('\n'.join(['', *faults]))

    def test_what_is_stored_and_how_long(self):
        self.converse(storing_cases.STORING)

    def test_variants(self):
        self.converse(reuse_cases.VARY)

    def test_what_requests_ask_for(self):
        self.converse(reuse_cases.REQUESTS)

    def test_serving_stale(self):
        self.converse(reuse_cases.SERVING_STALE)

    def test_invalidation_and_groups(self):
        self.converse(reuse_cases.INVALIDATION)

    def test_validation(self):
        self.converse(validation_cases.VALIDATION)

    def test_targeted_cache_control(self):
        self.converse(field_cases.TARGETED)

    def test_cache_status(self):
        self.converse(field_cases.CACHE_STATUS)


if __name__ == '__main__':
    harness.main()
