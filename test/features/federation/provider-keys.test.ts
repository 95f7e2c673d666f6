import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from '@jest/globals'
import { loadProviderKeys } from '../../../server/features/federation/load-provider-keys.ts'
import { createClock } from '../../support/clock.ts'
import { someEmail, type TestClient } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { exchange, makeKey, Provider, REFUSED, sign, startFederated } from './provider.ts'

const DAY = 86_400
const keys = [makeKey(), makeKey(), makeKey()] as const

let clock: ReturnType<typeof createClock>
let provider: Provider
let elsewhere: Provider
let server: TestServer
let client: TestClient
beforeAll(async () => {
  elsewhere = await Provider.start(createClock())
})
afterAll(() => elsewhere.stop())
beforeEach(async () => {
  clock = createClock()
  provider = await Provider.start(clock, [keys[0]])
  provider.cacheControl = 'max-age=3600'
  ;({ server, client } = await startFederated(clock, [provider.entry()]))
})
afterEach(() => Promise.all([server.stop(), provider.stop()]))

let people = 0
const status = async (key = provider.keys[0]!) => {
  const claims = provider.claims(client.id, { sub: `person-${++people}`, email: someEmail() })
  const answer = await exchange(client, await sign(claims, key))
  if (answer.status === 400) expect(answer.body).toEqual(REFUSED)
  if (answer.status === 503) {
    expect(answer.body.error).toBe('temporarily_unavailable')
    expect(answer.headers.get('retry-after')).toBe('5')
  }
  return answer.status
}
const away = () => {
  provider.instead = (_, response) => response.destroy()
}

describe('keys are fetched', () => {
  test('with the first token, once for concurrent tokens, and again after max-age', async () => {
    expect(provider.count()).toBe(0)
    expect(await Promise.all(Array.from({ length: 10 }, () => status()))).toEqual(
      Array(10).fill(200),
    )
    expect(provider.count()).toBe(1)
    clock.advance(3599)
    await status()
    expect(provider.count()).toBe(1)
    clock.advance(1)
    await Promise.all([status(), status()])
    expect(provider.count()).toBe(2)
  })

  test('for an unknown kid at once, then not again for 30 s', async () => {
    await status()
    provider.keys = [keys[1], keys[0]]
    expect(await status()).toBe(200)
    expect(provider.count()).toBe(2)
    provider.keys = [keys[2]]
    clock.advance(29)
    expect(await Promise.all([status(), status(makeKey()), status(makeKey())])).toEqual([
      400, 400, 400,
    ])
    expect(provider.count()).toBe(2)
    clock.advance(1)
    expect(await status()).toBe(200)
    expect(provider.count()).toBe(3)
  })

  test('once for concurrent tokens of a new key', async () => {
    await status()
    provider.keys = [keys[1]]
    expect(await Promise.all([status(), status(), status()])).toEqual([200, 200, 200])
    expect(provider.count()).toBe(2)
  })

  test('for an unknown kid, even right after an ordinary fetch', async () => {
    await status()
    clock.advance(3600)
    await status()
    provider.keys = [keys[1]]
    expect(await status()).toBe(200)
    expect(provider.count()).toBe(3)
  })

  test('without keeping a key that was withdrawn', async () => {
    await status()
    provider.keys = [keys[1]]
    await status()
    expect(await status(keys[0])).toBe(400)
  })

  test('again after the clock was set back', async () => {
    await status()
    clock.advance(-10 * DAY)
    expect(await status()).toBe(200)
    expect(provider.count()).toBe(2)
  })
})

describe('while the provider is away', () => {
  test('keys are used until they are a day old', async () => {
    await status()
    away()
    clock.advance(3600)
    expect(await status()).toBe(200)
    clock.advance(DAY - 3600 - 1)
    expect(await status()).toBe(200)
    clock.advance(1)
    expect(await status()).toBe(503)
    provider.instead = undefined
    clock.advance(5)
    expect(await status()).toBe(200)
  })

  test('it is asked once in five seconds, however many tokens come', async () => {
    away()
    for (let i = 0; i < 3; i++) {
      expect(await Promise.all([status(), status(), status()])).toEqual([503, 503, 503])
    }
    expect(provider.asked).toHaveLength(1)
    clock.advance(5)
    await status()
    expect(provider.asked).toHaveLength(2)
  })

  test('an unknown kid is answered with 503', async () => {
    await status()
    provider.keys = [keys[1]]
    away()
    expect(await status()).toBe(503)
    expect(await status(keys[0])).toBe(200)
    provider.instead = undefined
    clock.advance(5)
    expect(await status()).toBe(200)
  })

  test('the reason is logged once for concurrent tokens', async () => {
    away()
    await Promise.all([status(), status()])
    const warnings = server.logs.filter((line) => line.includes('cannot be fetched'))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('/.well-known/openid-configuration cannot be reached')
  })
})

