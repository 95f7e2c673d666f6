/** Services that introspect the tokens that they receive. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { CompactEncrypt, exportPKCS8, importJWK, type JSONWebKeySet } from 'jose'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { serviceClients } from '../../../server/features/service-clients/index.ts'
import { createServiceClients } from '../../../server/features/service-clients/service-clients.ts'
import { serviceDatabase } from '../../../server/features/service-clients/service-tables.ts'
import { createLogger } from '../../../server/log/logger.ts'
import {
  createVerifier,
  type ServiceAuthOptions,
} from '../../../server/resource-server/verifier.ts'
import { away, createLine, ISSUER, type Line } from '../../resource-server/fixtures.ts'
import { TestClient } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { makeKeys, Service } from './service.ts'

const URL_OF_SERVICE = 'https://notes.test'
const PATH = { method: 'GET', url: '/notes', body: undefined }

let server: TestServer
let line: Line
let keys: Awaited<ReturnType<typeof makeKeys>>
let pems: Pick<ServiceAuthOptions, 'encryptionKey' | 'introspection'>
/** The service client of the tested service. */
let notes: Service
let logs: string[]
/** Replaces the answer of `POST /introspect`. */
let instead: ((send: () => Promise<Response>) => Promise<Response>) | undefined
beforeEach(async () => {
  instead = undefined
  server = await startTestServer({ config: { issuer: ISSUER }, features: [serviceClients] })
  line = createLine(server)
  keys = await makeKeys()
  notes = await Service.create(server, { keys })
  pems = await pemsOf(keys)
  logs = []
})
afterEach(() => server.stop())

async function pemsOf({ sig, enc }: typeof keys) {
  const signingKey = await exportPKCS8(sig.privateKey)
  return { encryptionKey: await exportPKCS8(enc.privateKey), introspection: { signingKey } }
}

const fetchFrom: Line['fetch'] = (url, init) => {
  const send = () => line.fetch(url, init)
  return instead !== undefined && url.endsWith('/introspect') ? instead(send) : send()
}

/** How often the auth server was asked. */
const questions = () => line.asked.filter((url) => url === `${ISSUER}/introspect`).length

const createNotes = (options: Partial<ServiceAuthOptions> = {}) =>
  createVerifier({
    issuer: ISSUER,
    url: URL_OF_SERVICE,
    clock: server.clock,
    fetch: fetchFrom,
    ...pems,
    logger: createLogger('info', { write: (text) => void logs.push(text) }),
    ...options,
  })

type Notes = Awaited<ReturnType<typeof createNotes>>

const bound = (path = PATH.url) => notes.bound({ htm: 'GET', htu: URL_OF_SERVICE + path })

async function ask(
  verifier: Notes,
  jws: string,
  seal: (jwks: JSONWebKeySet) => Promise<string> = ({ keys: [key] }) => sealTo(key!, jws),
) {
  const headers = ['Authorization', `Bearer ${await seal(verifier.jwks)}`]
  const { claims, refusal } = await verifier.verify({ ...PATH, headers })
  return claims?.sub ?? refusal?.status
}

/** Seals a JWS for one request, without a proof. */
async function sealTo(jwk: JSONWebKeySet['keys'][number], jws: string): Promise<string> {
  const { kid, alg } = jwk
  return new CompactEncrypt(new TextEncoder().encode(jws))
    .setProtectedHeader({ alg: alg!, enc: 'A128GCM', kid: kid!, cty: 'JWT', req: bound() })
    .encrypt(await importJWK(jwk))
}

async function signedUp() {
  const client = await TestClient.registered(server.url)
  const session = await client.signUp()
  const sub = session.answer.body.account.id as string
  return {
    jws: session.accessJws,
    sub,
    end: () => client.sendAs(session, 'POST', '/account/logout'),
  }
}

test('a session that has ended is refused after the cache time', async () => {
  const verifier = await createNotes()
  const { jws, sub, end } = await signedUp()
  expect(await ask(verifier, jws)).toBe(sub)
  await end()
  expect(await ask(verifier, jws)).toBe(sub)
  server.clock.advance(5)
  expect(await ask(verifier, jws)).toBe(401)
  expect(questions()).toBe(2)
})

test('one answer is used for cacheFor seconds', async () => {
  const verifier = await createNotes({
    introspection: { ...pems.introspection!, cacheFor: 2 },
  })
  const { jws, sub } = await signedUp()
  const answers = await Promise.all([1, 2, 3].map(() => ask(verifier, jws)))
  expect(answers).toEqual([sub, sub, sub])
  server.clock.advance(1)
  await ask(verifier, jws)
  expect(questions()).toBe(1)
  server.clock.advance(1)
  await ask(verifier, jws)
  expect(questions()).toBe(2)
  await ask(verifier, (await signedUp()).jws)
  expect(questions()).toBe(3)
})

test('a token that cannot be opened is not introspected', async () => {
  const verifier = await createNotes()
  expect(await ask(verifier, (await signedUp()).jws, () => Promise.resolve('x'))).toBe(401)
  expect(questions()).toBe(0)
})

