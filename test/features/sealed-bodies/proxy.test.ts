/**
 * A proxy between a client that was told to seal and the server. It strips, swaps, repeats and changes
 * what it can, and makes up the rest. The client finds out each time, and nothing changes for it.
 */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { decrypt } from '../../../client/token/decrypt.ts'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  jsonResponse,
  refusedToken,
  signedUp,
  startServer,
  storedSession,
  type Party,
} from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { encryptJwe } from '../../support/foreign-jose.ts'
import type { TestServer } from '../../support/server.ts'
import { publicKeyOf } from '../../client/token/fixtures.ts'
import { forge } from '../../token/fixtures.ts'

const METADATA = 'GET /.well-known/oauth-authorization-server'
const ACCOUNT = 'GET /account'
const LOGIN = 'POST /account/login'
const JOSE = { 'content-type': 'application/jose' }

let server: TestServer
let party: Party
beforeAll(async () => {
  server = await startServer({}, { features: [sealedBodies] })
  party = await signedUp(server, { sealedBodies: 'required' })
})
afterAll(() => server.stop())
afterEach(() => {
  for (const line of [METADATA, ACCOUNT, LOGIN, 'POST /account']) party.wire.on(line, undefined)
})

const read = () => party.client.account.read()
const signIn = (password = GOOD_PASSWORD) => party.client.signIn({ email: party.email, password })

/** The call fails with this code, and the session stays as it was. */
async function expectFound(work: () => Promise<unknown>, code: string, reason?: string) {
  const before = await storedSession(party.store)
  const error = await errorOf(work())
  expect(error.code).toBe(code)
  if (reason !== undefined) {
    expect((error.cause as Error).message).toBe(`The token is not valid: ${reason}.`)
  }
  expect(await storedSession(party.store)).toEqual(before)
  expect(party.client.session).toBeDefined()
}

describe('metadata without sealed_bodies', () => {
  const stripped = () => {
    const other = clientOf(server, { sealedBodies: 'required', store: party.store })
    other.wire.change(METADATA, { sealed_bodies: undefined })
    return other
  }
  test('stops every call that would send a password', async () => {
    const { client, wire } = clientOf(server, { sealedBodies: 'required' })
    wire.change(METADATA, { sealed_bodies: undefined })
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    const reset = { ...person, token: 'a.b.c' }
    for (const work of [
      () => client.signUp(person),
      () => client.signIn(person),
      () => client.signInWith({ subjectToken: 'a.b.c' }),
      () => client.account.requestPasswordReset(person.email),
      () => client.account.resetPassword(reset),
    ]) {
      expect(await codeOf(work())).toBe('sealing_not_offered')
    }
    const lines = new Set(wire.sent.map(({ line }) => line))
    expect(lines).toEqual(new Set([METADATA, 'GET /.well-known/jwks.json', 'POST /clients']))
  })

  test('sends nothing for an existing session, which stays', async () => {
    server.clock.advance(301)
    const { client, wire } = stripped()
    expect(await codeOf(client.resume())).toBe('sealing_not_offered')
    expect(await codeOf(client.fetch('/account'))).toBe('sealing_not_offered')
    expect(wire.count(ACCOUNT)).toBe(0)
    server.clock.advance(301)
    expect((await clientOf(server, { store: party.store }).client.resume())?.account?.email).toBe(
      party.email,
    )
  })
})

