"""The corpus: cache poisoning, deception and denial of service by caches (CPDoS), each against a gullible origin.

A case is what is sent first (by the attacker, or for deception by the victim) and what is sent last. Whoever sends last
must get what a cache that never saw the first gives, and none of `never`. With `kept`, asking once more is a hit: the
answer was one that is stored, and so the place was there to be poisoned. With `refused`, the first doesn't get through.
"""
import collections

EVIL = b'evil'
SECRET = b'secret-of-alice'
HOST = 'shop.example'

Case = collections.namedtuple('Case', 'name first last never kept refused')


def raw(target='/', fields=(), method='GET', host=HOST, body=b'', version='1.1'):
    head = f'{method} {target} HTTP/{version}\r\n' + (f'Host: {host}\r\n' if host is not None else '')
    return (head + ''.join(f'{name}: {value}\r\n' for name, value in fields) + '\r\n').encode('latin-1') + body


CASES = []


def case(name, first, last, never=EVIL, kept=True, refused=False):
    first = first if isinstance(first, list) else [first]
    CASES.append(Case(name, first, last, never, kept, refused))


def path(name):
    return '/' + ''.join(c if c.isalnum() else '-' for c in name.lower())


def unkeyed(name, value, label=''):
    where = path(f'field {name} {label}')
    case(f'{name} {label}'.strip(), raw(where, [(name, value)]), raw(where))


# ── fields that nothing keys ──
unkeyed('X-Forwarded-Host', 'evil.example')
unkeyed('x-fOrWaRdEd-hOsT', 'evil.example', 'in another case')
unkeyed('X-Host', 'evil.example')
unkeyed('X-Forwarded-Server', 'evil.example')
unkeyed('X-Original-Host', 'evil.example')
unkeyed('X-HTTP-Host-Override', 'evil.example')
unkeyed('X-Forwarded-Domain', 'evil.example')
unkeyed('Forwarded', 'for=1.2.3.4;host=evil.example;proto=http')
unkeyed('X-Forwarded-Scheme', 'nothttps')
unkeyed('X-Forwarded-Proto', 'nothttps')
unkeyed('X-Forwarded-Protocol', 'nothttps')
unkeyed('X-Forwarded-Ssl', 'nothttps')
unkeyed('X-Scheme', 'nothttps')
unkeyed('X-Url-Scheme', 'nothttps')
unkeyed('Front-End-Https', 'nothttps')
unkeyed('X-Forwarded-Port', '666-evil')
unkeyed('X-Forwarded-Prefix', '/evil')
unkeyed('X-Script-Name', '/evil')
unkeyed('X-Original-URL', '/evil')
unkeyed('X-Rewrite-URL', '/evil')
unkeyed('X-Original-URI', '/evil')
unkeyed('X-Forwarded-Uri', '/evil')
unkeyed('X-Override-URL', '/evil')
unkeyed('X-HTTP-Method-Override', 'DELETE')
unkeyed('X-HTTP-Method', 'DELETE')
unkeyed('X-Method-Override', 'DELETE')
unkeyed('True-Client-IP', 'evil')
unkeyed('X-Client-IP', 'evil')
unkeyed('CF-Connecting-IP', 'evil')
unkeyed('X-Forwarded-For', 'evil')
unkeyed('X-Real-IP', 'evil')
unkeyed('X-Remote-User', 'evil')
unkeyed('CloudFront-Viewer-Country', 'evil')
unkeyed('X-Middleware-Prefetch', '1-evil')
unkeyed('X-Invoke-Status', '500')
unkeyed('X-Now-Route-Matches', '1-evil')
unkeyed('X-Nextjs-Data', '1-evil')
unkeyed('X-React-Router-Prerender-Data', 'evil')
unkeyed('X-Forward-Host', 'evil.example')
unkeyed('X-Matched-Path', '/evil')
unkeyed('X-Replaced-Path', '/evil')
unkeyed('X-Sendfile-Type', 'X-Accel-Redirect-evil')
unkeyed('X-Accel-Mapping', '/var/www/=/evil/')
unkeyed('X-Vercel-IP-Country', 'evil')
unkeyed('X-Amz-Server-Side-Encryption', 'evil')
unkeyed('Surrogate-Capability', 'evil="ESI/1.0"')
unkeyed('Translate', 'f-evil')
unkeyed('X_Forwarded_Host', 'evil.example', 'with underscores')
case('X-Forwarded-Host in two lines', raw('/two-lines', [('X-Forwarded-Host', 'a'), ('X-Forwarded-Host', 'evil.example')]),
     raw('/two-lines'))
