/** Bytes that proxies and servers interpret differently. */

/** A second request, hidden in the body of the first. It would get a 200. */
const HIDDEN = 'GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n'

export interface SocketCase {
  readonly name: string
  readonly bytes: string
  /** The expected statuses, including the last request's. By default, only refusals. */
  readonly answers?: readonly number[]
}

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`
const get = (target: string, ...headers: string[]) =>
  lines(`GET ${target} HTTP/1.1`, 'Host: test', ...headers)
const post = (...headers: string[]) => lines('POST /token HTTP/1.1', 'Host: test', ...headers)
const refused = (name: string, bytes: string): SocketCase => ({ name, bytes })

const CHUNKED = 'Transfer-Encoding: chunked'
const HEALTHY = get('/healthz')

/** Two parsers may find different ends of such a body, and take the rest for a request. */
const SMUGGLING: readonly SocketCase[] = [
  ...[
    ['a length and chunks', 'Content-Length: 6', CHUNKED],
    ['chunks and a length', CHUNKED, 'Content-Length: 6'],
    ['two lengths', 'Content-Length: 0', `Content-Length: ${HIDDEN.length}`],
    ['two lengths in one', 'Content-Length: 0, 5'],
    ['one length twice', 'Content-Length: 5, 5'],
    ['a length with a sign', 'Content-Length: +0'],
    ['a negative length', 'Content-Length: -1'],
    ['a length in hexadecimal', 'Content-Length: 0x0'],
    ['a length with an underscore', 'Content-Length: 1_0'],
    ['a length beyond 64 bits', 'Content-Length: 99999999999999999999'],
    ['an empty length', 'Content-Length:'],
    ['a space before the colon', 'Content-Length : 0'],
    ['a space before the name', ' Content-Length: 0'],
    ['chunks twice', CHUNKED, CHUNKED],
    ['chunks, then something else', 'Transfer-Encoding: chunked, identity'],
    ['something else, then chunks', 'Transfer-Encoding: gzip, chunked'],
    ['nearly chunked', 'Transfer-Encoding: xchunked'],
    ['chunked in quotes', 'Transfer-Encoding: "chunked"'],
    ['chunked after a vertical tab', 'Transfer-Encoding: \x0bchunked'],
    ['chunked on the next line', 'Transfer-Encoding:\r\n chunked'],
    ['chunks that have a space before the colon', 'Transfer-Encoding : chunked'],
    ['identity and chunks', 'Transfer-Encoding: identity', CHUNKED],
    ['a header name with NUL', 'Content-\0Length: 0'],
    ['a header value with NUL', 'X: a\0b'],
    ['a header value with a bare CR', `X: a\rContent-Length: ${HIDDEN.length}`],
    ['a header without a colon', 'Content-Length 0'],
    ['a folded header', 'X: a\r\n b', 'Content-Length: 0'],
    ['a folded length', 'Content-Length:\r\n 0'],
  ].map(([name = '', ...headers]) => refused(name, `${post(...headers)}0\r\n\r\n${HIDDEN}`)),
  ...[
    ['a chunk of a negative size', '-1\r\n\r\n'],
    ['a chunk size with 0x', '0x0\r\n\r\n'],
    ['a chunk size beyond 64 bits', '10000000000000000\r\n\r\n'],
    ['a chunk size with a sign', '+0\r\n\r\n'],
    ['a space before a chunk size', ' 0\r\n\r\n'],
    ['a chunk size that ends in a bare line feed', '0\n\n'],
    ['a chunk that ends in a bare line feed', '1\r\nx\n0\r\n\r\n'],
    ['a chunk without its end', '1\r\nx0\r\n\r\n'],
    ['a chunk longer than its size', '1\r\nxyz\r\n0\r\n\r\n'],
    ['a chunk extension with a bare line feed', '0;a\nb\r\n\r\n'],
    ['a trailer with a bare line feed', '0\r\nA: b\n\n'],
  ].map(([name = '', chunks = '']) => refused(name, post(CHUNKED) + chunks + HIDDEN)),
]

const MALFORMED: readonly SocketCase[] = [
  ...[
    ['bare line feeds', 'GET /healthz HTTP/1.1\nHost: test\n\n'],
    ['bare line feeds after a good line', 'GET /healthz HTTP/1.1\r\nHost: test\n\n'],
    ['bare carriage returns', 'GET /healthz HTTP/1.1\rHost: test\r\r'],
    ['a path with a space', get('/healthz x')],
    ['no path', 'GET HTTP/1.1\r\nHost: test\r\n\r\n'],
    ['no version', 'GET /healthz\r\n\r\n'],
    ['two Hosts', get('/healthz', 'Host: other.test')],
    ['no Host', lines('GET /healthz HTTP/1.1')],
    ['a method of another case', lines('get /healthz HTTP/1.1', 'Host: test')],
    ['an unknown method', lines('BREW /healthz HTTP/1.1', 'Host: test')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', lines('GET /healthz HTTP/0.9')],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['NUL in the path', get('/healthz\0')],
    ['CONNECT', lines('CONNECT db.internal:5432 HTTP/1.1', 'Host: db.internal:5432')],
    ['TRACE', lines('TRACE /healthz HTTP/1.1', 'Host: test')],
    ['an absolute target of another scheme', get('ftp://test/healthz')],
    ['an absolute target without a host', get('http:///healthz')],
    ['a header of 100 KiB', get('/healthz', `X: ${'x'.repeat(100 * 1024)}`)],
    ['a header name of 100 KiB', get('/healthz', `${'x'.repeat(100 * 1024)}: 1`)],
    ['a path of 100 KiB', get(`/${'x'.repeat(100 * 1024)}`)],
    ['5,000 headers', get('/healthz', ...Array.from({ length: 5000 }, (_, n) => `X${n}: 1`))],
    ['two access tokens', get('/account', 'Authorization: Bearer a', 'authorization: Bearer b')],
  ].map(([name = '', bytes = '']) => refused(name, bytes)),
  ...[
    '/../etc/passwd',
    '/healthz/..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/healthz%00',
    '/%ff%fe',
    '/%',
    '//healthz',
    '/healthz/',
    '/HEALTHZ',
    '/./healthz',
    '/healthz;x=1',
    '/healthz%20',
    '/account/sessions/%2e%2e/%2e%2e/healthz',
    '/admin/../healthz',
    '\\healthz',
    'healthz',
    '*',
  ].map((target) => refused(`the path ${target}`, get(target))),
]

/** Unusual but valid HTTP: each gets what it asks for, and nothing more. */
const UNUSUAL: readonly SocketCase[] = [
  { name: 'HTTP/1.0', bytes: lines('GET /healthz HTTP/1.0'), answers: [200] },
  { name: 'an absolute target', bytes: get('http://elsewhere.test/healthz'), answers: [200, 404] },
  {
    name: 'Upgrade: h2c',
    bytes: get('/healthz', 'Upgrade: h2c', 'Connection: Upgrade, close'),
    answers: [200],
  },
  {
    name: 'Upgrade: websocket',
    bytes: get('/account', 'Upgrade: websocket', 'Connection: Upgrade, close'),
    answers: [401],
  },
  {
    name: 'ten requests in one packet',
    bytes: HEALTHY.repeat(10),
    answers: [...(Array(10).fill(200) as number[]), 404],
  },
  { name: '1,000 requests in one packet', bytes: HEALTHY.repeat(1000), answers: [] },
  {
    name: 'a bad request after two good ones',
    bytes: `${HEALTHY.repeat(2)}what is this\r\n\r\n${HEALTHY}`,
    answers: [200, 200, 400],
  },
  {
    name: 'a body where none is expected',
    bytes: `${get('/healthz', 'Content-Length: 2')}{}`,
    answers: [415, 404],
  },
  {
    name: 'a request after a body of chunks',
    bytes: `${post(CHUNKED)}2\r\n{}\r\n0\r\n\r\n${HEALTHY}`,
    answers: [415, 200, 404],
  },
  { name: 'an empty line before a request', bytes: `\r\n${HEALTHY}`, answers: [200, 404] },
]

export const SOCKET_CASES = { SMUGGLING, MALFORMED, UNUSUAL }
