import { beforeEach, describe, expect, test } from '@jest/globals'
import type { KeyObject } from 'node:crypto'
import { issue } from '../../server/token/issue.ts'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { accessToken, refreshToken } from '../../server/token/claims.ts'
import { UnavailableError } from '../../server/errors/unavailable-error.ts'
import { validate } from '../../server/token/validate.ts'
import {
  base64url,
  forge,
  LIFETIME,
  open,
  otherBytes,
  OWN_CLAIMS,
  recipientOf,
  refusal,
  setUp,
  ticket,
  withPart,
  type Fixture,
} from './fixtures.ts'

let server: Fixture
beforeEach(async () => {
  server = await setUp()
})

const claimsOf = async (token: string) =>
  (await validate(server.context, accessToken, token)).claims

describe('a good token', () => {
  test('returns its claims and its outer header', async () => {
    const { seal, accessJws, keystore, now } = server
    const token = await seal(await accessJws())
    const { claims, header } = await validate(server.context, accessToken, token)
    expect(claims).toMatchObject({ ...OWN_CLAIMS, iat: now, exp: now + LIFETIME })
    expect(header).toMatchObject({ kid: keystore.encryptionKey.kid, cty: 'JWT' })
  })

  test('may be sealed without a kid, and is decrypted with the current key', async () => {
    const token = server.sealWith(await server.accessJws(), { kid: undefined })
    expect(await claimsOf(token)).toMatchObject(OWN_CLAIMS)
  })

  test('may carry a binding in its header', async () => {
    const req = { jti: 'request-1', htm: 'GET' }
    const token = server.sealWith(await server.accessJws(), { req })
    const { header } = await validate(server.context, accessToken, token)
    expect(header['req']).toEqual(req)
  })

  test('may be sealed any number of times', async () => {
    const jws = await server.accessJws()
    const [one, two] = [await server.seal(jws), await server.seal(jws)]
    expect(one).not.toBe(two)
    expect(await claimsOf(one)).toEqual(await claimsOf(two))
  })

  test('forged by a test is accepted, so the forgeries below are refused for their changes', async () => {
    const { header, claims, keystore } = server
    const jws = forge(header, claims, keystore.signingKey.privateKey)
    expect(await claimsOf(await server.seal(jws))).toEqual(claims)
    expect(await claimsOf(server.sealWith(jws))).toEqual(claims)
  })

  test('has the same jti as its twin with the other valid signature', async () => {
    const jws = await server.accessJws()
    const twin = withPart(jws, 2, otherSignature)
    expect(twin).not.toBe(jws)
    const [one, other] = [
      await claimsOf(await server.seal(jws)),
      await claimsOf(server.sealWith(twin)),
    ]
    expect(other.jti).toBe(one.jti)
  })

  test('may have 8 KiB, and not one byte more', async () => {
    const { header, claims, keystore } = server
    const sized = (scope: number, pad: number) =>
      server.sealWith(
        forge(header, { ...claims, scope: 'x'.repeat(scope) }, keystore.signingKey.privateKey),
        { pad: 'x'.repeat(pad) },
      )
    const missing = 8192 - sized(4000, 0).length
    const pads = Array.from({ length: 24 }, (_, n) => Math.floor((missing * 3) / 4) - 12 + n)
    const tokens = pads.map((pad) => sized(4000, pad))
    const fits = tokens.find(({ length }) => length === 8192)
    const exceeds = tokens.find(({ length }) => length === 8193)
    expect(await claimsOf(fits!)).toMatchObject({ jti: claims.jti })
    expect(await server.refused(exceeds!)).toEqual({ code: 'token_invalid', reason: 'too_long' })
  })
})

describe('time', () => {
  test.each([
    ['one second before exp', LIFETIME - 1],
    ['a millisecond before exp', LIFETIME - 0.001],
  ])('a token is good %s', async (_name, seconds) => {
    const token = await server.seal(await server.accessJws())
    server.clock.advance(seconds)
    expect(await claimsOf(token)).toMatchObject(OWN_CLAIMS)
  })

  test.each([
    ['at exp', LIFETIME],
    ['a year later', 365 * 86_400],
  ])('a token has expired %s, with no leeway', async (_name, seconds) => {
    const token = await server.seal(await server.accessJws())
    server.clock.advance(seconds)
    expect(await server.refused(token)).toEqual({ code: 'token_expired', reason: 'exp' })
  })

  test('iat may be 5 seconds ahead, and not 6', async () => {
    const token = await server.seal(await server.accessJws())
    server.clock.advance(-5)
    expect(await claimsOf(token)).toMatchObject(OWN_CLAIMS)
    server.clock.advance(-1)
    expect(await server.refused(token)).toEqual({ code: 'token_invalid', reason: 'iat' })
  })

  test.each<[string, (jws: string) => string | Promise<string>]>([
    ['forged', (jws) => withPart(jws, 2, otherBytes)],
    ['for another client', (jws) => resigned(jws, { aud: 'client-2' })],
    ['of another issuer', (jws) => resigned(jws, { iss: 'https://evil.test' })],
    ['of another kind', (jws) => resigned(jws, {}, { typ: 'rt+jwt' })],
    ['with an unknown claim', (jws) => resigned(jws, { admin: true })],
    ['issued in the future', (jws) => resigned(jws, { iat: 4_000_000_000 })],
    [
      'of another key',
      async (jws) => resigned(jws, {}, {}, (await setUp()).keystore.signingKey.privateKey),
    ],
  ])('an expired token that is also %s is invalid, not expired', async (_name, change) => {
    const jws = await server.accessJws()
    server.clock.advance(LIFETIME)
    expect((await server.refused(await server.seal(await change(jws)))).code).toBe('token_invalid')
  })

  test('an expired token for another audience than the required one is invalid, not expired', async () => {
    const token = await server.seal(await server.accessJws())
    server.clock.advance(LIFETIME)
    const { code } = await refusal(
      validate(server.context, { ...accessToken, audience: 'client-2' }, token),
    )
    expect(code).toBe('token_invalid')
  })
})