case('X-Forwarded-Host with HEAD, then GET', raw('/head-first', [('X-Forwarded-Host', 'evil.example')], 'HEAD'),
     raw('/head-first'))
case('X-Forwarded-Host with a range', raw('/range-field', [('X-Forwarded-Host', 'evil.example'), ('Range', 'bytes=0-9999')]),
     raw('/range-field'))
case('X-Forwarded-Host as an old answer is validated',
     [raw('/validated'), raw('/validated', [('X-Forwarded-Host', 'evil.example'), ('Cache-Control', 'no-cache')])],
     raw('/validated'))

# ── who is asked ──
case('Host in capitals', raw('/host-case', host='sHOp.ExamPLE'), raw('/host-case'), b'sHOp')
case('Host with the default port', raw('/host-port', host='shop.example:80'), raw('/host-port'), b':80')
case('Host with a final dot', raw('/host-dot', host='shop.example.'), raw('/host-dot'), b'example./')
case('Host with a final dot and a port', raw('/host-dot-port', host='shop.example.:80'), raw('/host-dot-port'), b'example./')
case('Host with another port', raw('/host-other-port', host='shop.example:1337'), raw('/host-other-port'), b'1337')
case('another host', raw('/host-other', host='evil.shop.example'), raw('/host-other'))
case('a host that nobody serves', raw('/host-unknown', host='evil.example'), raw('/host-unknown'), refused=True)
case('two Host fields', raw('/host-two', [('Host', 'evil.example')]), raw('/host-two'), refused=True)
case('userinfo in Host', raw('/host-user', host='shop.example@evil.example'), raw('/host-user'), refused=True)
case('a list in Host', raw('/host-list', host='shop.example, evil.example'), raw('/host-list'), refused=True)
case('a blank in Host', raw('/host-blank', host='shop.example evil'), raw('/host-blank'), refused=True)
case('a target of another host', raw('http://evil.example/host-target'), raw('/host-target'), refused=True)
case('a target of another scheme', raw('https://shop.example/scheme-target', [('X-Forwarded-Scheme', 'nothttps')]),
     raw('/scheme-target'))
case('no Host at all', raw('/host-none', host=None, version='1.0'), raw('/host-none'), refused=True)

# ── what is asked for ──
for label, other in (('an escape', '/p%61th-escape'), ('a slash twice', '//path-escape'), ('a dot segment', '/./path-escape'),
                     ('an escaped slash', '/x%2fpath-escape'), ('a parameter of the path', '/path-escape;evil=1'),
                     ('a backslash', '/x\\path-escape'), ('a zero byte', '/path-escape%00evil'),
                     ('a newline', '/path-escape%0d%0aevil'), ('an escaped ?', '/path-escape%3fevil=1')):
    case(f'a path with {label}', raw(other + '&evil' if '?' in other else other), raw('/path-escape'))
case('a path that climbs', raw('/static/../path-climbs-evil'), raw('/path-climbed-not'), refused=True)
case('a path that climbs, escaped', raw('/static/%2e%2e%2fpath-evil'), raw('/path-climbed-no'), refused=True)
case('a path that climbs by backslashes', raw('/static/..\\path-evil'), raw('/path-climbed-none'), refused=True)
for label, where in (('a parameter', '/static/..;/path-evil'), ('a parameter that has a value', '/static/..;a=b/path-evil'),
                     ('a parameter, escaped', '/static/%2e%2e;/path-evil'), ('an escaped ;', '/static/..%3b/path-evil'),
                     ('a parameter at its end', '/static/x/..;')):
    case(f'a path that climbs with {label}', raw(where), raw(path('climbs not with ' + label)), refused=True)
