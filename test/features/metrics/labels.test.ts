import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { CompactEncrypt, generateKeyPair, SignJWT } from 'jose'
import { features } from '../../../server/features.ts'
import { GOOD_PASSWORD, TestClient } from '../../support/client.ts'
import { rawRequest } from '../../support/raw-request.ts'
import { scrape, startMeasuredServer } from './scrape.ts'

let server: Awaited<ReturnType<typeof startMeasuredServer>>
beforeAll(async () => {
  server = await startMeasuredServer({
    features: [...features],
    config: { trustedProxies: 1 },
    variables: { TRUSTED_ISSUERS: '' },
  })
})
afterAll(() => server.stop())

/** A token with the mark in its `kid`s and claims, on both layers. */
async function forge(client: TestClient, mark: string): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256')
  const jws = await new SignJWT({ jti: mark, sid: mark, client_id: mark, scope: mark })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: mark })
    .setSubject(mark)
    .sign(privateKey)
  return mark.startsWith('outer')
    ? new CompactEncrypt(Buffer.from(jws))
        .setProtectedHeader({ alg: 'ECDH-ES+A128KW', enc: 'A128GCM', kid: mark, cty: 'JWT' })
        .encrypt((await generateKeyPair('ECDH-ES+A128KW')).publicKey)
    : client.seal(jws)
}

/** Sends the mark everywhere a client can put a value, and returns the ids of what it created. */
async function sendEverywhere(mark: string): Promise<string[]> {
  const headers: Record<string, string> = {
    'x-request-id': mark,
    'user-agent': mark,
    cookie: `a=${mark}`,
    [`x-${mark}`]: mark,
    origin: `https://${mark}.test`,
    'x-forwarded-for': mark,
    accept: `text/${mark}`,
    traceparent: `00-${Buffer.from(mark.padEnd(16, '.')).toString('hex').slice(0, 32)}-00f067aa0ba902b7-01`,
  }
  const client = await TestClient.registered(server.url, { client_name: mark })
  const email = `${mark}@mail.test`
  const password = `${mark} ${GOOD_PASSWORD}`
  const signedUp = await client.send('POST', '/account', {
    email,
    password,
    client_id: client.id,
    name: mark,
  })
  expect(signedUp.status).toBe(201)
  const session = await client.login(email, password)
  const req = { jti: mark, iat: server.clock() / 1000, htm: mark, htu: `https://${mark}.test/` }
  const tokens = [
    await client.seal(session.accessJws, { req }),
    await forge(client, mark),
    await forge(client, `outer-${mark}`),
    mark,
  ]
  for (const token of tokens) {
    await client.send('GET', '/account', undefined, {
      ...headers,
      authorization: `Bearer ${token}`,
    })
    for (const parameters of [
      { grant_type: 'refresh_token', refresh_token: token, client_id: mark, scope: mark },
      { grant_type: mark, [mark]: mark },
      { grant_type: 'client_credentials', client_assertion: token, client_id: mark },
    ]) {
      await client.send('POST', '/token', parameters, headers)
    }
    await client.send('POST', '/introspect', { token, client_assertion: token }, headers)
    await client.send('POST', '/account/password-reset', { email: `no-${email}` }, headers)
    await client.send('PUT', '/account/password-reset', { token, new_password: password }, headers)
  }
  for (const body of [
    { email, password: mark },
    { email: `no-${email}`, password: mark },
  ]) {
    await client.send('POST', '/account/login', { ...body, client_id: client.id }, headers)
  }
  await client.send('POST', '/account/login', { email: mark, client_id: mark }, headers)
  await client.send('POST', '/clients', mark, { ...headers, 'content-type': `text/${mark}` })
  for (const path of [`/${mark}`, `/?${mark}=${mark}`, `/clients/${mark}/configuration`]) {
    for (const method of ['GET', 'DELETE', 'OPTIONS']) {
      await client.send(method, path, undefined, headers)
    }
  }
  await client.sendAs(session, 'DELETE', `/account/sessions/${mark}`)
  await rawRequest(server.url, '/healthz', { method: 'MKCALENDAR', headers: [['Host', mark]] })
  return [client.id, session.sessionId, signedUp.body.account.id as string]
}

test('labels contain nothing that a client sent, and do not grow in number', async () => {
  const ids = await sendEverywhere('marked-first')
  const first = await scrape(server)
  await sendEverywhere('marked-second')
  const text = [...(await scrape(server)).keys()].join('\n')
  expect(text).not.toMatch(/marked|6d61726b|MKCALENDAR|127\.0\.0\.1|mail\.test|00f067aa/i)
  for (const id of ids) expect(text).not.toContain(id)
  // The requests were counted, though.
  expect(text).toContain('{method="other",route="other",status="404"}')
  const ours = (sample: string) => sample.startsWith('auth_')
  expect(text.split('\n').filter(ours)).toEqual([...first.keys()].filter(ours))
})