/** Aborts when the issuer's time to answer is up. */
let time: AbortController
const timeIsUp = () => {
  time.abort()
}
test.each<[string, Provider['instead']]>([
  ['garbage', (_, response) => response.end('garbage')],
  ['an error', (_, response) => response.writeHead(500).end()],
  ['a huge document', (_, response) => response.end(`{"keys":["${'x'.repeat(300_000)}"]}`)],
  ['half an answer', (_, response) => response.write('{', timeIsUp)],
  ['no answer', timeIsUp],
])(
  'a provider that serves %s counts as away: 503 without keys, and known keys stay valid',
  async (_, answer) => {
    const timeout = jest
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation(() => (time = new AbortController()).signal)
    provider.instead = answer
    expect(await status()).toBe(503)
    provider.instead = undefined
    clock.advance(5)
    expect(await status()).toBe(200)
    provider.instead = answer
    clock.advance(3600)
    expect(await status()).toBe(200)
    expect(provider.asked.length).toBeLessThanOrEqual(4)
    expect(timeout.mock.calls).toEqual(Array(3).fill([5000]))
    timeout.mockRestore()
  },
)

describe('discovery', () => {
  const metadata = (changes: object) => {
    provider.instead = (request, response) => {
      if (request.url !== '/.well-known/openid-configuration')
        return void response.end('{"keys":[]}')
      const document = { issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks`, ...changes }
      response.end(JSON.stringify(document))
    }
  }

  test.each<[string, () => object]>([
    ['of another issuer', () => ({ issuer: elsewhere.issuer })],
    ['with a trailing slash in its issuer', () => ({ issuer: `${provider.issuer}/` })],
    ['without a jwks_uri', () => ({ jwks_uri: undefined })],
    ['with keys over http on another host', () => ({ jwks_uri: 'http://provider.test/jwks' })],
    ['with keys in a file', () => ({ jwks_uri: 'file:///etc/passwd' })],
  ])('%s is refused', async (_, changes) => {
    metadata(changes())
    expect(await status()).toBe(503)
    expect(provider.asked).toEqual(['/.well-known/openid-configuration'])
  })

  test("of a remote issuer cannot name keys on the server's own machine", async () => {
    const issuer = 'https://provider.test'
    for (const host of ['localhost', '127.0.0.2', '[::1]']) {
      const document = { issuer, jwks_uri: `http://${host}:1/jwks` }
      const fetched = jest.spyOn(globalThis, 'fetch').mockResolvedValue(Response.json(document))
      const trusted = { issuer, keys: { discovery: true }, algorithms: ['RS256'] } as const
      await expect(loadProviderKeys(trusted, clock())).rejects.toThrow('keys on this machine')
      expect(fetched).toHaveBeenCalledTimes(1)
      fetched.mockRestore()
    }
  })

  test('with a redirect to another host is not followed', async () => {
    provider.instead = (request, response) => {
      response.writeHead(302, { location: elsewhere.issuer + request.url! }).end()
    }
    expect(await status()).toBe(503)
    expect(elsewhere.asked).toEqual([])
  })

  test('can name keys on another host', async () => {
    elsewhere.keys = [keys[0]]
    metadata({ jwks_uri: `${elsewhere.issuer}/jwks` })
    expect(await status()).toBe(200)
    expect([provider.count(), elsewhere.count()]).toEqual([0, 1])
  })
})

test('a token cannot choose a URL that is fetched', async () => {
  const before = elsewhere.asked.length
  const claims = provider.claims(client.id, { iss: elsewhere.issuer, email: someEmail() })
  for (const header of [
    {},
    { jku: `${elsewhere.issuer}/jwks` },
    { x5u: `${elsewhere.issuer}/x` },
  ]) {
    const token = await sign({ ...claims }, elsewhere.keys[0]!, header)
    expect((await exchange(client, token)).body).toEqual(REFUSED)
  }
  expect([provider.asked.length, elsewhere.asked.length]).toEqual([0, before])
})