case('a fragment in the target', raw('/fragment#evil'), raw('/fragment'), refused=True)
case('8-bit in the target', raw('/eight\xe9evil'), raw('/eight'), refused=True)
case('parts of a key in the path', raw('/key-parts-3:evil'), raw('/key-parts'))
case('parts of a key in the query', raw('/key-query?-12:evil'), raw('/key-query'))
case('an empty query and none', raw('/empty-query?', [('X-Host', 'evil')]), raw('/empty-query'))
case('a parameter hidden behind ;', raw('/q-semicolon?page=1;page=evil'), raw('/q-semicolon?page=1'))
case('a parameter twice', raw('/q-twice?page=1&page=evil'), raw('/q-twice?page=1'))
case('a parameter with an escaped name', raw('/q-escaped?page=1&p%61ge=evil'), raw('/q-escaped?page=1'))
case('a parameter in brackets', raw('/q-brackets?page=1&page[]=evil'), raw('/q-brackets?page=1'))
case('a parameter hidden in one that is dropped', raw('/q-drop?page=1&utm_source=x;page=evil', host='drop.example'),
     raw('/q-drop?page=1', host='drop.example'))
case('a dropped parameter by an escaped name', raw('/q-drop-escape?page=1&utm%5Fsource=evil', host='drop.example'),
     raw('/q-drop-escape?page=1', host='drop.example'))
case('a dropped parameter that the origin reads', raw('/q-drop-read?page=1&utm_content=evil', host='drop.example'),
     raw('/q-drop-read?page=1', host='drop.example'))
case('a parameter that is not allowed', raw('/q-allow?page=1&callback=evil', host='allow.example'),
     raw('/q-allow?page=1', host='allow.example'))
case('a parameter hidden in one that is allowed', raw('/q-allow-in?page=1;callback=evil', host='allow.example'),
     raw('/q-allow-in?page=1', host='allow.example'))
case('parameters in another order', raw('/q-sort?page=evil&page=1', host='sort.example'),
     raw('/q-sort?page=1&page=2', host='sort.example'))

# ── bodies ──
case('a fat GET', raw('/fat-get', [('Content-Length', '9')], body=b'page=evil'), raw('/fat-get'))
case('a fat GET in chunks', raw('/fat-chunks', [('Transfer-Encoding', 'chunked')], body=b'9\r\npage=evil\r\n0\r\n\r\n'),
     raw('/fat-chunks'))
case('a fat HEAD', raw('/fat-head', [('Content-Length', '9')], 'HEAD', body=b'page=evil'), raw('/fat-head'))
INNER = raw('/fat-hit', [('X-Host', 'evil')])
case('a request in the body of a fat GET for what is stored',
     [raw('/fat-hit'), raw('/fat-hit', [('Content-Length', str(len(INNER)))], body=INNER)], raw('/fat-hit'))
case('both framings', raw('/both', [('Content-Length', '4'), ('Transfer-Encoding', 'chunked')], body=b'0\r\n\r\nevil'),
     raw('/both'), refused=True)
case('a POST', raw('/post', [('Content-Length', '9')], 'POST', body=b'page=evil'), raw('/post'))

def adopted(label, target, fields=(), last=None, never=EVIL, host=HOST):
    """A POST whose answer says that it is what a GET gets."""
    case(f'a POST that is kept {label}', raw(target, [*fields, ('Content-Length', '0')], 'POST', host=host),
         raw(last or target, host=host), never)


adopted('with another host', '/adopt-host', [('X-Forwarded-Host', 'evil.example')])
adopted('with another path', '/adopt-path', [('X-Original-URL', '/evil')])
adopted('with another address', '/adopt-address', [('True-Client-IP', 'evil')])
adopted('with a coding of its own', '/adopt-coding', [('Accept-Encoding', 'gzip, evil')])
adopted('with a cookie that is ignored', '/adopt-cookie', [('Cookie', 'utm=evil')], host='drop.example')
adopted('with a parameter that is dropped', '/adopt-drop?page=1&utm_content=evil', host='drop.example',
        last='/adopt-drop?page=1')
adopted('with parameters in another order', '/adopt-sort?z=evil&a=1', host='sort.example', last='/adopt-sort?a=1&z=evil',
        never=b'?z=evil&a=1')
adopted('by a route that a field leads to', '/adopt-beta', [('X-Beta', 'evil')])
adopted('with Authorization', '/adopt-mine', [('Authorization', 'Bearer ' + SECRET.decode())], never=SECRET)
adopted('past the cache', '/adopt-preview', [('X-Preview', 'evil')])
case('an unknown method', raw('/evil-method', method='EVIL'), raw('/evil-method'), b'by EVIL')

