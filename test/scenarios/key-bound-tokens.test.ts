/** Key-bound tokens: the JWS is worthless without the client's private key. */
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { CompactEncrypt } from 'jose'
import type { ReplayCache } from '../../server/limits/replay-cache.ts'
import { createReplayCache } from '../../server/limits/replay-cache.ts'
import { createKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { DEFAULTS, keySet, ring } from '../keystore/fixtures.ts'
import { GOOD_PASSWORD, TestClient, type Answer, type TestSession } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { PLAIN_PATH, plainRoute } from '../support/plain-route.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

type Req = Record<string, unknown>

/** The ids that the replay memory was given. */
let remembered: string[]
const memory = createReplayCache(1000)
const replayCache: ReplayCache = {
  remember(id, ...rest) {
    remembered.push(id)
    return memory.remember(id, ...rest)
  },
}

let keystore: Keystore
let server: TestServer
beforeAll(async () => {
  keystore = createKeystore(
    keySet(await generateKeyPair('sig', DEFAULTS), await generateKeyPair('enc', DEFAULTS)),
  )
  server = await startTestServer({
    features: [plainRoute],
    replayCache,
    keystore,
    variables: { RATE_LIMIT_REFRESH: 'off' },
  })
})
afterAll(() => server.stop())

const register = () => TestClient.registered(server.url, { key_bound_tokens: true })

let client: TestClient
let session: TestSession
beforeEach(async () => {
  client = await register()
  session = await client.signUp()
  remembered = []
})

const digest = (body: string) => createHash('sha256').update(body).digest('base64url')

/** A `req` for a request, without a proof. */
const reqFor = (htm = 'GET', path = '/account', body?: string): Req => ({
  jti: randomUUID(),
  iat: Math.floor(server.clock() / 1000),
  htm,
  htu: server.config.issuer + path,
  ...(body === undefined ? {} : { dig: digest(body) }),
})

/** Sends `GET /account` with any `req`. */
const get = async (jws: string, req?: unknown, path = '/account', requestId?: string) => {
  const sealed = await client.seal(jws, req === undefined ? {} : { req })
  const headers = requestId === undefined ? {} : { 'x-request-id': requestId }
  return client.send('GET', path, undefined, { authorization: `Bearer ${sealed}`, ...headers })
}
/** Sends `POST /token` or `/revoke` with any `req`. */
const post = async (path: '/token' | '/revoke', jws: string, req?: unknown) => {
  const sealed = await client.seal(jws, req === undefined ? {} : { req })
  const body =
    path === '/revoke' ? { token: sealed } : { grant_type: 'refresh_token', refresh_token: sealed }
  return client.send('POST', path, body)
}
/** With a proof, as the client makes it. */
const getProven = async (jws = session.accessJws, path = '/account') =>
  get(jws, await client.prove(jws, reqFor('GET', path)), path)
const refresh = async (jws = session.refreshJws) =>
  post('/token', jws, await client.prove(jws, reqFor('POST', '/token')))

const visible = ({ status, headers, text }: Answer) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)),
})
/** The one answer to every refused token. */
const reference = () => client.send('GET', '/account', undefined, { authorization: 'Bearer x' })

describe("with a proof by the client's key, a token is accepted", () => {
  test('as an access token, with and without a body', async () => {
    expect((await getProven()).status).toBe(200)
    const body = JSON.stringify({ name: 'Zoë' })
    const req = await client.prove(session.accessJws, reqFor('PATCH', '/account', body))
    const token = await client.seal(session.accessJws, { req })
    const headers = { authorization: `Bearer ${token}` }
    const answer = await client.send('PATCH', '/account', body, headers)
    expect([answer.status, answer.body.account.name]).toEqual([200, 'Zoë'])
  })

  test('at renewal, and the new tokens are key-bound too', async () => {
    const { status, body } = await refresh()
    expect(status).toBe(200)
    const accessJws = await client.open(body.access_token)
    expect((await get(accessJws, reqFor())).status).toBe(401)
    expect((await getProven(accessJws)).status).toBe(200)
    const refreshJws = await client.open(body.refresh_token)
    expect((await post('/token', refreshJws, reqFor('POST', '/token'))).status).toBe(400)
    expect((await refresh(refreshJws)).status).toBe(200)
  })

  test.each(['accessJws', 'refreshJws'] as const)('to end the session: %s', async (kind) => {
    const jws = session[kind]
    const req = await client.prove(jws, reqFor('POST', '/revoke'))
    expect((await post('/revoke', jws, req)).status).toBe(200)
    expect((await getProven()).status).toBe(401)
  })

  test('after a change of the password, as the new tokens are key-bound too', async () => {
    const body = JSON.stringify({
      current_password: GOOD_PASSWORD,
      new_password: 'another long and winding road',
    })
    const req = await client.prove(session.accessJws, reqFor('PUT', '/account/password', body))
    const token = await client.seal(session.accessJws, { req })
    const headers = { authorization: `Bearer ${token}` }
    const answer = await client.send('PUT', '/account/password', body, headers)
    const accessJws = await client.open(answer.body.access_token)
    expect((await get(accessJws, reqFor())).status).toBe(401)
    expect((await getProven(accessJws)).status).toBe(200)
  })
})

