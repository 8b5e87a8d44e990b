"""Which stored answer a request gets, and whether it may: RFC 9111 §4.1, §4.2.4, §4.4, §5.2.1; RFC 9875."""
from conversation import asks, case

MINUTE = 'Cache-Control: max-age=60'
SECOND = 'Cache-Control: max-age=1'
STALE = 'Cache-Control: max-age=1, '


def varies(names):
    return f'{MINUTE}\nVary: {names}'


VARY = [
    case('9111 §4.1', 'the same value', asks('origin', says=varies('X-T'), fields='X-T: 1'), asks('store', fields='X-T: 1')),
    case('9111 §4.1', 'another', asks('origin', says=varies('X-T'), fields='X-T: 1'), asks('origin', fields='X-T: 2'),),
    case('9111 §4.1', 'none instead of one', asks('origin', says=varies('X-T'), fields='X-T: 1'), asks('origin')),
    case('9111 §4.1', 'one instead of none', asks('origin', says=varies('X-T')), asks('origin', fields='X-T: 1')),
    case('9111 §4.1', 'none both times', asks('origin', says=varies('X-T')), asks('store')),
    case('9111 §4.1', 'an empty one is not none', asks('origin', says=varies('X-T')), asks('origin', fields='X-T:')),
    case('9111 §4.1', 'fields not named say nothing', asks('origin', says=varies('X-T'), fields='X-T: 1\nX-U: 1'),
         asks('store', fields='X-T: 1\nX-U: 2')),
    case('9111 §4.1', 'variants live side by side', asks('origin', says=varies('X-T'), fields='X-T: 1'),
         asks('origin', says=varies('X-T'), fields='X-T: 2', has='Cache-Status: fwd=vary-miss'), asks('store', fields='X-T: 1'),
         asks('store', fields='X-T: 2')),
    case('9111 §4.1', 'all of three', asks('origin', says=varies('X-T, X-U, X-V'), fields='X-T: 1\nX-U: 2\nX-V: 3'),
         asks('store', fields='X-V: 3\nX-U: 2\nX-T: 1'), asks('origin', fields='X-T: 1\nX-U: 2\nX-V: 4')),
    case('9111 §4.1', 'values do not run into each other', asks('origin', says=varies('X-T, X-U'), fields='X-T: 1\nX-U: 23'),
         asks('origin', fields='X-T: 12\nX-U: 3')),
    case('9111 §4.1', 'the case of a name says nothing', asks('origin', says=varies('x-t'), fields='X-T: 1'),
         asks('origin', fields='X-T: 2')),
    case('9111 §4.1', 'two lines are a list', asks('origin', says=f'{MINUTE}\nVary: X-T\nVary: X-U', fields='X-T: 1\nX-U: 1'),
         asks('origin', fields='X-T: 1\nX-U: 2')),
    *(case('9111 §4.1', f'Vary: {star!r}', asks('origin', says=f'{MINUTE}\n' + '\n'.join(f'Vary: {s}' for s in star)),
           asks('origin')) for star in (['*'], ['*, *'], [', *'], ['X-T, *'], ['*, X-T'], ['X-T', '*'], ['*', '*'])),
    case('9111 §4.1', 'lines of a request are joined for nobody', asks('origin', says=varies('X-T'), fields='X-T: 1, 2'),
         asks('origin', says=varies('X-T'), fields='X-T: 1\nX-T: 2'), asks('store', fields='X-T: 1\nX-T: 2'),
         asks('store', fields='X-T: 1, 2')),
    case('9111 §4.1', 'an empty element is one', asks('origin', says=varies('X-T'), fields='X-T: 1'),
         asks('origin', fields='X-T: 1,')),
    case('9111 §4.1', 'space is of the value where there is no list', asks('origin', says=varies('X-T'), fields='X-T: a b'),
         asks('origin', fields='X-T: a  b')),
    case('9111 §4.1', 'space in a list says nothing', asks('origin', says=varies('X-T'), fields='X-T: 1,2'),
         asks('store', fields='X-T:  1 ,  2 ')),
    case('9111 §4.1', 'nor case, order and space of Accept-Language',
         asks('origin', says=varies('Accept-Language'), fields='Accept-Language: en, de;q=0.5'),
         asks('store', fields='Accept-Language: DE; q=0.5 ,en')),
    case('9111 §4.1', 'but weights do', asks('origin', says=varies('Accept-Language'), fields='Accept-Language: en, de;q=0.5'),
         asks('origin', fields='Accept-Language: en;q=0.5, de')),
    case('9110 §12.5.4', 'the language wanted most is the one that is stored',
         asks('origin', says=varies('Accept-Language') + '\nContent-Language: de', fields='Accept-Language: en, de'),
         asks('store', fields='Accept-Language: fr;q=0.5, de')),
    case('9110 §12.5.4', 'a language wanted less is asked for',
         asks('origin', says=varies('Accept-Language') + '\nContent-Language: de', fields='Accept-Language: en, de'),
         asks('origin', fields='Accept-Language: fr, de;q=0.5')),
    case('9110 §12.5.3', 'encodings nobody here keeps apart are one',
         asks('origin', says=varies('Accept-Encoding'), fields='Accept-Encoding: gzip, deflate, br', seen='Accept-Encoding: br, gzip'),
         asks('store', fields='Accept-Encoding: br;q=0.8, GZIP, dcb')),
    case('9110 §12.5.3', 'a weight of zero is a no',
         asks('origin', says=varies('Accept-Encoding'), fields='Accept-Encoding: gzip;q=0, br', seen='Accept-Encoding: br'),
         asks('origin', fields='Accept-Encoding: gzip, br')),
    case('9110 §12.5.3', 'nothing said is not everything', asks('origin', says=varies('Accept-Encoding'), fields='Accept-Encoding: *'),
         asks('origin', unseen='Accept-Encoding')),
]