# ── what Connection takes off ──
case('a keyed field taken off on the way', raw('/lang-key', [('X-Lang', 'de'), ('Connection', 'close, X-Lang')],
     host='lang.example'), raw('/lang-key', [('X-Lang', 'de')], host='lang.example'), b'in none')
case('a Vary field taken off on the way', raw('/lang-vary', [('X-Lang', 'de'), ('Connection', 'X-Lang')]),
     raw('/lang-vary', [('X-Lang', 'de')]), b'in none')
case('a field taken off by a second line',
     raw('/lang-line', [('X-Lang', 'de'), ('Connection', 'close'), ('Connection', 'x-lang')]),
     raw('/lang-line', [('X-Lang', 'de')]), b'in none')
case('Accept-Encoding taken off', raw('/coding', [('Accept-Encoding', 'gzip'), ('Connection', 'Accept-Encoding')]),
     raw('/coding', [('Accept-Encoding', 'gzip')]), b'coding none')
case('Cookie taken off', raw('/conn-cookie', [('Cookie', 'session=evil'), ('Connection', 'Cookie')]), raw('/conn-cookie'))

# ── what an origin reads in another way than as a list ──
APP = 'https://app.example'
for label, fields in (('with a comma behind it', [('Origin', APP + ',')]), ('with a comma before it', [('Origin', ', ' + APP)]),
                      ('twice', [('Origin', APP), ('Origin', APP)]), ('and an empty one', [('Origin', APP), ('Origin', '')])):
    where = path('cors ' + label)
    case(f'Origin {label}', raw(where, fields), raw(where, [('Origin', APP)]), b'denied')
case('two origins in two lines', raw('/cors-lines', [('Origin', 'https://evil.example'), ('Origin', APP)]),
     raw('/cors-lines', [('Origin', 'https://evil.example, ' + APP)]), b'granted')
case('a keyed field with a comma behind it', raw('/lang-comma', [('X-Lang', 'de,')], host='lang.example'),
     raw('/lang-comma', [('X-Lang', 'de')], host='lang.example'), b'in de,')
case('a keyed field in two lines', raw('/lang-lines', [('X-Lang', 'de'), ('X-Lang', 'evil')], host='lang.example'),
     raw('/lang-lines', [('X-Lang', 'de, evil')], host='lang.example'), b'in evil')
case('a language with a blank in it', raw('/accept-language', [('Accept-Language', 'd e')]),
     raw('/accept-language', [('Accept-Language', 'de')]), b'd e')
case('a type in capitals', raw('/accept', [('Accept', 'TEXT/html')]), raw('/accept', [('Accept', 'text/html')]), b'TEXT')

# ── whose answer it is ──
AUTH = ('Authorization', 'Bearer ' + SECRET.decode())
case('an answer to Authorization', raw('/mine', [AUTH]), raw('/mine'), SECRET)
case('an answer to a cookie', raw('/mine-cookie', [('Cookie', 'session=' + SECRET.decode())]), raw('/mine-cookie'), SECRET)
case('an answer to a cookie in a second line',
     raw('/mine-line', [('Cookie', 'a=b'), ('Cookie', 'session=' + SECRET.decode())]), raw('/mine-line'), SECRET,
     kept=True)
case('a cookie that is given', raw('/set-cookie'), raw('/set-cookie'), b'nothing', kept=False)
case('an answer that is private', raw('/private', [('X-Token', SECRET.decode())]), raw('/private'), SECRET, kept=False)
case('an answer that varies by everything', raw('/vary-star', [('X-Token', SECRET.decode())]), raw('/vary-star'), SECRET,
     kept=False)

# ── deception: the victim is sent to a page by an asset's name; X-Token stands for how the origin knows who it is ──
ME = [('X-Token', SECRET.decode())]
for label, where in (('in a folder', '/account/x.css'), ('behind ;', '/account;x.js'), ('behind a zero byte', '/account%00x.png'),
                     ('behind an escaped newline', '/account%0ax.gif'), ('behind an escaped #', '/account%23x.ico'),
                     ('behind an escaped ?', '/account%3fx.jpg'), ('behind an escaped slash', '/account%2fx.woff2'),
                     ('behind a backslash', '/account\\x.css'), ('behind two slashes', '//account//x.svg'),
                     ('with something behind it', '/account/x.css;v=1'), ('in capitals', '/account/x.JPEG'),
                     ('of an archive', '/account/x.zip'), ('of a document', '/account/x.pdf')):
    case(f"a page by an asset's name {label}", raw(where, ME), raw(where), SECRET, kept=False)