describe('a plain answer', () => {
  test('to a request whose Accept header was changed is refused', async () => {
    const unasked = async (request: Request, send: (request: Request) => Promise<Response>) => {
      const headers = new Headers(request.headers)
      headers.set('accept', 'application/json')
      return send(new Request(request, { headers }))
    }
    party.wire.on(ACCOUNT, unasked)
    await expectFound(read, 'answer_not_sealed')
    party.wire.on(LOGIN, unasked)
    await expectFound(signIn, 'answer_not_sealed')
  })

  test.each([
    ['JSON', '{"account":{}}', 'application/json'],
    ['JSON of another type', '{"account":{}}', 'text/plain'],
    ['an HTML page', '<!doctype html>', 'text/html; charset=utf-8'],
    ['an empty body', '', 'application/json'],
  ])('that was made up is refused: %s', async (_, body, type) => {
    const made = () => Promise.resolve(new Response(body, { headers: { 'content-type': type } }))
    party.wire.on(ACCOUNT, made)
    await expectFound(read, 'answer_not_sealed')
    party.wire.on(LOGIN, made)
    await expectFound(signIn, 'answer_not_sealed')
  })

  test('is reported with a code, a message and the status', async () => {
    party.wire.on(ACCOUNT, () => Promise.resolve(jsonResponse({})))
    expect(await errorOf(read())).toMatchObject({
      code: 'answer_not_sealed',
      status: 200,
      message: 'A plain answer came in place of a sealed one.',
    })
  })

  test('without a body gives no session', async () => {
    const empty = () => Promise.resolve(new Response(null, { status: 204 }))
    party.wire.on(LOGIN, empty)
    await expectFound(signIn, 'bad_answer')
    party.wire.on(ACCOUNT, empty)
    await expectFound(read, 'bad_answer')
  })

  test('with an error status keeps its code', async () => {
    const busy = { error: 'rate_limited', error_description: 'Too many requests.' }
    party.wire.on(ACCOUNT, () => Promise.resolve(jsonResponse(busy, 429)))
    await expectFound(read, 'rate_limited')
    party.wire.on(LOGIN, () => Promise.resolve(new Response('<h1>502</h1>', { status: 502 })))
    await expectFound(signIn, 'network')
  })

  test('never causes a plain request', async () => {
    const wanted = { error: 'unsupported_media_type', error_description: 'Send JSON.' }
    for (const status of [400, 415]) {
      party.wire.on(LOGIN, () => Promise.resolve(jsonResponse(wanted, status)))
      await expectFound(signIn, 'unsupported_media_type')
    }
    const invalid = { error: 'invalid_request', error_description: 'Send JSON.' }
    const date = new Date(server.clock() + 3_600_000).toUTCString()
    party.wire.on(LOGIN, () => Promise.resolve(jsonResponse(invalid, 400, { date })))
    party.wire.sent.length = 0
    await expectFound(signIn, 'invalid_request')
    const sent = party.wire.sent.filter(({ line }) => line === LOGIN)
    expect(sent.map(({ request }) => request.headers.get('content-type'))).toEqual([
      'application/jose',
      'application/jose',
    ])
  })
})

describe('another sealed answer is refused:', () => {
  test('two answers that are swapped', async () => {
    let waiting: ((response: Response) => void) | undefined
    const inPlaceOf: Promise<Response>[] = []
    party.wire.on(ACCOUNT, async (request, send) => {
      const own = send(request)
      inPlaceOf.push(own)
      if (inPlaceOf.length === 1) return new Promise((resolve) => (waiting = resolve))
      waiting!(await own)
      return inPlaceOf[0]!
    })
    const codes = await Promise.all([codeOf(read()), codeOf(read())])
    expect(codes).toEqual(['answer_invalid', 'answer_invalid'])
  })

  test('an answer that is repeated', async () => {
    let old: Response | undefined
    party.wire.on(ACCOUNT, async (request, send) => {
      const answer = await send(request)
      const sent = old?.clone() ?? answer.clone()
      old ??= answer
      return sent
    })
    expect((await read()).account.email).toBe(party.email)
    await expectFound(read, 'answer_invalid', 'req')
    expect((await errorOf(read())).message).toBe('The sealed answer is not valid for this request.')
  })

  test('an answer for somebody else', async () => {
    const other = await signedUp(server)
    let theirs: Response | undefined
    other.wire.on(ACCOUNT, async (request, send) => (theirs = await send(request)).clone())
    await other.client.account.read()
    party.wire.on(ACCOUNT, () => Promise.resolve(theirs!.clone()))
    await expectFound(read, 'answer_invalid', 'jwe_kid')
  })

  test("a failed sign-in's answer to a successful one", async () => {
    let failure: Response | undefined
    party.wire.on(LOGIN, async (request, send) => (failure = await send(request)).clone())
    await expectFound(() => signIn('a wrong and winding road'), 'invalid_grant')
    party.wire.on(LOGIN, async (request, send) => {
      await send(request)
      return failure!.clone()
    })
    await expectFound(signIn, 'answer_invalid', 'req')
  })
})

describe('another status is refused:', () => {
  const answeredWith = (status: number) => async (request: Request, send: typeof fetch) => {
    const answer = await send(request)
    return new Response(await answer.arrayBuffer(), { status, headers: answer.headers })
  }
  test.each([201, 400, 401, 500])('%i instead of 200', async (status) => {
    for (const [line, work] of [
      [ACCOUNT, read],
      [LOGIN, signIn],
    ] as const) {
      party.wire.on(line, answeredWith(status) as never)
      await expectFound(work, 'answer_invalid', 'status')
    }
  })

  test('200 instead of 401', async () => {
    party.wire.on(LOGIN, answeredWith(200) as never)
    await expectFound(() => signIn('a wrong and winding road'), 'answer_invalid', 'status')
  })

  test('204 without the body', async () => {
    party.wire.on(ACCOUNT, async (request, send) => {
      const { headers } = await send(request)
      return new Response(null, { status: 204, headers })
    })
    await expectFound(read, 'answer_invalid', 'segments')
  })
})