REQUESTS = [
    case('9111 §5.2.1.4', 'no-cache validates', asks('origin', says=f'{MINUTE}\nETag: "a"'),
         asks('validated', says='ETag: "a"', fields='Cache-Control: no-cache', seen='If-None-Match: "a"')),
    case('9111 §5.4', 'Pragma does where there is no Cache-Control', asks('origin', says=MINUTE),
         asks('origin', says=MINUTE, fields='Pragma: no-cache'), asks('store', fields='Pragma: no-cache\nCache-Control: x')),
    case('9111 §5.2.1.1', 'max-age', asks('origin', says=f'{MINUTE}\nAge: 20'), asks('origin', fields='Cache-Control: max-age=10')),
    case('9111 §5.2.1.1', 'max-age that is not reached', asks('origin', says=f'{MINUTE}\nAge: 20'),
         asks('store', fields='Cache-Control: max-age=30')),
    case('9111 §5.2.1.1', 'max-age=0', asks('origin', says=MINUTE), asks('origin', fields='Cache-Control: max-age=0')),
    case('9111 §5.2.1.3', 'min-fresh', asks('origin', says=f'{MINUTE}\nAge: 20'), asks('origin', fields='Cache-Control: min-fresh=50')),
    case('9111 §5.2.1.3', 'min-fresh that there is', asks('origin', says=f'{MINUTE}\nAge: 20'),
         asks('store', fields='Cache-Control: min-fresh=30')),
    case('9111 §5.2.1.2', 'max-stale', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('store', fields='Cache-Control: max-stale=60', has='Cache-Status: hit; ttl=-')),
    case('9111 §5.2.1.2', 'max-stale without a value', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('store', fields='Cache-Control: max-stale')),
    case('9111 §5.2.1.2', 'max-stale that is too short', asks('origin', says=f'{SECOND}\nAge: 1\nETag: "a"'), 2.1,
         asks('validated', fields='Cache-Control: max-stale=1')),
    *(case('9111 §5.2.1.2', f'max-stale gives way to {d}', asks('origin', says=f'Cache-Control: {d}\nETag: "a"'), 2.1,
           asks('validated', fields='Cache-Control: max-stale=60'))
      for d in ('max-age=1, must-revalidate', 'max-age=1, proxy-revalidate', 's-maxage=1', 'max-age=1, no-cache')),
    case('9111 §5.2.1.7', 'only-if-cached without', asks('edge', fields='Cache-Control: only-if-cached', got=504)),
    case('9111 §5.2.1.7', 'only-if-cached with', asks('origin', says=MINUTE), asks('store', fields='Cache-Control: only-if-cached')),
    case('8246 §2', 'a reload of what is immutable', asks('origin', says='Cache-Control: max-age=60, immutable'),
         asks('store', fields='Cache-Control: max-age=0'), asks('origin', fields='Cache-Control: no-cache')),
    case('8246 §2', 'is one like any other once it is stale', asks('origin', says='Cache-Control: max-age=1, immutable\nETag: "a"'), 2.1,
         asks('validated', fields='Cache-Control: max-age=0')),
]

