"""What is stored, and for how long: RFC 9111 §3, §4.2; RFC 9110 §15.1."""
from conversation import asks, case

MINUTE = 'Cache-Control: max-age=60'
OLD = 'Last-Modified: {now-100000}\nDate: {now}'


def statuses():
    for status in (200, 203, 204, 299, 300, 301, 302, 303, 307, 308, 401, 403, 404, 405, 410, 451, 499, 500, 501, 502, 503, 504, 599):
        yield case('9111 §3', f'{status} with explicit freshness is stored',
                   asks('origin', says=MINUTE, status=status), asks('store', status=status))
        yield case('9111 §4.2.1', f'{status} that is stale is asked for again',
                   asks('origin', says='Cache-Control: max-age=1', status=status), 2.1, asks('origin', status=status))
    for status in (200, 203, 204, 300, 301, 308, 404, 410):
        yield case('9110 §15.1', f'{status} is stored by heuristics',
                   asks('origin', says=OLD, status=status), asks('store', status=status))
    for status in (405, 414, 501):
        yield case('9110 §15.1', f'{status} is stored by heuristics', asks('origin', says=OLD, status=status),
                   asks('store', status=status), only='rfc')
        yield case('errors an attacker can cause', f'{status} is not stored by heuristics',
                   asks('origin', says=OLD, status=status), asks('origin', status=status), only='cdn-safe')
    for status in (201, 202, 302, 303, 307, 400, 401, 403, 500, 502, 503, 504, 599):
        yield case('9110 §15.1', f'{status} is not stored by heuristics',
                   asks('origin', says=OLD, status=status), asks('origin', status=status))
    for status in (428, 429, 431, 511):
        yield case('6585 §§3-6', f'{status} is never stored',
                   asks('origin', says=MINUTE, status=status), asks('origin', status=status))
    for status in (400, 406, 412, 413, 414, 417):
        yield case('errors an attacker can cause', f'{status} is not stored',
                   asks('origin', says=MINUTE, status=status), asks('origin', status=status), only='cdn-safe')
        yield case('9111 §3', f'{status} with explicit freshness is stored',
                   asks('origin', says=MINUTE, status=status), asks('store', status=status), only='rfc')


