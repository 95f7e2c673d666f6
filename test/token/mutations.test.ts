import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ConfirmationKey } from '../../protocol/tokens.ts'
import { issue } from '../../server/token/issue.ts'
import { accessToken } from '../../server/token/claims.ts'
import { validate } from '../../server/token/validate.ts'
import { importPrivate, macOf } from '../support/request-proof.ts'
import { anyText } from '../support/text.ts'
import {
  base64url,
  DEFAULTS,
  edit,
  ISSUER,
  open,
  OWN_CLAIMS,
  recipientOf,
  refusal,
  setUp,
  type Fixture,
} from './fixtures.ts'
import { cut, HEADER_NAMES, letters, mutate, mutations } from './token-mutations.ts'

/** How often a property is tried; MUTATIONS sets it. Some are tried two or three times as often. */
const MANY = Number(process.env['MUTATIONS'] ?? 400)

let server: Fixture
let jws: [string, string]
let jwe: [string, string]
beforeAll(async () => {
  server = await setUp()
  jws = [await server.accessJws(), await server.accessJws()]
  jwe = [await server.seal(jws[0]), await server.seal(jws[1])]
})

const isAccepted = async (token: string) =>
  (await validate(server.context, accessToken, token)).claims.sub === server.claims.sub

const refused = { code: 'token_invalid' }

test(`of ${3 * MANY} mutations of a token, every one that changes it is refused`, async () => {
  let changed = 0
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      const token = mutate(...jwe, changes)
      if (jwe.includes(token)) return
      changed += 1
      const work = validate(server.context, accessToken, token)
      expect(await refusal(work)).toMatchObject(refused)
    }),
    { numRuns: 3 * MANY },
  )
  expect(changed).toBeGreaterThan(2.5 * MANY)
  expect(await isAccepted(jwe[0])).toBe(true)
})

test(`of ${2 * MANY} mutations of a client’s JWS, every one that changes it is refused`, async () => {
  let changed = 0
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      const mutated = mutate(...jws, changes)
      if (jws.includes(mutated)) return
      changed += 1
      const work = validate(server.context, accessToken, server.sealWith(mutated))
      expect(await refusal(work)).toMatchObject(refused)
    }),
    { numRuns: 2 * MANY },
  )
  expect(changed).toBeGreaterThan(MANY)
  expect(await isAccepted(server.sealWith(jws[0]))).toBe(true)
})

test(`of ${MANY} arbitrary outer headers, every one is refused with a TokenError`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...HEADER_NAMES), fc.jsonValue()),
      async (header) => {
        const work = validate(server.context, accessToken, edit(jwe[0], 0, header))
        if (Object.keys(header).length > 0) expect(await refusal(work)).toMatchObject(refused)
        else await work
      },
    ),
    { numRuns: MANY },
  )
})

describe('a key-bound token', () => {
  const REQ = { jti: 'a', iat: 1_790_000_000, htm: 'PATCH', htu: `${ISSUER}/account`, dig: 'x' }
  let jws: string
  let req: Record<string, unknown> & { mac: string }
  beforeAll(async () => {
    const { client, context, keystore } = server
    const { kty, crv, x, y } = client.publicJwk
    const claims = { ...OWN_CLAIMS, aud: client.kid, client_id: client.kid }
    const cnf = { jwk: { kty, crv, x, y } as ConfirmationKey }
    const recipient = recipientOf(client)
    jws = await open(issue(context, accessToken, { ...claims, cnf }, recipient, 900), client)
    const members = { ...REQ, dig: base64url(Buffer.alloc(32, 1)) }
    const mac = await macOf({
      privateKey: await importPrivate(client.privateKey.export({ format: 'jwk' })),
      clientId: client.kid,
      recipient: keystore.encryptionKey.publicJwk,
      jws,
      req: members,
    })
    req = { ...members, mac }
  })

  const validated = (req: unknown) =>
    validate(server.context, accessToken, server.sealWith(jws, { req }))
  const expectRefused = async (changed: unknown) => {
    if (isDeepStrictEqual(changed, req)) await validated(changed)
    else expect(await refusal(validated(changed))).toMatchObject(refused)
  }

  test(`of ${MANY} mutations of the mac, every one that changes it is refused`, async () => {
    const change = fc.oneof(letters, cut)
    await fc.assert(
      fc.asyncProperty(change, async (change) => {
        await expectRefused({ ...req, mac: change(req.mac, '') })
      }),
      { numRuns: MANY },
    )
    await expectRefused(req)
  })

  test(`of ${MANY} other values of a member, every one is refused`, async () => {
    const names = ['jti', 'iat', 'htm', 'htu', 'dig', 'mac']
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.jsonValue(), async (name, value) => {
        await expectRefused({ ...req, [name]: value })
      }),
      { numRuns: MANY },
    )
  })

  test(`of ${MANY} arbitrary values of req, every one is refused`, async () => {
    const some = fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue()))
    await fc.assert(fc.asyncProperty(some, expectRefused), { numRuns: MANY })
  })

  test('text cannot move from one member to another under the same mac', async () => {
    const { jti, htm, mac } = req
    for (const moved of [
      { jti: `${String(jti)}\n${String(req['iat'])}` },
      { htm: `${String(htm)}\n` },
      { dig: `${String(req['dig'])}\n` },
      { dig: undefined, htu: `${String(req['htu'])}\n${String(req['dig'])}` },
    ]) {
      await expectRefused({ ...req, ...moved, mac })
    }
  })
})

/** Keys of the right shape, or nearly so, and members that an import would obey. */
const coordinate = fc.oneof(
  fc
    .constantFrom(32, 48, 66, 31)
    .chain((length) =>
      fc
        .uint8Array({ minLength: length, maxLength: length })
        .map((bytes) => base64url(Buffer.from(bytes))),
    ),
  fc.jsonValue(),
)
const epk = fc.record(
  {
    kty: fc.constantFrom('EC', 'OKP', 'RSA', 'oct', 'AKP'),
    crv: fc.constantFrom('P-256', 'P-384', 'P-521', 'X25519', 'secp256k1', 'Ed25519'),
    x: coordinate,
    y: coordinate,
    ext: fc.jsonValue(),
    key_ops: fc.jsonValue(),
    use: fc.jsonValue(),
    alg: fc.jsonValue(),
  },
  { requiredKeys: ['kty', 'crv', 'x'] },
)
const CURVES = ['P-256', 'P-384', 'P-521', 'X25519'] as const

test.each(CURVES)(
  'of 300 arbitrary ephemeral keys for a key on %s, every one is refused',
  async (crv) => {
    const { accessJws, seal, refused: refusedAs } = await setUp({ ...DEFAULTS, encryptionCrv: crv })
    const token = await seal(await accessJws())
    await fc.assert(
      fc.asyncProperty(epk, async (epk) => {
        expect(await refusedAs(edit(token, 0, { epk }))).toMatchObject(refused)
      }),
      { numRuns: 300 },
    )
  },
)

test('of 1000 arbitrary texts, every one is refused with a TokenError', async () => {
  const text = fc.oneof(
    anyText,
    fc.array(fc.base64String(), { minLength: 5, maxLength: 5 }).map((parts) => parts.join('.')),
    fc.jsonValue().map((value) => `${base64url(JSON.stringify(value))}.AAAA.AAAA.AAAA.AAAA`),
  )
  await fc.assert(
    fc.asyncProperty(text, async (token) => {
      expect(await refusal(validate(server.context, accessToken, token))).toMatchObject(refused)
    }),
    { numRuns: 1000 },
  )
})
