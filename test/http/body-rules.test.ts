import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { defineFeature } from '../../server/feature.ts'
import { HttpError } from '../../server/http/http-error.ts'
import { TestClient, type TestSession } from '../support/client.ts'
import { rawRequest } from '../support/raw-request.ts'
import { refuseSecrets } from '../support/refuse-secrets.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

describe('whether the body of a route is marked as holding a secret:', () => {
  let plain: TestServer
  let server: TestServer
  let client: TestClient
  let session: TestSession
  beforeAll(async () => {
    plain = await startTestServer()
    client = await TestClient.registered(plain.url)
    session = await client.signUp()
    server = await startTestServer({
      database: plain.database,
      keystore: plain.keystore,
      clock: plain.clock,
      features: [refuseSecrets()],
    })
    Object.assign(client, { url: server.url })
  })
  afterAll(async () => {
    await server.stop()
    await plain.stop()
  })

  test.each([
    ['POST', '/account', true],
    ['POST', '/account/login', true],
    ['PUT', '/account/password', true],
    ['DELETE', '/account', true],
    ['PATCH', '/account', false],
    ['POST', '/clients', false],
    ['POST', '/token', false],
    ['POST', '/revoke', false],
    // Last, because it signs the person out.
    ['POST', '/account/logout', false],
  ])('%s %s: %s', async (method, path, isSecret) => {
    const { body } = await client.sendAs(session, method, path, {})
    expect(body?.error === 'sealed_body_required').toBe(isSecret)
  })
})

describe('a feature’s own type of body', () => {
  let server: TestServer | undefined
  afterEach(() => server?.stop())

  /** A feature that takes bodies in capitals, and records what happens to each. */
  function shouting(events: string[]) {
    return defineFeature({
      create: () => ({
        bodyType: 'text/loud',
        async afterToken(ctx, next) {
          events.push(`opened ${ctx.state.route}`)
          if (ctx.is('text/loud') === 'text/loud') {
            ctx.request.body = JSON.parse(ctx.state.bodyBytes.toString().toLowerCase())
          }
          ctx.state.bodyRules = {
            accept() {
              events.push('accepted')
              return Promise.resolve()
            },
          }
          await next()
        },
        routes: ({ open }) => {
          open(
            'POST',
            '/loud',
            (_ctx, next) => {
              events.push('limited')
              return next()
            },
            (ctx) => {
              events.push('handled')
              ctx.body = ctx.request.body
            },
          )
          open('POST', '/refused', () => {
            throw new HttpError('not_found', 'There is nothing.')
          })
        },
      }),
    })
  }
  const send = (path: string, body: string, type = 'text/loud') =>
    rawRequest(server!.url, path, { method: 'POST', headers: [['Content-Type', type]], body })

  test('is opened before the limits, and accepted after them', async () => {
    const events: string[] = []
    server = await startTestServer({ features: [shouting(events)] })
    const answer = await send('/loud', '{"A":"B"}')
    expect([answer.status, answer.body]).toEqual([200, { a: 'b' }])
    expect(events).toEqual(['opened /loud', 'limited', 'accepted', 'handled'])
    expect((await send('/loud', '{}', 'text/quiet')).status).toBe(415)
  })

  test('is accepted after the rate limits of sign-in, renewal and revocation', async () => {
    const events: string[] = []
    const none = { count: 1, duration: 60 }
    const rateLimits = { login: none, signUp: none, clients: none, refresh: none }
    server = await startTestServer({ features: [shouting(events)], config: { rateLimits } })
    for (const path of ['/account/login', '/token']) {
      events.length = 0
      expect((await send(path, '{}')).status).toBe(400)
      expect((await send(path, '{}')).status).toBe(429)
      expect(events).toEqual([`opened ${path}`, 'accepted', `opened ${path}`])
    }
    events.length = 0
    expect((await send('/revoke', '{"TOKEN":"X"}')).status).toBe(429)
    expect(events).toEqual(['opened /revoke'])
  })
})