SERVING_STALE = [
    case('9111 §4.2.4', 'stale while the origin does not answer', asks('origin', says=SECOND), 2.1,
         asks('stale', cut=True, has='Cache-Status: fwd=stale\nAge: .')),
    *(case('9111 §4.2.4', f'never with {d}', asks('origin', says=f'Cache-Control: {d}\nETag: "a"'), 2.1,
           asks('refused', cut=True, got=502))
      for d in ('max-age=1, must-revalidate', 'max-age=1, proxy-revalidate', 's-maxage=1', 'max-age=60, no-cache')),
    case('9111 §4.2.4', 'an error takes no stale answer\'s place unasked', asks('origin', says=SECOND), 2.1,
         asks('origin', status=503)),
    *(case('5861 §4', f'stale-if-error: {status}', asks('origin', says=f'{STALE}stale-if-error=60\nETag: "a"'), 2.1,
           asks('stale', status=status, got=200)) for status in (500, 502, 503, 504)),
    case('5861 §4', 'stale-if-error: no answer', asks('origin', says=f'{STALE}stale-if-error=60'), 2.1, asks('stale', cut=True)),
    case('5861 §4', 'stale-if-error: 404 is an answer', asks('origin', says=f'{STALE}stale-if-error=60\nETag: "a"'), 2.1,
         asks('refused', status=404)),
    case('5861 §4', 'stale-if-error that ran out', asks('origin', says=f'{STALE}stale-if-error=1\nETag: "a"'), 3.1,
         asks('refused', status=503)),
    case('5861 §4', 'and so for no answer', asks('origin', says=f'{STALE}stale-if-error=1\nETag: "a"'), 3.1,
         asks('refused', cut=True, got=502)),
    case('5861 §3', 'stale-while-revalidate', asks('origin', says=f'{STALE}stale-while-revalidate=60\nETag: "a"'), 2.1,
         asks('stale', says=f'{MINUTE}\nETag: "b"', seen='If-None-Match: "a"', has='Cache-Status: hit; ttl=-'),
         asks('store', has='ETag: "b"')),
    case('5861 §3', 'a 304 in the background', asks('origin', says=f'{STALE}stale-while-revalidate=60\nETag: "a"'), 2.1,
         asks('stale', status=304, says=f'{MINUTE}\nETag: "a"', got=200), asks('store', has='Cache-Status: hit; ttl=[1-9]')),
    case('5861 §3', 'what failed in the background is asked for again a second later',
         asks('origin', says=f'{STALE}stale-while-revalidate=60\nETag: "a"'), 2.1, asks('stale', cut=True),
         asks('store'), 1.5, asks('stale', cut=True)),
    case('5861 §3', 'past its window', asks('origin', says=f'{STALE}stale-while-revalidate=1\nETag: "a"'), 3.1,
         asks('validated', says=MINUTE)),
    case('5861 §3', 'must-revalidate forbids it', asks('origin', says=f'{STALE}stale-while-revalidate=60, must-revalidate\nETag: "a"'),
         2.1, asks('validated')),
    case('9111 §5.2.2.10', 's-maxage forbids it', asks('origin', says='Cache-Control: s-maxage=1, stale-while-revalidate=60\nETag: "a"'),
         2.1, asks('validated'), only='rfc'),
    case('what servers mean', 's-maxage beside it allows it',
         asks('origin', says='Cache-Control: s-maxage=1, stale-while-revalidate=60\nETag: "a"'), 2.1, asks('stale', status=304, got=200),
         only='cdn-safe'),
    case('5861 §3', 'a request for something fresh waits', asks('origin', says=f'{STALE}stale-while-revalidate=60\nETag: "a"'), 2.1,
         asks('validated', fields='Cache-Control: no-cache')),
]


