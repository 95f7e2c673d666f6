import { beforeEach, describe, expect, test } from '@jest/globals'
import { createEphemeralKeystore } from '../../server/keystore/keystore.ts'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { createRemoteKeys, type RemoteKeys } from '../../server/resource-server/remote-keys.ts'
import { createLogger } from '../../server/log/logger.ts'
import { createClock, type TestClock } from '../support/clock.ts'
import { DEFAULTS } from '../token/fixtures.ts'
import { away, createLine, ISSUER, type Line } from './fixtures.ts'

let clock: TestClock
let line: Line
let keys: RemoteKeys
let logs: string[]
let published: unknown[]
let metadata: Record<string, unknown>
let key: KeyPair

const answer = (body: unknown) => Promise.resolve(Response.json(body))
const present = (url: string) => answer(url.endsWith('/jwks.json') ? { keys: published } : metadata)
const freshKey = async () => (await createEphemeralKeystore(DEFAULTS)).signingKey

beforeEach(async () => {
  clock = createClock()
  logs = []
  line = createLine({ url: 'http://unused.test' })
  line.instead = present
  key = await freshKey()
  published = [key.publicJwk]
  metadata = {
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/.well-known/jwks.json`,
    access_token_signing_alg_values_supported: ['ES256'],
  }
  const logger = createLogger('trace', { write: (text) => void logs.push(text) })
  keys = createRemoteKeys({ issuer: ISSUER, fetch: line.fetch, clock, logger })
})

test('fetches both documents once for simultaneous callers', async () => {
  const found = await Promise.all([key.kid, key.kid, 'x'].map((kid) => keys.find(kid)))
  expect(found).toEqual([
    expect.objectContaining({ kid: key.kid, alg: 'ES256' }),
    found[0],
    undefined,
  ])
  expect(line.asked).toEqual([
    `${ISSUER}/.well-known/oauth-authorization-server`,
    `${ISSUER}/.well-known/jwks.json`,
  ])
})

test('fetches again for an unknown key, at most every five seconds', async () => {
  await keys.find(key.kid)
  const next = await freshKey()
  published = [next.publicJwk]
  expect(await keys.find(next.kid)).toBeUndefined()
  clock.advance(4)
  expect(await keys.find('made up')).toBeUndefined()
  expect(line.asked).toHaveLength(2)
  clock.advance(1)
  expect(await keys.find(next.kid)).toMatchObject({ kid: next.kid })
  expect(await keys.find(key.kid)).toBeUndefined()
  expect(line.asked).toHaveLength(4)
})

test('fetches again after five minutes, and drops keys that are no longer published', async () => {
  await keys.find(key.kid)
  published = []
  clock.advance(299)
  expect(await keys.find(key.kid)).toBeDefined()
  clock.advance(1)
  expect(await keys.find(key.kid)).toBeUndefined()
})

describe('while the auth server is away', () => {
  test('keeps known keys for a day, and tries to fetch them every five seconds', async () => {
    await keys.find(key.kid)
    line.instead = away
    clock.advance(600)
    for (let i = 0; i < 3; i++) expect(await keys.find(key.kid)).toBeDefined()
    expect(line.asked).toHaveLength(3)
    clock.advance(85_799)
    expect(await keys.find(key.kid)).toBeDefined()
    clock.advance(1)
    await expect(keys.find(key.kid)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryAfter: 5,
    })
    line.instead = present
    clock.advance(5)
    expect(await keys.find(key.kid)).toBeDefined()
  })

  test('lets only the first request for a known key wait for it', async () => {
    await keys.find(key.kid)
    line.instead = away
    clock.advance(600)
    expect(await keys.find(key.kid)).toBeDefined()
    let answerNow = () => undefined as unknown
    line.instead = (url) =>
      new Promise((resolve) => {
        answerNow = () => {
          line.instead = present
          resolve(present(url))
        }
      })
    clock.advance(5)
    expect(await keys.find(key.kid)).toBeDefined()
    // An unknown key may be new, so it has to wait.
    const unknown = keys.find('x')
    published = []
    answerNow()
    expect(await unknown).toBeUndefined()
    expect(await keys.find(key.kid)).toBeUndefined()
  })

  test('waits for the keys again if the last failure was five minutes ago', async () => {
    await keys.find(key.kid)
    line.instead = away
    clock.advance(600)
    expect(await keys.find(key.kid)).toBeDefined()
    // It has come back meanwhile, without this key, and nobody has asked.
    line.instead = present
    published = []
    clock.advance(300)
    expect(await keys.find(key.kid)).toBeUndefined()
  })

  test('fails to look up an unknown key until the keys can be fetched', async () => {
    line.instead = away
    for (let i = 0; i < 3; i++) await expect(keys.find('x')).rejects.toThrow('cannot be fetched')
    expect(line.asked).toHaveLength(1)
    expect(await keys.reload()).toBe(false)
    line.instead = present
    expect(await keys.reload()).toBe(true)
    expect(await keys.find('x')).toBeUndefined()
  })

  test('drops known keys if the clock has been set back', async () => {
    await keys.find(key.kid)
    clock.advance(-3600)
    line.instead = away
    await expect(keys.find(key.kid)).rejects.toThrow('cannot be fetched')
  })
})

describe('refuses an answer with', () => {
  const json = (body: unknown) => () => answer(body)
  test.each<[string, () => void, string]>([
    ['another issuer', () => (metadata['issuer'] = 'https://evil.test'), 'has a different ISSUER'],
    [
      'keys on another host',
      () => (metadata['jwks_uri'] = 'https://evil.test/k'),
      'is not below that URL',
    ],
    [
      'keys on a host whose name begins like the issuer',
      () => (metadata['jwks_uri'] = `${ISSUER}.evil.test/k`),
      'is not below that URL',
    ],
    [
      'a symmetric algorithm',
      () => (metadata['access_token_signing_alg_values_supported'] = ['HS256']),
      'is not the metadata',
    ],
    [
      'no algorithm',
      () => (metadata['access_token_signing_alg_values_supported'] = []),
      'is not the metadata',
    ],
    ['a list in place of the metadata', () => (line.instead = json([])), 'is not the metadata'],
    [
      'HTML in place of the metadata',
      () => (line.instead = () => Promise.resolve(new Response('<p>'))),
      'did not answer with JSON',
    ],
    [
      'an error status',
      () => (line.instead = () => Promise.resolve(Response.json(metadata, { status: 500 }))),
      'answered 500',
    ],
    [
      'no JWK Set',
      () => (line.instead = (url) => answer(url.endsWith('jwks.json') ? {} : metadata)),
      'is not a JWK Set',
    ],
  ])('%s', async (_, prepare, words) => {
    prepare()
    await expect(keys.find(key.kid)).rejects.toMatchObject({ name: 'UnavailableError' })
    expect(JSON.parse(logs.at(-1)!)).toMatchObject({
      level: 'warn',
      msg: expect.stringContaining(words),
    })
  })
})

test('a bug while reading a key makes the lookup fail, and does not leave out that key', async () => {
  let reads = 0
  const jwk = {
    ...key.publicJwk,
    get crv() {
      // The first read checks the shape.
      if (++reads > 1) throw new RangeError('Array buffer allocation failed')
      return 'P-256'
    },
  }
  line.instead = (url) =>
    url.endsWith('/jwks.json')
      ? Promise.resolve({ status: 200, json: () => Promise.resolve({ keys: [jwk] }) } as Response)
      : answer(metadata)
  await expect(keys.find(key.kid)).rejects.toMatchObject({ name: 'UnavailableError' })
  expect(JSON.parse(logs.at(-1)!)).toMatchObject({ level: 'warn', err: { type: 'RangeError' } })
})

test.each<[string, (jwk: Record<string, unknown>) => unknown]>([
  ['is for encryption', (jwk) => ({ ...jwk, use: 'enc' })],
  ['has no use', (jwk) => ({ ...jwk, use: undefined })],
  ['has no algorithm', (jwk) => ({ ...jwk, alg: undefined })],
  ['has an unknown algorithm', (jwk) => ({ ...jwk, alg: 'none' })],
  ['has the algorithm of another type', (jwk) => ({ ...jwk, alg: 'RS256' })],
  ['has a kid other than its thumbprint', (jwk) => ({ ...jwk, kid: 'x' })],
  ['is off the curve', (jwk) => ({ ...jwk, y: jwk['x'] })],
  ['is private', () => key.privateKey.export({ format: 'jwk' })],
  ['is a string', () => 'key'],
])('a key that %s is left out, and the others stay', async (_, change) => {
  const other = await freshKey()
  published = [change({ ...key.publicJwk }), other.publicJwk]
  expect(await keys.find(key.kid)).toBeUndefined()
  expect(await keys.find('x')).toBeUndefined()
  expect(await keys.find(other.kid)).toMatchObject({ kid: other.kid })
})