case("an API's answer by an asset's name", raw('/api/account/x.jpg', ME), raw('/api/account/x.jpg'), SECRET, kept=False)
case("a page by an asset's name that climbs", raw('/static/..%2faccount', ME), raw('/static/..%2faccount'), SECRET,
     kept=False, refused=True)
case("a page by an asset's name that climbs with a parameter", raw('/static/..;/account/x.css', ME),
     raw('/static/..;/account/x.css'), SECRET, kept=False, refused=True)

# ── errors and parts in the place of answers ──
case('a head too long for the origin', raw('/cpdos-400', [('X-Long', 'x' * 9000)]), raw('/cpdos-400'), b'error')
case('a head too long for the origin, 431', raw('/cpdos-431', [('X-Long', 'x' * 9000)]), raw('/cpdos-431'), b'error')
case('a head too long for us', raw('/cpdos-long', [('X-Long', 'x' * 40000)]), raw('/cpdos-long'), b'error', refused=True)
case('too many fields', raw('/cpdos-many', [('X-Many', 'x')] * 200), raw('/cpdos-many'), b'error', refused=True)
case('a target too long', raw('/cpdos-target?' + 'x' * 9000), raw('/cpdos-target'), b'error', refused=True)
case('413 with freshness', raw('/cpdos-413', [('X-Crash', '413')]), raw('/cpdos-413'), b'error')
case('414 with freshness', raw('/cpdos-414', [('X-Crash', '414')]), raw('/cpdos-414'), b'error')
case('400 with freshness', raw('/cpdos-400-field', [('X-Crash', '400')]), raw('/cpdos-400-field'), b'error')
case('431 with freshness', raw('/cpdos-431-field', [('X-Crash', '431')]), raw('/cpdos-431-field'), b'error')
for status in (500, 502, 503):
    case(f'{status} in the place of an answer', [raw(f'/cpdos-{status}'), raw(f'/cpdos-{status}', [('X-Crash', str(status)),
         ('Cache-Control', 'no-cache')])], raw(f'/cpdos-{status}'), b'error')
case('405 by heuristics', raw('/cpdos-405', [('X-Crash', '405'), ('X-Old', '1')]), raw('/cpdos-405'), b'error')
case('501 by heuristics', raw('/cpdos-501', [('X-Crash', '501'), ('X-Old', '1')]), raw('/cpdos-501'), b'error')
for label, byte in (('a bell', '\a'), ('a zero byte', '\0'), ('a delete', '\x7f')):
    case(f'{label} in a field', raw('/cpdos-control', [('X-Meta', 'a' + byte + 'b')]), raw('/cpdos-control'), b'error',
         refused=True)
case('a bare line feed in a field', raw('/cpdos-lf', [('X-Meta', 'a\nX-Host: evil')]), raw('/cpdos-lf'), refused=True)
case('a folded field', raw('/cpdos-fold', [('X-Meta', 'a\r\n X-Host: evil')]), raw('/cpdos-fold'), refused=True)
case('a part for the whole', raw('/part', [('Range', 'bytes=0-3')]), raw('/part'), b'nothing')
case('a part that the origin insists on', raw('/part-always', [('X-Part', '1')]), raw('/part-always'), b'nothing')
case('no part at all', raw('/no-part', [('Range', 'bytes=999999-')]), raw('/no-part'), b'nothing')
case('a 304 for what is not there', raw('/not-modified', [('If-None-Match', '"v1"')]), raw('/not-modified'), b'nothing')
case('a 304 by date', raw('/not-modified-date', [('If-Modified-Since', 'Fri, 01 Jan 2038 00:00:00 GMT')]),
     raw('/not-modified-date'), b'nothing')
case('a 412', raw('/precondition', [('If-Match', '"other"')]), raw('/precondition'), b'error')
case('a HEAD for the body', raw('/head-only', method='HEAD'), raw('/head-only'), b'nothing')
case('an expectation', raw('/expect', [('Expect', '100-continue-evil')]), raw('/expect'), refused=True)
case('an upgrade', raw('/upgrade', [('Connection', 'Upgrade'), ('Upgrade', 'evil')]), raw('/upgrade'))
case('a truncated answer', raw('/truncated', [('X-Cut', '1')]), raw('/truncated'), b'nothing')