def invalidating():
    for method in ('POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'):
        yield case('9111 §4.4', f'{method} invalidates its target', asks('origin', says=MINUTE),
                   asks('origin', method=method, body=b'x'), asks('origin'))
        yield case('9111 §4.4', f'{method} that failed does not', asks('origin', says=MINUTE),
                   asks('origin', method=method, body=b'x', status=500), asks('store'))
        for field in ('Location', 'Content-Location'):
            yield case('9111 §4.4', f'{method} invalidates {field}', asks('origin', path='b', says=MINUTE),
                       asks('origin', method=method, body=b'x', path='a', says=f'{field}: b'), asks('origin', path='b'))
    for method in ('HEAD', 'OPTIONS', 'TRACE'):
        yield case('9111 §4.4', f'{method} invalidates nothing', asks('origin', says=MINUTE, path='a'),
                   asks('store' if method == 'HEAD' else 'origin', method=method, path='a', has='Via: .'), asks('store', path='a'))


INVALIDATION = [
    *invalidating(),
    case('9111 §4.4', 'another origin\'s Location is left alone', asks('origin', path='b', says=MINUTE),
         asks('origin', method='POST', body=b'x', path='a', says='Location: http://other.example/b'), asks('store', path='b')),
    case('9111 §4.4', 'every variant goes', asks('origin', says=varies('X-T'), fields='X-T: 1'),
         asks('origin', says=varies('X-T'), fields='X-T: 2'), asks('origin', method='DELETE'), asks('origin', fields='X-T: 1'),
         asks('origin', fields='X-T: 2')),

    # ── groups ──
    case('9875 §3', 'Cache-Group-Invalidation', asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-g"'),
         asks('origin', method='POST', body=b'x', path='b', says='Cache-Group-Invalidation: "{key}-g"'), asks('origin', path='a')),
    case('9875 §3', 'of another group', asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-g"'),
         asks('origin', method='POST', body=b'x', path='b', says='Cache-Group-Invalidation: "{key}-G"'), asks('store', path='a')),
    case('9875 §3', 'one of several, with parameters, in two lines',
         asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-f", "{{key}}-g";x=1\nCache-Groups: "{{key}}-h"'),
         asks('origin', method='POST', body=b'x', path='b', says='Cache-Group-Invalidation: "x", "{key}-h"'), asks('origin', path='a')),
    case('9875 §2', 'a field that is no list of strings is none', asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: {{key}}-g'),
         asks('origin', method='POST', body=b'x', path='b', says='Cache-Group-Invalidation: "{key}-g"'), asks('store', path='a')),
    case('9875 §3', 'a GET invalidates no group', asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-g"'),
         asks('origin', path='b', says='Cache-Group-Invalidation: "{key}-g"'), asks('store', path='a')),
    case('9875 §3', 'nor does what failed', asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-g"'),
         asks('origin', method='POST', body=b'x', path='b', status=500, says='Cache-Group-Invalidation: "{key}-g"'),
         asks('store', path='a')),
    case('9875 §2.2.1', 'what shares a group with what is invalidated goes with it',
         asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-g"'),
         asks('origin', path='b', says=f'{MINUTE}\nCache-Groups: "{{key}}-g", "{{key}}-h"'),
         asks('origin', path='c', says=f'{MINUTE}\nCache-Groups: "{{key}}-h"'),
         asks('origin', method='PUT', body=b'x', path='a'), asks('origin', path='b'), asks('store', path='c')),
    case('9875 §2', 'what is stored later is not reached',
         asks('origin', method='POST', body=b'x', path='b', says='Cache-Group-Invalidation: "{key}-g"'),
         asks('origin', path='a', says=f'{MINUTE}\nCache-Groups: "{{key}}-g"'), asks('store', path='a')),
]
