"""Validators on both sides, and what a 304 changes: RFC 9110 §13; RFC 9111 §4.3, §3.2."""
from conversation import asks, case

MINUTE = 'Cache-Control: max-age=60'
SECOND = 'Cache-Control: max-age=1'
MODIFIED = 'Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT'

VALIDATION = [
    # ── towards the origin ──
    case('9111 §4.3.1', 'If-None-Match', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('validated', says=MINUTE, seen='If-None-Match: "a"', unseen='If-Modified-Since'), asks('store')),
    case('9111 §4.3.1', 'a weak one as it came', asks('origin', says=f'{SECOND}\nETag: W/"a"'), 2.1,
         asks('validated', seen='If-None-Match: W/"a"')),
    case('9111 §4.3.1', 'If-Modified-Since', asks('origin', says=f'{SECOND}\n{MODIFIED}'), 2.1,
         asks('validated', says=MINUTE, seen='If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT', unseen='If-None-Match'), asks('store')),
    case('9111 §4.3.1', 'both', asks('origin', says=f'{SECOND}\n{MODIFIED}\nETag: "a"'), 2.1,
         asks('validated', seen='If-None-Match: "a"\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT')),
    case('9111 §4.3.1', 'without a validator it is asked for', asks('origin', says=SECOND), 2.1, asks('origin')),
    case('9111 §4.3.3', 'a new answer takes the place', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('replaced', says=f'{MINUTE}\nETag: "b"', has='ETag: "b"'), asks('store', has='ETag: "b"')),
    case('9111 §5.2.2.4', 'no-cache is validated every time', asks('origin', says='Cache-Control: no-cache\nETag: "a"'),
         asks('validated'), asks('validated')),
    case('9111 §5.2.2.4', 'even with max-age', asks('origin', says='Cache-Control: max-age=60, no-cache\nETag: "a"'), asks('validated')),
    case('9111 §5.2.2.4', 'and with field names', asks('origin', says='Cache-Control: max-age=60, no-cache="x-a"\nETag: "a"'),
         asks('validated')),
    case('9111 §5.2.2.2', 'must-revalidate changes nothing while it is fresh',
         asks('origin', says='Cache-Control: max-age=60, must-revalidate'), asks('store')),
    case('9111 §4.3.1', 'the client\'s own condition stays here',
         asks('origin', says=f'{MINUTE}\nETag: "a"', fields='If-None-Match: "x"\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT',
              unseen='If-None-Match\nIf-Modified-Since')),

    # ── what a 304 changes (RFC 9111 §3.2) ──
    *(case('9111 §3.2', f'{name} is updated', asks('origin', says=f'{SECOND}\nETag: "a"\n{name}: {old}'), 2.1,
           asks('validated', says=f'{MINUTE}\nETag: "a"\n{name}: {new}', has=f'{name}: ^{new}$'), asks('store', has=f'{name}: ^{new}$'))
      for name, old, new in (('X-Test', '1', '2'), ('Content-Foo', '1', '2'), ('Content-Type', 'text/a', 'text/b'),
                             ('Content-Location', '/a', '/b'), ('Content-Security-Policy', 'a', 'b'),
                             ('Expires', '0', 'Thu, 18 Aug 2050 02:01:18 GMT'), ('X-Frame-Options', 'deny', 'sameorigin'))),
    case('9111 §3.2', 'what it does not name stays', asks('origin', says=f'{SECOND}\nETag: "a"\nX-Test: 1'), 2.1,
         asks('validated', says=MINUTE, has='X-Test: ^1$\nETag: "a"')),
    case('9111 §3.2', 'Content-Length stays', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('validated', says=f'{MINUTE}\nContent-Length: 3'), asks('store')),
    case('9111 §3.2', 'Cache-Control is updated', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('validated', says='Cache-Control: max-age=0'), asks('validated')),
    case('9111 §3.2', 'Age starts anew', asks('origin', says=f'{SECOND}\nETag: "a"\nAge: 50'),
         asks('validated', says=MINUTE, has='Age: ^[01]$'), asks('store', has='Age: ^[01]$')),
    case('9111 §4.3.4', 'a 304 that forbids to keep it', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('validated', says='Cache-Control: no-store'), asks('origin')),

    # ── towards the client (RFC 9110 §13) ──
    *(case('9110 §13.1.2', f'If-None-Match: {condition}', asks('origin', says=f'{MINUTE}\nETag: {etag}'),
           asks('edge', fields=f'If-None-Match: {condition}', got=304, has='ETag: .\nCache-Control: .\nDate: .', lacks='Content-Length'))
      for etag, condition in (('"a"', '"a"'), ('"a"', 'W/"a"'), ('W/"a"', '"a"'), ('W/"a"', 'W/"a"'), ('"a"', '*'),
                              ('"a"', '"x", "a"'), ('"a"', '"x" , W/"a" , "y"'), ('"a,b"', '"a,b"'))),
    *(case('9110 §13.1.2', f'If-None-Match: {condition} against {etag}', asks('origin', says=f'{MINUTE}\nETag: {etag}'),
           asks('store', fields=f'If-None-Match: {condition}'))
      for etag, condition in (('"a"', '"b"'), ('"a"', '"A"'), ('"a"', 'a'), ('"a"', '"a'), ('"a"', ''))),
    case('9110 §13.1.2', 'each line counts', asks('origin', says=f'{MINUTE}\nETag: "a"'),
         asks('edge', fields='If-None-Match: "x"\nIf-None-Match: "a"', got=304)),
    case('9110 §13.1.3', 'If-Modified-Since, the same', asks('origin', says=f'{MINUTE}\n{MODIFIED}'),
         asks('edge', fields='If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT', got=304)),
    case('9110 §13.1.3', 'later', asks('origin', says=f'{MINUTE}\n{MODIFIED}'),
         asks('edge', fields='If-Modified-Since: Thu, 02 Jan 2020 00:00:00 GMT', got=304)),
    case('9110 §13.1.3', 'earlier', asks('origin', says=f'{MINUTE}\n{MODIFIED}'),
         asks('store', fields='If-Modified-Since: Tue, 31 Dec 2019 00:00:00 GMT')),
    case('9110 §13.1.3', 'no date at all', asks('origin', says=f'{MINUTE}\n{MODIFIED}'), asks('store', fields='If-Modified-Since: x')),
    case('9111 §4.3.2', 'without Last-Modified Date counts', asks('origin', says=f'{MINUTE}\nDate: {{now-10}}'),
         asks('edge', fields='If-Modified-Since: {now-5}', got=304), asks('store', fields='If-Modified-Since: {now-30}')),
    case('9110 §13.2.2', 'If-None-Match counts alone', asks('origin', says=f'{MINUTE}\n{MODIFIED}\nETag: "a"'),
         asks('store', fields='If-None-Match: "b"\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT'),
         asks('edge', fields='If-None-Match: "a"\nIf-Modified-Since: Tue, 31 Dec 2019 00:00:00 GMT', got=304)),
    case('9110 §13.2.1', 'only a 200 is not modified', asks('origin', status=404, says=f'{MINUTE}\nETag: "a"'),
         asks('store', status=404, fields='If-None-Match: "a"')),
    case('9111 §4.3.2', 'If-Match is the origin\'s to judge', asks('origin', says=f'{MINUTE}\nETag: "a"'),
         asks('origin', fields='If-Match: "a"', seen='If-Match: "a"')),
    case('9110 §13.1.2', 'a condition holds for what was just validated', asks('origin', says=f'{SECOND}\nETag: "a"'), 2.1,
         asks('validated', says=MINUTE, fields='If-None-Match: "a"', got=304)),
]
