import { beforeAll, expect, test } from '@jest/globals'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { Client } from '../../server/clients/clients.ts'
import type { Account } from '../../server/database/schema.ts'
import { issuePair } from '../../server/sessions/token-pair.ts'
import { open, setUp, type Fixture } from '../token/fixtures.ts'

let fixture: Fixture
let client: Client
beforeAll(async () => {
  fixture = await setUp()
  client = {
    id: fixture.client.kid,
    name: null,
    jwk: fixture.client.publicKey.export({ format: 'jwk' }),
    alg: 'ECDH-ES+A128KW',
    isKeyBound: false,
    createdAt: 1,
  }
})

/** A pair of a session that has so many milliseconds left. */
async function pairOf(left: number, accessTokenTtl = 900, generation = 0) {
  const { context, clock } = fixture
  const expiresAt = clock() + left
  const session = {
    id: 'session-1',
    account: { id: 'account-1' } as Account,
    generation,
    expiresAt,
    jti: 'recorded',
  }
  const pair = issuePair(context, session, client, 'user admin', accessTokenTtl)
  const [access, refresh] = await Promise.all([
    open(pair.access_token, fixture.client),
    open(pair.refresh_token, fixture.client),
  ])
  return { pair, access, refresh }
}

test('both tokens are for the client, and each has its own typ and claims', async () => {
  const { pair, access, refresh } = await pairOf(3_600_000)
  expect(Object.keys(pair)).toEqual(['access_token', 'refresh_token', 'token_type', 'expires_in'])
  expect(pair).toMatchObject({ token_type: 'Bearer', expires_in: 900 })
  for (const token of [pair.access_token, pair.refresh_token]) {
    expect(decodeProtectedHeader(token)).toMatchObject({ kid: client.id, cty: 'JWT' })
  }
  const iat = fixture.now
  const shared = {
    iss: fixture.context.issuer,
    sub: 'account-1',
    aud: client.id,
    client_id: client.id,
    sid: 'session-1',
    iat,
  }
  const { jti, ...claims } = decodeJwt(access)
  expect(claims).toEqual({ ...shared, exp: iat + 900, scope: 'user admin' })
  expect(jti).not.toBe('recorded')
  expect(decodeJwt(refresh)).toEqual({ ...shared, exp: iat + 3600, jti: 'recorded' })
  expect([access, refresh].map((jws) => decodeProtectedHeader(jws).typ)).toEqual([
    'at+jwt',
    'rt+jwt',
  ])
})

test.each([
  [901_000, 900, 901],
  [900_000, 900, 900],
  [899_999, 899, 899],
  [1000, 1, 1],
  // In the last moment of a session, the tokens have already expired and nothing fails.
  [999, 0, 0],
])(
  'with %d ms of the session left, the tokens live for %d and %d seconds',
  async (left, accessLife, refreshLife) => {
    const { pair, access, refresh } = await pairOf(left)
    expect(pair.expires_in).toBe(accessLife)
    expect(decodeJwt(access).exp! - fixture.now).toBe(accessLife)
    expect(decodeJwt(refresh).exp! - fixture.now).toBe(refreshLife)
  },
)

test('a refresh token lives as long as the session, even if a moment has passed since its start', async () => {
  const { clock } = fixture
  clock.advance(0.5)
  const expiresAt = clock() + 60_000
  clock.advance(0.25)
  const { refresh } = await pairOf(expiresAt - clock())
  const { iat = 0, exp = 0 } = decodeJwt(refresh)
  expect(exp - iat).toBe(60)
  expect(exp * 1000).toBeLessThanOrEqual(expiresAt)
})

test('both tokens name the session’s generation, unless it is the first', async () => {
  const { access, refresh } = await pairOf(3_600_000, 900, 2)
  expect([decodeJwt(access)['gen'], decodeJwt(refresh)['gen']]).toEqual([2, 2])
  expect(decodeJwt((await pairOf(3_600_000)).access)).not.toHaveProperty('gen')
})

test('a pair costs one key agreement, and each token has a content key of its own', async () => {
  const first = (await pairOf(3_600_000)).pair
  const second = (await pairOf(3_600_000)).pair
  const tokens = [first, second].flatMap((pair) => [pair.access_token, pair.refresh_token])
  const [a, b, c, d] = tokens.map((token) => decodeProtectedHeader(token)['epk'])
  expect(a).toEqual(b)
  expect(c).toEqual(d)
  expect(a).not.toEqual(c)
  expect(new Set(tokens.map((token) => token.split('.')[1])).size).toBe(4)
})