describe('audience', () => {
  const sealedTicket = async (aud: string) => {
    const { context, client, seal } = server
    const claims = { sub: 'account-1', aud }
    return seal(await open(issue(context, ticket, claims, recipientOf(client), LIFETIME), client))
  }

  test("a kind's own audience is required by default", async () => {
    const { claims } = await validate(server.context, ticket, await sealedTicket('/tickets'))
    expect(claims.aud).toBe('/tickets')
    expect(await refusal(validate(server.context, ticket, await sealedTicket('/ticket')))).toEqual({
      code: 'token_invalid',
      reason: 'aud',
    })
  })

  test('an explicit audience is required', async () => {
    const token = await server.seal(await server.accessJws())
    const { claims } = await validate(
      server.context,
      { ...accessToken, audience: 'client-1' },
      token,
    )
    expect(claims.aud).toBe('client-1')
    expect(
      await refusal(validate(server.context, { ...accessToken, audience: 'client-2' }, token)),
    ).toEqual({
      code: 'token_invalid',
      reason: 'aud',
    })
  })
})

describe('a token of one kind is refused as another:', () => {
  const KINDS = [accessToken, refreshToken, ticket] as const
  const pairs = KINDS.flatMap((is) => KINDS.filter((kind) => kind !== is).map((as) => ({ is, as })))

  test.each(pairs)('$is.typ as $as.typ', async ({ is, as }) => {
    const { header, claims, seal, keystore } = server
    const jws = forge({ ...header, typ: is.typ }, claims, keystore.signingKey.privateKey)
    // The signature of `validate` takes one kind, not the union.
    const work = validate(server.context, as as typeof accessToken, await seal(jws))
    expect(await refusal(work)).toEqual({ code: 'token_invalid', reason: 'typ' })
  })

  test('the claims of another kind, even under the right typ', async () => {
    const { header, claims } = server
    const refresh = { ...claims, scope: undefined }
    expect((await server.refusedSigned(header, refresh)).reason).toBe('claims')
  })
})

describe('a fault of the server is not a verdict on the token:', () => {
  const FAULTS = [
    new TypeError('a bug'),
    new RangeError('Array buffer allocation failed'),
    Object.assign(new Error('no such row'), { code: 'SQLITE_BUSY' }),
    new UnavailableError('the keys cannot be had', 5),
  ]
  const PLACES = ['decryptionKey', 'verificationKey', 'clock'] as const
  const cases = PLACES.flatMap((place) => FAULTS.map((fault) => ({ place, fault })))

  test.each(cases)('$fault.name thrown by $place passes through', async ({ place, fault }) => {
    const fail = () => {
      throw fault
    }
    const context =
      place === 'clock'
        ? { ...server.context, clock: fail }
        : { ...server.context, keystore: { ...server.keystore, [place]: fail } }
    const token = await server.seal(await server.accessJws())
    await expect(validate(context, accessToken, token)).rejects.toBe(fault)
  })

  test.each(['decryptionKey', 'verificationKey'] as const)(
    'a key from %s that cannot be used throws a TypeError',
    async (place) => {
      const { keystore } = server
      // The halves of the pair, exchanged.
      const exchange = (pair: KeyPair) => ({
        ...pair,
        privateKey: pair.publicKey,
        publicKey: pair.privateKey,
      })
      const pair = place === 'decryptionKey' ? keystore.encryptionKey : keystore.signingKey
      const context = {
        ...server.context,
        keystore: { ...keystore, [place]: () => exchange(pair) },
      }
      const token = await server.seal(await server.accessJws())
      await expect(validate(context, accessToken, token)).rejects.toBeInstanceOf(TypeError)
    },
  )
})

/** (r, s) → (r, n − s) on P-256. */
function otherSignature(signature: string): string {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const hex = Buffer.from(signature, 'base64url').toString('hex')
  const s = (n - BigInt(`0x${hex.slice(64)}`)).toString(16).padStart(64, '0')
  return base64url(Buffer.from(hex.slice(0, 64) + s, 'hex'))
}

/** `jws` with other claims or header, signed anew. */
function resigned(
  jws: string,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
  key: KeyObject = server.keystore.signingKey.privateKey,
): string {
  const [h, p] = jws.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  return forge({ ...JSON.parse(h!), ...header }, { ...JSON.parse(p!), ...claims }, key)
}
