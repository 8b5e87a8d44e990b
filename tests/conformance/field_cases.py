"""Fields with a specification of their own: RFC 9213 (CDN-Cache-Control), RFC 9211 (Cache-Status)."""
from conversation import asks, case

MINUTE = 'Cache-Control: max-age=60'


def targeted(text, more='Cache-Control: no-store'):
    return f'CDN-Cache-Control: {text}\n{more}'


TARGETED = [
    case('9213 §2.2', 'counts before no-store', asks('origin', says=targeted('max-age=60')), asks('store')),
    case('9213 §2.2', 'before a longer max-age', asks('origin', says=targeted('max-age=1', MINUTE)), 2.1, asks('origin')),
    case('9213 §2.2', 'before a shorter one', asks('origin', says=targeted('max-age=60', 'Cache-Control: max-age=0')), asks('store')),
    case('9213 §2.2', 'before Expires', asks('origin', says=targeted('max-age=60', 'Expires: {now-60}\nDate: {now}')), asks('store')),
    case('9213 §2.2', 'max-age=0 before Expires', asks('origin', says=targeted('max-age=0', 'Expires: {now+60}\nDate: {now}')), asks('origin')),
    case('9213 §2.2', 'no-store', asks('origin', says=targeted('no-store', MINUTE)), asks('origin')),
    case('9213 §2.2', 'private', asks('origin', says=targeted('private', MINUTE)), asks('origin')),
    case('9213 §2.2', 'no-cache', asks('origin', says=targeted('max-age=60, no-cache', f'{MINUTE}\nETag: "a"')), asks('validated')),
    case('9213 §2.2', 'must-revalidate and stale', asks('origin', says=targeted('max-age=1, must-revalidate', MINUTE)), 2.1,
         asks('refused', cut=True, got=502)),
    case('9213 §2.2', 'stale-while-revalidate', asks('origin', says=targeted('max-age=1, stale-while-revalidate=60')), 2.1, asks('stale')),
    case('9111 §4.2.3', 'Age counts', asks('origin', says=targeted('max-age=60', f'{MINUTE}\nAge: 70')), asks('origin')),
    case('9213 §2.1', 'unknown directives and parameters are ignored',
         asks('origin', says=targeted('foo, max-age=60;x=1, bar="baz"')), asks('store')),
    case('9213 §2.1', 'two lines are one field', asks('origin', says='CDN-Cache-Control: foo\nCDN-Cache-Control: max-age=60\nCache-Control: no-store'),
         asks('store')),
    case('9651 §3.1.1', 'a large number is read', asks('origin', says=targeted('max-age=999999999999999')), asks('store')),
    *(case('9213 §2.1', f'{bad} is no field', asks('origin', says=targeted(bad)), asks('origin'))
      for bad in ('max-age=60, &&&&&', 'max-age="60"', 'max-age=60.0', 'max-age=-1', 'max-age', 'max-age =60', 'max-age= 60',
                  'MaX-aGe=60', 'max-age=60,', 'max-age=60, must-revalidate=1', 'max-age=9999999999999999')),
    *(case('9213 §2.1', f'{bad} leaves the word to Cache-Control', asks('origin', says=targeted(bad, MINUTE)), asks('store'))
      for bad in ('no-store, &', 'max-age=x', 'no-store,')),
    case('9213 §2.2', 'passes on', asks('origin', says=targeted('max-age=60'), has='CDN-Cache-Control: max-age=60')),
    case('9111 §3.5', 'Authorization with s-maxage', asks('origin', says=targeted('s-maxage=60'), fields='Authorization: x'), asks('store')),
]

CACHE_STATUS = [
    case('9211 §2', 'miss, stored', asks('origin', says=MINUTE, has='Cache-Status: ^edge; fwd=uri-miss; fwd-status=200; ttl=(59|60); stored$')),
    case('9211 §2', 'hit', asks('origin', says=f'{MINUTE}\nAge: 20'), asks('store', has='Cache-Status: ^edge; hit; ttl=(40|39|38)$')),
    case('9211 §2.2', 'not to be stored', asks('origin', says='Cache-Control: no-store', has='Cache-Status: ^edge; fwd=uri-miss; fwd-status=200$')),
    case('9211 §2.2', 'method', asks('origin', method='POST', body=b'x', has='Cache-Status: ^edge; fwd=method')),
    case('9211 §2.2', 'vary-miss', asks('origin', says=f'{MINUTE}\nVary: X-T'),
         asks('origin', fields='X-T: 1', says='Cache-Control: no-store', has='Cache-Status: ^edge; fwd=vary-miss')),
    case('9211 §2.2', 'request', asks('origin', says=MINUTE),
         asks('origin', fields='Cache-Control: no-cache', says=MINUTE, has='Cache-Status: ^edge; fwd=request; fwd-status=200')),
    case('9211 §2.2', 'stale', asks('origin', says='Cache-Control: max-age=1\nETag: "a"'), 2.1,
         asks('validated', says=MINUTE, has='Cache-Status: ^edge; fwd=stale; fwd-status=304; ttl=(59|60); stored$')),
    case('9211 §2', 'what other caches said stays before it',
         asks('origin', says=f'{MINUTE}\nCache-Status: Shield; hit; ttl=99', has='Cache-Status: ^Shield; hit; ttl=99, edge; fwd=uri-miss'),
         asks('store', has='Cache-Status: ^Shield; hit; ttl=99, edge; hit')),
    case('9211 §2', 'only-if-cached', asks('edge', fields='Cache-Control: only-if-cached', got=504)),
]