describe('answers 503', () => {
  test('while the auth server is unreachable, and recovers', async () => {
    const verifier = await createNotes()
    const { jws, sub } = await signedUp()
    instead = away
    expect(await ask(verifier, jws)).toBe(503)
    instead = undefined
    expect(await ask(verifier, jws)).toBe(sub)
  })

  test.each([401, 403, 429, 500, 503])('if the auth server answers %d', async (status) => {
    const verifier = await createNotes()
    const { jws } = await signedUp()
    instead = () => Promise.resolve(new Response('{"active":true}', { status }))
    expect(await ask(verifier, jws)).toBe(503)
    expect(logs.join('')).toContain(`/introspect answered ${status}.`)
  })

  test('if the auth server does not know the service', async () => {
    await createServiceClients(serviceDatabase(server.database)).remove(notes.id)
    expect(await ask(await createNotes(), (await signedUp()).jws)).toBe(503)
  })

  test('if the auth server has no introspection', async () => {
    const plain = await startTestServer({ config: { issuer: ISSUER } })
    try {
      line = createLine(plain)
      const client = await TestClient.registered(plain.url)
      const { accessJws } = await client.signUp()
      const verifier = await createNotes({ clock: plain.clock })
      expect(await ask(verifier, accessJws)).toBe(503)
      expect(logs.join('')).toContain(`${ISSUER} does not answer questions about tokens.`)
    } finally {
      await plain.stop()
    }
  })

  test.each<[string, (answer: Response) => Response | Promise<Response>]>([
    ['plain JSON', () => Response.json({ active: true })],
    ['nothing', () => new Response('')],
    [
      'a changed answer',
      async (answer) => new Response(`${(await answer.text()).slice(0, -4)}AAAA`),
    ],
  ])('if a proxy answers with %s', async (_, change) => {
    const verifier = await createNotes()
    const { jws } = await signedUp()
    instead = async (send) => change(await send())
    expect(await ask(verifier, jws)).toBe(503)
  })

  test('if a proxy repeats the answer about another token, or an old one', async () => {
    const verifier = await createNotes()
    const [first, second] = [await signedUp(), await signedUp()]
    let recorded = ''
    instead = async (send) => {
      recorded = await (await send()).text()
      return new Response(recorded)
    }
    expect(await ask(verifier, first.jws)).toBe(first.sub)
    instead = () => Promise.resolve(new Response(recorded))
    expect(await ask(verifier, second.jws)).toBe(503)
    server.clock.advance(61)
    expect(await ask(verifier, first.jws)).toBe(503)
  })

  test('if the answer is for another service, even encrypted again by it', async () => {
    const verifier = await createNotes()
    const { jws } = await signedUp()
    const other = await Service.create(server)
    const accept = 'application/token-introspection+jwt'
    const { text } = await other.introspect(jws, { accept })
    instead = () => Promise.resolve(new Response(text))
    expect(await ask(verifier, jws)).toBe(503)
    const again = await sealTo(verifier.jwks.keys[0]!, await other.open(text))
    instead = () => Promise.resolve(new Response(again))
    expect(await ask(verifier, jws)).toBe(503)
    expect(logs.join('')).toContain('/introspect gave an answer to another question.')
  })
})

describe('service tokens', () => {
  const serviceToken = async (service: Service) =>
    service.open((await service.token()).body.access_token as string)
  const proven = (service: Service, jws: string) => (jwks: JSONWebKeySet) =>
    service.sealTo(jwks.keys[0]!, jws, bound())

  test('are accepted only where a service asks for them', async () => {
    const verifier = await createNotes()
    const caller = await Service.create(server, { scope: 'notes' })
    const jws = await serviceToken(caller)
    expect(await ask(verifier, jws, proven(caller, jws))).toBe(403)
    const headers = ['Authorization', `Bearer ${await proven(caller, jws)(verifier.jwks)}`]
    const options = { serviceTokens: true, scope: 'notes' } as const
    const { claims } = await verifier.verify({ ...PATH, headers }, options)
    expect(claims).toMatchObject({ sub: caller.id, client_id: caller.id, scope: 'notes' })
    expect(claims?.sid).toBeUndefined()
  })

  test('need their scope, a proof and a registered client', async () => {
    const verifier = await createNotes()
    const caller = await Service.create(server, { scope: 'photos' })
    const jws = await serviceToken(caller)
    const verify = async (token: string, scope = 'photos') => {
      const headers = ['Authorization', `Bearer ${token}`]
      const options = { serviceTokens: true, scope } as const
      return (await verifier.verify({ ...PATH, headers }, options)).refusal?.status
    }
    const seal = () => proven(caller, jws)(verifier.jwks)
    expect(await verify(await seal())).toBeUndefined()
    expect(await verify(await seal(), 'notes')).toBe(403)
    expect(await verify(await sealTo(verifier.jwks.keys[0]!, jws))).toBe(401)
    const stolen = await notes.sealTo(verifier.jwks.keys[0]!, jws, bound())
    expect(await verify(stolen)).toBe(401)
    await createServiceClients(serviceDatabase(server.database)).remove(caller.id)
    server.clock.advance(5)
    expect(await verify(await seal())).toBe(401)
  })
})

describe('keys', () => {
  const problemsOf = async (options: Partial<ServiceAuthOptions>) => {
    const error: unknown = await createNotes(options).catch((error: unknown) => error)
    return error instanceof StartupError ? error.problems.join() : error
  }

  test("introspection needs the service client's encryption key", async () => {
    const { introspection } = pems
    const fresh = { ...pems, encryptionKey: undefined } as unknown as typeof pems
    expect(await problemsOf({ ...fresh, introspection: introspection! })).toContain('encryptionKey')
  })

  test('introspection needs a valid signing key', async () => {
    expect(await problemsOf({ introspection: { signingKey: 'x' } })).toContain('not the PEM')
  })
})
