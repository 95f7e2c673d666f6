import { describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { someEmail } from '../../support/client.ts'
import { ISSUER, useScene } from './fixtures.ts'

const scene = useScene()

/** The JSON objects that start and end on lines of their own. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
const objectsIn = (text: string): any[] =>
  [...text.matchAll(/^\{$.*?^\}$/gms)].map(([object]) => JSON.parse(object) as unknown)

describe('--verbose', () => {
  test('shows each layer, but no password, private key or whole JWS', async () => {
    const email = someEmail()
    // It looks like a token.
    const password = 'eyJhbGciOiJkaXIifQ.bbbb.cccc.dddd.eeee'
    const up = await scene.call(['sign-up', email, '-v'], { input: password })
    expect(up.stderr).toContain(`→ POST ${scene.server.url}/account\n`)
    const body = '{"name":"Ada"}'
    const { code, stdout, stderr } = await scene.call(['PATCH', '/account', body, '--verbose'])
    expect([code, JSON.parse(stdout).account.name]).toEqual([0, 'Ada'])

    const [received, jws, claims, sent] = objectsIn(stderr)
    expect(objectsIn(up.stderr)).toEqual([received, jws, claims])
    const { client_id } = claims
    expect(received).toMatchObject({ alg: 'ECDH-ES+A128KW', kid: client_id, cty: 'JWT' })
    expect(jws).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
    expect(claims).toMatchObject({ iss: ISSUER, aud: client_id })
    expect(sent).toMatchObject({ enc: 'A128GCM', cty: 'JWT' })
    expect(sent.kid).not.toBe(client_id)
    // Key-bound: the claims name the key, and the request has the proof.
    expect(claims.cnf.jwk).toMatchObject({ kty: 'EC', crv: 'P-256' })
    expect(sent.req.mac).toMatch(/^[\w-]{43}$/)
    expect(sent.req).toMatchObject({
      htm: 'PATCH',
      htu: `${ISSUER}/account`,
      dig: createHash('sha256').update(body).digest('base64url'),
    })
    expect(stderr).toMatch(/← 200 OK for PATCH .+\n✓ 200 OK\n$/)

    const shown = up.stderr + stderr
    // The token as it arrived, and as it left.
    expect(new Set(shown.match(/^eyJ[\w-]+(\.[\w-]+){4}$/gm)).size).toBe(2)
    expect(shown).not.toMatch(/\beyJ[\w-]+\.[\w-]+\.[\w-]+(?![\w.-])/)
    expect(shown).not.toContain(password)
    expect(shown).not.toMatch(/PRIVATE KEY|"d": /)
  })

  test('shows how an expired token is renewed', async () => {
    await scene.signUp()
    scene.clock.advance(1000)
    const { code, stderr } = await scene.call(['GET', '/account', '-v'])
    expect(code).toBe(0)
    const requests = stderr.match(/^[→←] .+$/gm)!.map((line) => line.replace(scene.server.url, ''))
    const first = ['→ GET /account', '← 401 Unauthorized for GET /account', '→ POST /token']
    const last = ['← 200 OK for POST /token', '→ GET /account', '← 200 OK for GET /account']
    // In between, the client may correct its clock, because the test's clock is not the system's.
    expect([requests.slice(0, 3), requests.slice(-3)]).toEqual([first, last])
    expect(stderr).toContain('A token in the body')
    expect(stderr.match(/^Its claims$/gm)).toHaveLength(2)
  })
})