describe('an answer with', () => {
  interface Changes {
    readonly claims?: Record<string, unknown>
    readonly header?: Record<string, unknown>
    readonly jwe?: Record<string, unknown>
    /** Replaces the server's signing key. */
    readonly key?: ReturnType<typeof generateKeyPairSync>['privateKey']
    readonly jws?: (jws: string) => string
  }
  /** Changes the server's answers as nobody but the server could. */
  async function expectRefused(changes: Changes, reason: string | undefined) {
    const { privateKey, kid } = server.keystore.signingKey
    const key = (await party.store.loadKey())!
    party.wire.on(ACCOUNT, async (request, send) => {
      const good = await decrypt(await (await send(request)).text(), key, 'JWT')
      const claims = JSON.parse(Buffer.from(good.split('.')[1]!, 'base64url').toString()) as object
      const header = { alg: 'ES256', kid, typ: 'answer+jwt', ...changes.header }
      const made = forge(header, { ...claims, ...changes.claims }, changes.key ?? privateKey)
      const jws = changes.jws?.(made) ?? made
      const jwe = encryptJwe(jws, publicKeyOf(key), { kid: key.id, cty: 'JWT', ...changes.jwe })
      return new Response(jwe, { headers: JOSE })
    })
    if (reason === undefined) await read()
    else await expectFound(read, 'answer_invalid', reason)
  }
  const now = () => Math.floor(server.clock() / 1000)

  test('no change is accepted', () => expectRefused({}, undefined))

  test.each<[string, Changes, string]>([
    ['another issuer', { claims: { iss: 'https://evil.test' } }, 'iss'],
    ['another audience', { claims: { aud: 'x' } }, 'aud'],
    ['several audiences', { claims: { aud: ['x'] } }, 'aud'],
    ['no req', { claims: { req: undefined } }, 'req'],
    ['another status', { claims: { status: 201 } }, 'status'],
    ['a status that is a string', { claims: { status: '200' } }, 'status'],
    ['no iat', { claims: { iat: undefined } }, 'iat'],
    ['no body', { claims: { body: undefined } }, 'payload'],
    ["an access token's typ", { header: { typ: 'at+jwt' } }, 'typ'],
    ['no typ', { header: { typ: undefined } }, 'typ'],
    ['an unknown kid', { header: { kid: 'x' } }, 'jws_kid'],
    ['no signature', { jws: (jws) => jws.replace(/[^.]+$/, '') }, 'signature'],
    ['another algorithm', { header: { alg: 'none' } }, 'jws_kid'],
    [
      'another signing key',
      { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
      'signature',
    ],
    [
      'claims without a signature',
      { jws: (jws) => Buffer.from(jws.split('.')[1]!, 'base64url').toString() },
      'base64url',
    ],
    ['another cty', { jwe: { cty: 'json' } }, 'cty'],
    ['compression', { jwe: { zip: 'DEF' } }, 'header'],
  ])('%s is refused', (_, changes, reason) => expectRefused(changes, reason))

  test.each([-62, 62])('an iat %i s off is refused', (seconds) =>
    expectRefused({ claims: { iat: now() + seconds } }, 'iat'),
  )
  test.each([-60, 60])('an iat %i s off is accepted', (seconds) =>
    expectRefused({ claims: { iat: now() + seconds } }, undefined),
  )

  test('an access token instead is refused', async () => {
    const { jwe } = await party.client.accessToken()
    party.wire.on(ACCOUNT, () => Promise.resolve(new Response(jwe, { headers: JOSE })))
    await expectFound(read, 'answer_invalid', 'typ')
  })

  test.each(['', 'a.b.c.d.e', '{}'])('%j instead is refused', async (text) => {
    party.wire.on(ACCOUNT, () => Promise.resolve(new Response(text, { headers: JOSE })))
    await expectFound(read, 'answer_invalid')
  })
})

test('a refused token is renewed once, then the error is returned', async () => {
  party.wire.on(ACCOUNT, () => Promise.resolve(refusedToken()))
  party.wire.sent.length = 0
  expect(await codeOf(read())).toBe('invalid_token')
  expect(party.wire.count('POST /token')).toBe(1)
  expect(party.client.session).toBeDefined()
})