describe('a thief who has the JWS', () => {
  let thief: TestClient
  beforeEach(async () => {
    thief = await register()
  })

  /** What a thief can try instead of a proof. */
  const attempts: [string, (jws: string, req: Req) => unknown][] = [
    ['no req', () => undefined],
    ['no mac', (_, req) => req],
    ['a mac by another key', (jws, req) => thief.prove(jws, req)],
    [
      'a mac by another key for the owner',
      (jws, req) => {
        thief.id = client.id
        return thief.prove(jws, req)
      },
    ],
    ['a mac without a key', (_, req) => ({ ...req, mac: digest('') })],
  ]

  const lastUsed = async () =>
    (await server.database.selectFrom('sessions').selectAll().execute()).find(
      ({ id }) => id === session.sessionId,
    )?.last_used_at

  test.each(attempts)('cannot read the account with %s', async (_, forge) => {
    const before = await lastUsed()
    server.clock.advance(300)
    const answer = await get(session.accessJws, await forge(session.accessJws, reqFor()))
    expect(visible(answer)).toEqual(visible(await reference()))
    expect(remembered).toEqual([])
    expect(await lastUsed()).toBe(before)
    await getProven()
    expect(await lastUsed()).not.toBe(before)
  })

  test.each(attempts)('cannot renew with %s, and the owner still can', async (_, forge) => {
    const jws = session.refreshJws
    const { status, body } = await post('/token', jws, await forge(jws, reqFor('POST', '/token')))
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
    expect(remembered).toEqual([])
    const rotated = await refresh()
    expect(rotated.status).toBe(200)
    // Used long ago: with a valid proof it would now end the session.
    server.clock.advance(60)
    const again = await post('/token', jws, await forge(jws, reqFor('POST', '/token')))
    expect([again.status, again.text]).toEqual([400, JSON.stringify(body)])
    expect((await refresh(await client.open(rotated.body.refresh_token))).status).toBe(200)
  })

  test.each(attempts)('cannot end the session with %s', async (_, forge) => {
    for (const jws of [session.accessJws, session.refreshJws]) {
      const answer = await post('/revoke', jws, await forge(jws, reqFor('POST', '/revoke')))
      expect([answer.status, answer.text]).toEqual([200, '{}'])
    }
    expect(remembered).toEqual([])
    expect((await getProven()).status).toBe(200)
  })

  test('cannot use a proof of another request or token', async () => {
    const other = await client.login(session.answer.body.account.email)
    const mine = await client.prove(session.accessJws, reqFor())
    const request = { ...mine, ...reqFor('GET', PLAIN_PATH), jti: mine['jti'] }
    expect((await get(session.accessJws, request, PLAIN_PATH)).status).toBe(401)
    expect((await get(session.accessJws, { ...mine, iat: Number(mine['iat']) + 1 })).status).toBe(
      401,
    )
    expect((await get(session.accessJws, { ...mine, jti: 'another' })).status).toBe(401)
    expect((await get(other.accessJws, mine)).status).toBe(401)
    expect(remembered).toEqual([])
    expect((await get(session.accessJws, mine)).status).toBe(200)
  })

  test('cannot replay a proof, and the try is audited', async () => {
    const req = await client.prove(session.accessJws, reqFor())
    expect((await get(session.accessJws, req)).status).toBe(200)
    const replayed = await get(session.accessJws, req, '/account', 'replayed')
    expect(visible(replayed)).toEqual(visible(await reference()))
    expect(logLines(server, 'replayed')).toContainEqual(
      expect.objectContaining({ audit: 'request_replayed', session_id: session.sessionId }),
    )
  })

  test('does not learn that a token has expired, unlike the owner', async () => {
    server.clock.advance(server.config.accessTokenTtl)
    expect(visible(await get(session.accessJws, reqFor()))).toEqual(visible(await reference()))
    expect((await getProven()).headers.get('www-authenticate')).toMatch(/expired/)
  })

  test('leaves the reason of the refusal in the log', async () => {
    await get(session.accessJws, reqFor(), '/account', 'stolen')
    await get(
      session.accessJws,
      await thief.prove(session.accessJws, reqFor()),
      '/account',
      'forged',
    )
    const reasons = (id: string) =>
      logLines(server, id).flatMap((line) => ('reason' in line ? [line.reason] : []))
    expect([reasons('stolen'), reasons('forged')]).toEqual([['proof_missing'], ['proof']])
  })
})

