import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Registry } from 'prom-client'
import { createRequestHistogram } from '../../../server/features/metrics/request-histogram.ts'
import { someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { changes, samplesIn, scrape, startMeasuredServer, type Samples } from './scrape.ts'

const LIMIT = { count: 20, duration: 3600 }

let server: Awaited<ReturnType<typeof startMeasuredServer>>
let client: TestClient
let email: string
let session: TestSession
let before: Samples

beforeAll(async () => {
  server = await startMeasuredServer({
    config: { rateLimits: { login: LIMIT, signUp: 'off', clients: 'off', refresh: LIMIT } },
  })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())
beforeEach(async () => {
  email = someEmail()
  session = await client.signUp(email)
  // Makes the client fetch its key, which it does once.
  await client.seal('')
  before = await scrape(server)
})

/** How much a metric has changed since the test began. */
const changed = async (metric: string) => changes(before, await scrape(server), metric)

const login = (password: string, address = email) =>
  client.send('POST', '/account/login', { email: address, password, client_id: client.id })

const refresh = async (token: string) =>
  client.send('POST', '/token', {
    grant_type: 'refresh_token',
    refresh_token: await client.seal(token),
  })

const refreshed = async (token: string) => client.open((await refresh(token)).body.refresh_token)

test('requests are counted by route pattern and status', async () => {
  for (const [method, path] of [
    ['GET', '/healthz'],
    ['HEAD', '/healthz'],
    ['GET', '/healthz?query=1'],
    ['GET', '/account'],
    ['GET', '/clients/somebody/configuration'],
    ['GET', '/clients/somebody-else/configuration'],
    ['GET', `/clients/${client.id}/configuration`],
    ['GET', '/nowhere'],
    ['POST', '/nowhere/else'],
    ['DELETE', '/healthz'],
    ['PROPFIND', '/healthz'],
  ] as const) {
    await client.send(method, path)
  }
  await client.sendAs(session, 'GET', '/account')
  expect(await changed('auth_http_request_duration_seconds_count')).toEqual({
    '{method="GET",route="/healthz",status="200"}': 2,
    '{method="HEAD",route="/healthz",status="200"}': 1,
    '{method="GET",route="/account",status="401"}': 1,
    '{method="GET",route="/account",status="200"}': 1,
    '{method="GET",route="/clients/:client_id/configuration",status="404"}': 2,
    '{method="GET",route="/clients/:client_id/configuration",status="200"}': 1,
    '{method="other",route="other",status="404"}': 2,
    '{method="other",route="other",status="405"}': 2,
    // The client fetches the key again after a 401.
    '{method="GET",route="/.well-known/jwks.json",status="200"}': 1,
  })
})

test('durations are counted in buckets', async () => {
  const registry = new Registry()
  const histogram = createRequestHistogram(registry)
  for (const seconds of [0, 0.001, 0.0011, 0.3, 12]) histogram.observe('GET', '/', 200, seconds)
  histogram.observe('GET', '/', 404, 0.02)
  const samples = samplesIn(await registry.metrics())
  const buckets = (status: number) =>
    [0.001, 0.0025, 0.25, 0.5, 10, '+Inf'].map((le) =>
      samples.get(
        `auth_http_request_duration_seconds_bucket{le="${le}",method="GET",route="/",status="${status}"}`,
      ),
    )
  expect(buckets(200)).toEqual([2, 3, 3, 4, 4, 5])
  expect(buckets(404)).toEqual([0, 0, 1, 1, 1, 1])
  const labels = '{method="GET",route="/",status="200"}'
  expect(samples.get(`auth_http_request_duration_seconds_sum${labels}`)).toBeCloseTo(12.3021)
  expect(samples.get(`auth_http_request_duration_seconds_count${labels}`)).toBe(5)
  expect(samples.size).toBe(2 * 16)
})

test('audit events and password hashes are counted', async () => {
  await login('wrong')
  await login('wrong', someEmail())
  const signedIn = await client.login(email)
  await client.sendAs(signedIn, 'POST', '/account/logout')
  expect(await changed('auth_audit_events_total')).toEqual({
    '{event="login_failed"}': 2,
    '{event="login"}': 1,
    '{event="logout"}': 1,
  })
  expect(await changed('auth_password_hashes_total')).toEqual({ '': 3 })
  const { '': seconds = 0 } = await changed('auth_password_hash_seconds_total')
  expect(seconds).toBeGreaterThan(0)
})

test('waits after wrong passwords are counted', async () => {
  for (let i = 0; i < 7; i++) await login('wrong')
  expect(await changed('auth_requests_limited_total')).toEqual({ '{limit="wrong_passwords"}': 2 })
  expect(await changed('auth_audit_events_total')).toEqual({
    '{event="login_failed"}': 5,
    '{event="login_locked"}': 2,
  })
})

test('refreshes are counted by outcome, and rate-limited requests', async () => {
  const second = await refreshed(session.refreshJws)
  await refreshed(second)
  // Its successor was used.
  await refresh(session.refreshJws)
  await refresh(session.accessJws)
  await refresh('nonsense')
  server.clock.advance(11)
  await refresh(session.refreshJws)
  await refresh(second)
  expect(await changed('auth_refreshes_total')).toEqual({
    '{outcome="refreshed"}': 2,
    '{outcome="superseded"}': 1,
    '{outcome="typ"}': 1,
    '{outcome="segments"}': 1,
    '{outcome="reused"}': 1,
    '{outcome="session"}': 1,
  })
  expect(await changed('auth_audit_events_total')).toEqual({
    '{event="refresh_reused"}': 1,
    '{event="session_ended"}': 1,
  })
  expect(await changed('auth_requests_limited_total')).toEqual({})
  for (let i = 0; i < LIMIT.count; i++) await client.send('POST', '/token')
  const { '{limit="requests"}': limited = 0 } = await changed('auth_requests_limited_total')
  expect(limited).toBeGreaterThan(0)
  const { '{method="POST",route="/token",status="429"}': answered } = await changed(
    'auth_http_request_duration_seconds_count',
  )
  expect(limited).toBe(answered)
})

test('refused access tokens are counted by reason, and replays', async () => {
  const req = {
    jti: 'once',
    iat: server.clock() / 1000,
    htm: 'GET',
    htu: `${server.config.issuer}/account`,
  }
  const authorization = `Bearer ${await client.seal(session.accessJws, { req })}`
  for (const headers of [{ authorization }, { authorization }, { authorization: 'Bearer x' }]) {
    await client.send('GET', '/account', undefined, headers)
  }
  await client.sendAs({ accessJws: session.refreshJws }, 'GET', '/account')
  // A missing token does not count as refused.
  await client.send('GET', '/account')
  expect(await changed('auth_access_tokens_refused_total')).toEqual({
    '{reason="req_replayed"}': 1,
    '{reason="segments"}': 1,
    '{reason="typ"}': 1,
  })
  expect(await changed('auth_audit_events_total')).toEqual({ '{event="request_replayed"}': 1 })
})

test('cache lookups are counted', async () => {
  const authorization = `Bearer ${await client.seal(session.accessJws)}`
  for (let i = 0; i < 3; i++) {
    await client.send('GET', '/account', undefined, { authorization })
  }
  expect(await changed('auth_cache_lookups_total')).toEqual({
    '{cache="agreements",result="miss"}': 1,
    '{cache="agreements",result="hit"}': 2,
    '{cache="verified_tokens",result="miss"}': 1,
    '{cache="verified_tokens",result="hit"}': 2,
  })
})

test('counters of events that have not happened are zero', () => {
  for (const sample of [
    'auth_audit_events_total{event="password_reset"}',
    'auth_refreshes_total{outcome="unknown"}',
  ]) {
    expect(before.get(sample)).toBe(0)
  }
})
