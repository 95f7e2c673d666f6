/** A token whose agreement is known and which has been verified before is checked like any other. */
import { beforeEach, describe, expect, test } from '@jest/globals'
import { accessToken, refreshToken } from '../../server/token/claims.ts'
import { createTokenCaches } from '../../server/token/token-context.ts'
import { agreeOn, seal } from '../../server/token/jwe/seal-jwe.ts'
import { rememberAgreement, validate } from '../../server/token/validate.ts'
import { edit, refusal, setUp, type Fixture } from './fixtures.ts'

let server: Fixture
let context: Fixture['context'] & { caches: ReturnType<typeof createTokenCaches> }
let jws: string
/** Seals a token under one and the same agreement, with its own content key. */
let next: (text?: string) => string

beforeEach(async () => {
  server = await setUp()
  context = { ...server.context, caches: createTokenCaches() }
  jws = await server.accessJws()
  const { kid, publicKey } = server.keystore.encryptionKey
  const recipient = { kid, alg: 'ECDH-ES+A128KW', publicKey } as const
  const agreement = agreeOn(recipient)
  next = (text = jws) => seal(text, recipient, 'A128GCM', { cty: 'JWT', agreement })
})

/** Accepts a token as a route does, once its session and binding have been checked. */
async function accept(token: string) {
  const valid = await validate(context, accessToken, token)
  rememberAgreement(context, valid)
  return valid.claims
}

const counts = () => {
  const { agreements, verified } = context.caches
  return [agreements, verified].flatMap(({ lookups }) => [lookups.hits, lookups.misses])
}

test('the second token of an agreement costs neither a key agreement nor a signature check', async () => {
  const first = await accept(next())
  expect(counts()).toEqual([0, 1, 0, 1])
  expect(await accept(next())).toEqual(first)
  expect(counts()).toEqual([1, 1, 1, 1])
})

test('an agreement is remembered only after the session and the binding have been checked', async () => {
  await validate(context, accessToken, next())
  await validate(context, accessToken, next())
  expect(counts()).toEqual([0, 2, 1, 1])
})

describe('in a token whose agreement is known', () => {
  test.each([
    ['the encrypted key', 1],
    ['the iv', 2],
    ['the ciphertext', 3],
    ['the tag', 4],
  ])('a change of %s is refused', async (_, part) => {
    await accept(next())
    const segments = next().split('.')
    const bytes = Buffer.from(segments[part]!, 'base64url')
    bytes[0]! ^= 1
    segments[part] = bytes.toString('base64url')
    expect(await refusal(accept(segments.join('.')))).toMatchObject({ reason: 'decryption' })
  })

  test('a change of the header is refused', async () => {
    await accept(next())
    const mangled = edit(next(), 0, { req: { jti: 'a' } })
    expect(await refusal(accept(mangled))).toMatchObject({ reason: 'decryption' })
  })

  test('the content key of another token is refused', async () => {
    await accept(next())
    const [one, other] = [next().split('.'), next().split('.')]
    const mixed = one.with(1, other[1]!).join('.')
    expect(await refusal(accept(mixed))).toMatchObject({ reason: 'decryption' })
  })
})

describe('a token that has been verified before', () => {
  test('still expires', async () => {
    const { exp } = await accept(next())
    server.clock.advance(exp - server.now - 1)
    await accept(next())
    server.clock.advance(1)
    expect(await refusal(accept(next()))).toMatchObject({ code: 'token_expired' })
  })

  test('is still refused by another issuer', async () => {
    await accept(next())
    const elsewhere = { ...context, issuer: 'https://other.test' }
    const work = validate(elsewhere, accessToken, next())
    expect(await refusal(work)).toMatchObject({ reason: 'iss' })
  })

  test('is still refused as another kind', async () => {
    await accept(next())
    const work = validate(context, refreshToken, next())
    expect(await refusal(work)).toMatchObject({ reason: 'typ' })
  })

  test('is refused once its signing key is gone', async () => {
    await accept(next())
    const keystore = { ...server.keystore, verificationKey: () => undefined }
    const work = validate({ ...context, keystore }, accessToken, next())
    expect(await refusal(work)).toMatchObject({ reason: 'jws_kid' })
  })

  test('does not vouch for the same claims under another signature', async () => {
    await accept(next())
    const [head, payload] = jws.split('.')
    const forged = `${head!}.${payload!}.${Buffer.alloc(64, 1).toString('base64url')}`
    expect(await refusal(accept(next(forged)))).toMatchObject({ reason: 'signature' })
  })
})

test('a known agreement opens nothing without its key', async () => {
  await accept(next())
  const { keystore } = await setUp()
  const work = validate({ ...context, keystore }, accessToken, next())
  expect(await refusal(work)).toMatchObject({ reason: 'jwe_kid' })
})

test('refused tokens with invented ephemeral keys do not evict a known agreement', async () => {
  await accept(next())
  for (let n = 0; n < 50; n++) {
    const invented = await server.seal(jws.slice(0, -4) + 'AAAA')
    expect(await refusal(accept(invented))).toMatchObject({ code: 'token_invalid' })
  }
  const [hits] = counts()
  await accept(next())
  expect(counts()[0]).toBe(hits! + 1)
})