STORING = [
    *statuses(),
    case('9111 §3', 'public lets any final status be stored by heuristics',
         asks('origin', says=f'Cache-Control: public\n{OLD}', status=599), asks('store', status=599)),
    case('9111 §3', 'an answer to POST is not stored', asks('origin', method='POST', body=b'x', says=MINUTE), asks('origin')),
    case('9110 §9.3.3', 'unless it says that it is what a GET would get',
         asks('origin', method='POST', body=b'x', path='p', says=f'{MINUTE}\nContent-Location: p'), asks('store', path='p')),
    case('9110 §9.3.3', 'nor where Content-Location is another',
         asks('origin', method='POST', body=b'x', path='p', says=f'{MINUTE}\nContent-Location: q'), asks('origin', path='p')),
    case('9110 §9.3.3', 'nor by heuristics',
         asks('origin', method='POST', body=b'x', path='p', says=f'{OLD}\nContent-Location: p'), asks('origin', path='p')),
    case('9110 §9.3.2', 'a HEAD is answered from a stored GET', asks('origin', says=MINUTE),
         asks('store', method='HEAD', has='Content-Length: .')),
    case('9110 §9.3.2', 'the answer to a HEAD is none to a GET', asks('origin', method='HEAD', says=MINUTE), asks('origin')),
    case('9110 §9.3.7', 'an answer to OPTIONS is not stored', asks('origin', method='OPTIONS', says=MINUTE),
         asks('origin', method='OPTIONS')),
    case('9111 §2', 'another query is another key', asks('origin', path='?a=1', says=MINUTE), asks('origin', path='?a=2'),
         asks('store', path='?a=1')),
    case('9111 §3.3', 'what ends with its connection is not stored', asks('origin', says=MINUTE, close=True),
                       asks('origin')),
    case('9110 §10.2.4', 'an interim answer passes and is not stored',
         asks('origin', says=MINUTE, interim='Link: </a.css>; rel=preload; as=style\nX-Early: 1', lacks='X-Early'),
         asks('store', lacks='X-Early\nLink')),

    # ── Cache-Control ──
    case('9111 §5.2.2.5', 'no-store', asks('origin', says='Cache-Control: max-age=60, no-store'), asks('origin')),
    case('9111 §5.2', 'case says nothing', asks('origin', says='Cache-Control: MAX-AGE=60, No-StoRe'), asks('origin')),
    case('9111 §5.2', 'nor does which line it stands in',
         asks('origin', says='Cache-Control: max-age=60\nCache-Control: no-store'), asks('origin')),
    case('9111 §5.2', 'a quoted value is read', asks('origin', says='Cache-Control: max-age="60"'), asks('store')),
    case('9111 §5.2', 'what is in quotes is no directive',
         asks('origin', says='Cache-Control: max-age=60, ext="no-store, max-age=0"'), asks('store')),
    case('9111 §5.2.3', 'unknown directives are ignored', asks('origin', says='Cache-Control: foo, max-age=60, bar=1'),
         asks('store')),
    case('9111 §5.2.2.7', 'private', asks('origin', says='Cache-Control: private, max-age=60'), asks('origin')),
    case('9111 §5.2.2.7', 'private with field names', asks('origin', says='Cache-Control: private="x-a", max-age=60'),
         asks('origin')),
    case('9111 §5.2.2.3', 'must-understand lifts no-store where the status is known',
         asks('origin', says='Cache-Control: max-age=60, no-store, must-understand'), asks('store')),
    case('9111 §5.2.2.3', 'and forbids to store where it is not',
         asks('origin', says='Cache-Control: max-age=60, must-understand', status=599), asks('origin', status=599)),
    case('9111 §5.2.1.5', 'no-store of the request', asks('origin', says=MINUTE, fields='Cache-Control: no-store'),
         asks('origin')),

    # ── Authorization, cookies ──
    case('9111 §3.5', 'Authorization', asks('origin', says=MINUTE, fields='Authorization: x'), asks('origin')),
    *(case('9111 §3.5', f'Authorization with {d}',
           asks('origin', says=f'Cache-Control: {d}', fields='Authorization: x', seen='Authorization: x'), asks('store'))
      for d in ('public, max-age=60', 'must-revalidate, max-age=60', 's-maxage=60')),
    case('9111 §3.5', 'proxy-revalidate is not among them',
         asks('origin', says='Cache-Control: proxy-revalidate, max-age=60', fields='Authorization: x'), asks('origin')),
    case('9111 §3.5', 'one with Authorization gets what is stored for all', asks('origin', says=MINUTE),
         asks('store', fields='Authorization: x')),
    case('cookies', 'an answer that sets one is not stored', asks('origin', says=f'{MINUTE}\nSet-Cookie: a=b'),
         asks('origin'), only='cdn-safe'),
    case('9111 §7.3', 'Set-Cookie does not inhibit storing', asks('origin', says=f'{MINUTE}\nSet-Cookie: a=b'),
         asks('store', has='Set-Cookie: a=b'), only='rfc'),
    case('cookies', 'a request with one passes', asks('origin', says=MINUTE), asks('origin', fields='Cookie: a=b',
         seen='Cookie: a=b', has='Cache-Status: fwd=bypass; detail=cookie'), only='cdn-safe'),
    case('9111 §2', 'a request with a cookie is one like any other', asks('origin', says=MINUTE),
         asks('store', fields='Cookie: a=b'), only='rfc'),

    # ── fields ──
    case('9111 §3.1', 'fields Connection names are not stored',
         asks('origin', says=f'{MINUTE}\nConnection: x-a\nX-A: 1\nX-B: 2'), asks('store', has='X-B: 2', lacks='X-A')),
    *(case('9111 §3.1', f'{name} is not stored', asks('origin', says=f'{MINUTE}\n{name}: x'), asks('store', lacks=name))
      for name in ('Keep-Alive', 'Proxy-Authenticate', 'Proxy-Authentication-Info', 'Proxy-Authorization',
                   'Proxy-Connection', 'TE', 'Upgrade')),
    *(case('9111 §3.1', f'{name} is stored', asks('origin', says=f'{MINUTE}\n{name}: x-y'), asks('store', has=f'{name}: ^x-y$'))
      for name in ('X-Test', 'Content-Foo', 'Content-Encoding', 'Content-Language', 'Content-Security-Policy',
                   'Clear-Site-Data', 'X-Frame-Options', 'Warning', 'Link', 'Set-Cookie2')),
    case('9110 §6.6.1', 'a Date is added where there is none and then stays', asks('origin', says=MINUTE, has='Date: .'), 1.1,
         asks('store', has='Date: .\nAge: ^[1-3]$')),

    # ── explicit freshness ──
    case('9111 §4.2.2', 'nothing to go by is never reused', asks('origin'), asks('origin')),
    case('9111 §4.2.1', 'max-age', asks('origin', says=MINUTE), asks('store')),
    case('9111 §4.2.1', 'max-age that ran out', asks('origin', says='Cache-Control: max-age=1'), 2.1, asks('origin')),
    case('9111 §4.2.1', 'max-age=0', asks('origin', says='Cache-Control: max-age=0'), asks('origin')),
    case('9111 §4.2.1', 's-maxage counts before max-age', asks('origin', says='Cache-Control: max-age=60, s-maxage=1'), 2.1,
         asks('origin')),
    case('9111 §4.2.1', 'and is enough', asks('origin', says='Cache-Control: max-age=0, s-maxage=60'), asks('store')),
    case('9111 §4.2.1', 'max-age counts before Expires',
         asks('origin', says='Cache-Control: max-age=60\nExpires: {now-60}\nDate: {now}'), asks('store')),
    case('9111 §5.3', 'Expires', asks('origin', says='Expires: {now+60}\nDate: {now}'), asks('store')),
    case('9111 §5.3', 'Expires in the past', asks('origin', says='Expires: {now-60}\nDate: {now}'), asks('origin')),
    case('9111 §5.3', 'Expires that is Date', asks('origin', says='Expires: {now}\nDate: {now}'), asks('origin')),
    case('9111 §5.3', 'Expires counts from Date, not from now',
         asks('origin', says='Expires: {now+30}\nDate: {now-60}'), asks('store')),
    *(case('9111 §5.3', f'Expires: {bad} is in the past', asks('origin', says=f'Expires: {bad}\n{OLD}'),
           asks('validated', says=f'Expires: {bad}'))
      for bad in ('0', '-1', 'Thu, 18 Aug 2050 02:01:18', 'Thursday, 18-Aug-50', '2050-08-18', 'Thu, 18 Aug 2050 02-01-18 GMT')),
    *(case('9110 §5.6.7', f'Expires: {good}', asks('origin', says=f'Expires: {good}'), asks('store'))
      for good in ('Thu, 18 Aug 2050 02:01:18 GMT', 'Thursday, 18-Aug-50 02:01:18 GMT', 'Thu Aug 18 02:01:18 2050')),
    *(case('9111 §4.2.1', f'max-age={bad} is stale', asks('origin', says=f'Cache-Control: max-age={bad}'), asks('origin'))
      for bad in ('x', '-60', '60s', '6 0', '', '60.5')),
    *(case('9111 §1.2.2', f'max-age={large} is a long time', asks('origin', says=f'Cache-Control: max-age={large}'),
           asks('store')) for large in ('2147483648', '99999999999', '340282366920938463463374607431768211456')),
    case('9111 §4.2.1', 'of two max-age the shorter counts', asks('origin', says='Cache-Control: max-age=60, max-age=1'), 2.1,
         asks('origin')),
    case('9111 §4.2.2', 'a tenth of what passed since Last-Modified',
         asks('origin', says='Last-Modified: {now-10}\nDate: {now}'), 2.1, asks('validated')),

    # ── Age (RFC 9111 §4.2.3, §5.1) ──
    case('9111 §4.2.3', 'Age counts', asks('origin', says='Cache-Control: max-age=60\nAge: 70'), asks('origin')),
    case('9111 §5.1', 'Age grows', asks('origin', says='Cache-Control: max-age=60\nAge: 30'), 1.2,
         asks('store', has='Age: ^3[123]$')),
    case('9111 §4.2.3', 'an old Date counts', asks('origin', says='Cache-Control: max-age=60\nDate: {now-70}'), asks('origin')),
    case('9111 §4.2.3', 'a Date to come does not', asks('origin', says='Cache-Control: max-age=60\nDate: {now+70}'),
         asks('store', has='Age: ^[0-2]$')),
    case('9111 §5.1', 'Age that is none is ignored', asks('origin', says='Cache-Control: max-age=60\nAge: -70'),
         asks('store')),
    case('9111 §5.1', 'the first of two counts', asks('origin', says='Cache-Control: max-age=60\nAge: 0\nAge: 70'),
         asks('store')),
    case('9111 §5.1', 'a large Age is old', asks('origin', says='Cache-Control: max-age=60\nAge: 99999999999'), asks('origin')),

    # ── short negative caching ──
    case('9111 §4.2.2', 'a 404 that says nothing is kept for a moment', asks('origin', status=404), asks('store', status=404),
         3.1, asks('origin', status=404)),
    case('9111 §4.2.2', 'whatever its Last-Modified', asks('origin', says=OLD, status=404), 3.1,
         asks('replaced', status=404)),
    case('9111 §5.2.2.4', 'unless it says otherwise', asks('origin', says='Cache-Control: no-cache', status=404),
         asks('origin', status=404)),
]