describe('an invalid mac is refused in the one wording, and nothing is used up:', () => {
  test.each<[string, (mac: string) => unknown]>([
    ['absent', () => undefined],
    ['null', () => null],
    ['empty', () => ''],
    ['a number', () => 1],
    ['a list', (mac) => [mac]],
    ['truncated', (mac) => mac.slice(0, -1)],
    ['padded', (mac) => `${mac}=`],
    ['garbled', (mac) => mac.slice(1) + mac[0]!],
  ])('%s', async (_, garble) => {
    const { accessJws, refreshJws } = session
    const good = await client.prove(accessJws, reqFor())
    const answer = await get(accessJws, { ...good, mac: garble(good.mac) })
    expect(visible(answer)).toEqual(visible(await reference()))

    const body = await client.prove(refreshJws, reqFor('POST', '/token'))
    const refused = await post('/token', refreshJws, { ...body, mac: garble(body.mac) })
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant'])
    expect(remembered).toEqual([])

    expect((await get(accessJws, good)).status).toBe(200)
    expect((await post('/token', refreshJws, body)).status).toBe(200)
    expect(remembered).toHaveLength(2)
  })
})

test('a JWE without a kid is refused', async () => {
  const req = await client.prove(session.accessJws, reqFor())
  const token = await client.seal(session.accessJws, { req, kid: undefined })
  const headers = { authorization: `Bearer ${token}` }
  const answer = await client.send('GET', '/account', undefined, headers)
  expect(visible(answer)).toEqual(visible(await reference()))
})

test('a token that is not key-bound needs no proof, and a mac in its req is ignored', async () => {
  const plain = await TestClient.registered(server.url)
  const { accessJws } = await plain.signUp()
  for (const req of [undefined, reqFor(), { ...reqFor(), mac: 1 }]) {
    const header = req === undefined ? {} : { req }
    const headers = { authorization: `Bearer ${await plain.seal(accessJws, header)}` }
    expect((await plain.send('GET', '/account', undefined, headers)).status).toBe(200)
  }
})

test.each(['P-384', 'P-521', 'X25519'])('key-bound tokens work on %s', async (crv) => {
  const { clock } = server
  const other = await startTestServer({ clock, variables: { TOKEN_ENCRYPTION_CRV: crv } })
  try {
    client = await TestClient.registered(other.url, { key_bound_tokens: true }, crv)
    session = await client.signUp()
    for (let renewals = 0; renewals < 2; renewals++) {
      expect((await get(session.accessJws, reqFor())).status).toBe(401)
      expect((await getProven()).status).toBe(200)
      const { status, body } = await refresh()
      expect(status).toBe(200)
      const [accessJws, refreshJws] = [body.access_token, body.refresh_token]
      session = {
        ...session,
        accessJws: await client.open(accessJws),
        refreshJws: await client.open(refreshJws),
      }
    }
    const req = await client.prove(session.refreshJws, reqFor('POST', '/revoke'))
    expect((await post('/revoke', session.refreshJws, req)).status).toBe(200)
    expect((await getProven()).status).toBe(401)
  } finally {
    await other.stop()
  }
})

describe("when the server's keys are rotated", () => {
  test('proofs for the old key are accepted until it is gone, and proofs for the new one too', async () => {
    const old = keystore.encryptionKey
    const sig = keystore.signingKey
    expect((await getProven()).status).toBe(200)
    const next = await generateKeyPair('enc', DEFAULTS)
    keystore.replace(keySet(ring(sig), ring(next, { previous: [old] })))
    // The client does not know the new key yet.
    expect((await getProven()).status).toBe(200)

    keystore.replace(keySet(ring(sig), ring(next)))
    // This answer makes the client fetch the keys again.
    expect((await getProven()).status).toBe(401)
    expect((await getProven(session.accessJws, PLAIN_PATH)).status).toBe(200)
  })

  test('to another curve, proofs for the old key are accepted, and there is none for the new key', async () => {
    const old = keystore.encryptionKey
    const sig = keystore.signingKey
    const next = await generateKeyPair('enc', { ...DEFAULTS, encryptionCrv: 'X25519' })
    keystore.replace(keySet(ring(sig), ring(next, { previous: [old] })))
    try {
      expect((await getProven()).status).toBe(200)
      // No proof for the new key is possible: a token sealed to it is refused.
      const req = { ...reqFor(), mac: digest('') }
      const sealed = await new CompactEncrypt(new TextEncoder().encode(session.accessJws))
        .setProtectedHeader({ alg: next.alg, enc: 'A128GCM', kid: next.kid, cty: 'JWT', req })
        .encrypt(next.publicKey)
      const headers = { authorization: `Bearer ${sealed}` }
      const answer = await client.send('GET', '/account', undefined, headers)
      expect(visible(answer)).toEqual(visible(await reference()))
    } finally {
      keystore.replace(keySet(ring(sig), ring(old)))
    }
  })
})
