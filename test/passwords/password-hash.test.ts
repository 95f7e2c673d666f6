import { describe, expect, test } from '@jest/globals'
import { hash, verify } from '@node-rs/argon2'
import { createPasswordHasher } from '../../server/passwords/password-hash.ts'
import { createCheapHasher } from '../support/passwords.ts'

const hasher = createPasswordHasher()
const BY = { address: '192.0.2.1' }

test('hashes with argon2id, the parameters of OWASP and a fresh salt', async () => {
  const hashes = [await hasher.hash('password', BY), await hasher.hash('password', BY)]
  for (const text of hashes) {
    expect(text).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22,}\$[\w+/]{43,}$/)
    expect(hasher.needsRehash(text)).toBe(false)
  }
  expect(hashes[0]).not.toBe(hashes[1])
})

test.each([
  ['matches itself', 'p\u00e4ssword ', 'p\u00e4ssword ', true],
  ['matches itself in another Unicode normalization form', 'p\u00e4ssword', 'pa\u0308ssword', true],
  ['does not match when trimmed', 'password ', 'password', false],
  ['does not match in another case', 'password', 'Password', false],
  ['does not match when cut off at 72 bytes', 'x'.repeat(100), 'x'.repeat(72), false],
  ['does not match when cut off at a NUL', 'pass\u0000word', 'pass', false],
  ['does not match a compatible spelling', '\ufb01sh and chips', 'fish and chips', false],
])('a password %s', async (_, password, given, matches) => {
  expect(await hasher.verify(await hasher.hash(password, BY), given, BY)).toBe(matches)
})

test.each([undefined, ''])('no password matches if there is no hash (%j)', async (none) => {
  for (const password of ['', 'password', 'undefined']) {
    expect(await hasher.verify(none, password, BY)).toBe(false)
  }
})

test('an account without a password takes as long as one with another password', async () => {
  const work: { shape: string; password: string; matches: boolean }[] = []
  const watched = createPasswordHasher({
    argon2: {
      hash,
      async verify(against, password) {
        const matches = await verify(against, password)
        // All that argon2's time depends on: the parameters, and the lengths of salt and hash.
        const [, type, version, parameters, salt = '', digest = ''] = against.split('$')
        const shape = [type, version, parameters, salt.length, digest.length].join('$')
        work.push({ shape, password, matches })
        return matches
      },
    },
  })
  const passwordHash = await watched.hash('password', BY)
  for (const against of [passwordHash, '', undefined]) await watched.verify(against, 'another', BY)
  expect(work[0]).toEqual({
    shape: 'argon2id$v=19$m=19456,t=2,p=1$22$43',
    password: 'another',
    matches: false,
  })
  expect(work).toEqual([work[0], work[0], work[0]])
})

test.each([
  ['less memory', { memoryCost: 8 * 1024, timeCost: 2, parallelism: 1 }],
  ['one pass', { memoryCost: 19 * 1024, timeCost: 1, parallelism: 1 }],
  ['more lanes', { memoryCost: 19 * 1024, timeCost: 2, parallelism: 2 }],
  ['argon2i', { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1, algorithm: 1 }],
])('a hash made with %s still matches, and needs a rehash', async (_, parameters) => {
  const old = await hash('password', parameters)
  expect(hasher.needsRehash(old)).toBe(true)
  expect(await hasher.verify(old, 'password', BY)).toBe(true)
})

describe('a stored hash', () => {
  const END = '$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
  const checked: string[] = []
  const watched = createPasswordHasher({
    argon2: {
      hash,
      verify: (text) => Promise.resolve(checked.push(text) > 0),
    },
  })

  test.each([
    ['too much memory', '$argon2id$v=19$m=1048577,t=1,p=1'],
    ['a number beyond all bounds', '$argon2id$v=19$m=99999999999999999999,t=1,p=1'],
    ['too many passes', '$argon2id$v=19$m=1048576,t=5,p=1'],
    ['too many passes over little memory', '$argon2id$v=19$m=8,t=4294967295,p=1'],
    ['its memory given twice', '$argon2id$v=19$m=8,m=1073741824,t=1,p=1'],
    ['its parameters in another order', '$argon2id$v=19$t=1,m=1073741824,p=1'],
    ['no parameters', '$argon2id$v=19'],
    ['another function', '$2b$12$m=8,t=1,p=1'],
  ])('with %s is called damaged, and costs nothing', async (_, parameters) => {
    await expect(watched.verify(parameters + END, 'password', BY)).rejects.toThrow(
      'A stored password hash is damaged: it is not Argon2, or it costs too much to check.',
    )
    expect(checked.splice(0)).toEqual([])
  })

  test.each([
    ['the most memory and passes', '$argon2id$v=19$m=1048576,t=4,p=1'],
    ['more passes over less memory', '$argon2id$v=19$m=65536,t=64,p=16'],
    ['another variant', '$argon2i$v=19$m=4096,t=3,p=1'],
    ['the first version', '$argon2d$m=4096,t=3,p=1'],
  ])('with %s is checked', async (_, parameters) => {
    expect(await watched.verify(parameters + END, 'password', BY)).toBe(true)
    expect(checked.splice(0)).toEqual([parameters + END])
  })
})

test('throws for a password over the length limit instead of normalizing it', async () => {
  const endless = '\u0300'.repeat(513)
  await expect(hasher.hash(endless, BY)).rejects.toThrow(RangeError)
  await expect(hasher.verify(undefined, endless, BY)).rejects.toThrow(RangeError)
})

test('load() counts waiting and finished hashes, but not failed ones', async () => {
  const argon2 = {
    hash: () => Promise.resolve('hash'),
    verify: () => Promise.reject(new Error('argon2 has failed')),
  }
  const counting = createPasswordHasher({ argon2 })
  expect(counting.load()).toEqual({ waiting: 0, done: 0, ms: 0 })
  const hashes = Array.from({ length: 5 }, () => counting.hash('password', BY))
  expect(counting.load().waiting).toBeGreaterThan(0)
  await Promise.all(hashes)
  await expect(counting.verify(undefined, 'password', BY)).rejects.toThrow('argon2 has failed')
  expect(counting.load()).toEqual({ waiting: 0, done: 5, ms: expect.any(Number) })
  expect(counting.load().ms).toBeGreaterThan(0)
})

describe('a full queue', () => {
  const cheap = createCheapHasher()

  test.each<[string, (password: string) => Promise<unknown>]>([
    ['hash', (password) => cheap.hash(password, BY)],
    ['verify', (password) => cheap.verify(undefined, password, BY)],
  ])('makes %s unavailable only while it lasts', async (_, work) => {
    await cheap.verify(undefined, 'for the dummy to be there', BY)
    const results = await Promise.allSettled(
      Array.from({ length: 70 }, async (_, index) => work(`password ${index}`)),
    )
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThan(20)
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ name: 'UnavailableError', retryAfter: 1 })
    }
    await expect(work('password')).resolves.not.toBeUndefined()
  })
})
