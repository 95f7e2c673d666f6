import { beforeAll, describe, expect, test } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { EncryptionCrv } from '../../protocol/algorithms.ts'
import type { ConfirmationKey } from '../../protocol/tokens.ts'
import { TokenError } from '../../server/errors/token-error.ts'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import {
  checkProof,
  createProofKeys,
  thumbprintOf,
  type ProofKeys,
} from '../../server/token/request-proof.ts'
import { importPrivate, macOf } from '../support/request-proof.ts'
import { DEFAULTS, SPELLINGS, withStrayBit } from './fixtures.ts'

const CURVES = ['P-256', 'P-384', 'P-521', 'X25519'] as const
const RSA = { ...DEFAULTS, encryptionAlg: 'RSA-OAEP-256', encryptionCrv: undefined } as never
const JWS = 'eyJhIjoxfQ.eyJiIjoyfQ.c2ln'
const REQ = {
  jti: 'A-Z_a-z0-9',
  iat: 1_790_000_000,
  htm: 'PATCH',
  htu: 'https://auth.test/account',
  dig: 'x'.repeat(43),
}

const keyOn = (encryptionCrv: EncryptionCrv) =>
  generateKeyPair('enc', { ...DEFAULTS, encryptionCrv })

const publicMembers = (key: KeyObject): ConfirmationKey => {
  const { kty = '', crv = '', x = '', y } = key.export({ format: 'jwk' })
  return { kty, crv, x, ...(y === undefined ? {} : { y }) }
}

/** The sender of a token, and its recipient. */
interface Parties {
  readonly client: KeyPair
  readonly recipient: KeyPair
}

/** A proof as a client makes it. */
const prove = async ({ client, recipient }: Parties, req: object = REQ, jws = JWS) =>
  macOf({
    privateKey: await importPrivate(client.privateKey.export({ format: 'jwk' })),
    clientId: client.kid,
    recipient: recipient.publicJwk,
    jws,
    req: { ...req },
  })

interface Sent {
  readonly req?: unknown
  readonly jws?: string
  readonly kid?: string | undefined
  readonly jwk?: ConfirmationKey
  readonly known?: ProofKeys
}

/** Why a proof is refused; `undefined` for one that is accepted. */
function refusal({ client, recipient }: Parties, sent: Sent) {
  const { jws: plaintext = JWS, jwk = publicMembers(client.publicKey) } = sent
  const header = { kid: 'kid' in sent ? sent.kid : recipient.kid, req: sent.req }
  try {
    checkProof({ plaintext, header, key: recipient, agreement: undefined }, { jwk }, sent.known)
    return undefined
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    expect(error.code).toBe('token_invalid')
    return error.reason
  }
}

let parties: Parties
let mac: string
beforeAll(async () => {
  parties = { client: await keyOn('P-256'), recipient: await keyOn('P-256') }
  mac = await prove(parties)
})

describe.each(CURVES)('on %s', (crv) => {
  test('a proof of the client is accepted, with and without a digest of the body', async () => {
    const pair = { client: await keyOn(crv), recipient: await keyOn(crv) }
    expect(thumbprintOf(publicMembers(pair.client.publicKey))).toBe(pair.client.kid)
    for (const req of [REQ, { ...REQ, dig: undefined }]) {
      expect(refusal(pair, { req: { ...req, mac: await prove(pair, req) } })).toBeUndefined()
    }
  })

  test('a proof with a key of somebody else is refused', async () => {
    const [client, thief, recipient] = [await keyOn(crv), await keyOn(crv), await keyOn(crv)]
    // The thief has the token and knows every public key.
    const forged = await macOf({
      privateKey: await importPrivate(thief.privateKey.export({ format: 'jwk' })),
      clientId: client.kid,
      recipient: recipient.publicJwk,
      jws: JWS,
      req: REQ,
    })
    expect(refusal({ client, recipient }, { req: { ...REQ, mac: forged } })).toBe('proof')
  })
})

test.each([
  ['jti', 'other'],
  ['iat', REQ.iat + 1],
  ['htm', 'DELETE'],
  ['htu', 'https://auth.test/other'],
  ['dig', 'y'.repeat(43)],
  ['dig', undefined],
])('a proof covers %s, and is refused with %j in its place', (name, value) => {
  expect(refusal(parties, { req: { ...REQ, mac, [name]: value } })).toBe('proof')
})

test('a proof covers the token, and is refused with another one', () => {
  expect(refusal(parties, { req: { ...REQ, mac }, jws: `${JWS}A` })).toBe('proof')
})

test('a proof for one key is refused by another of the same recipient', async () => {
  const next = { ...parties, recipient: await keyOn('P-256') }
  expect(refusal(next, { req: { ...REQ, mac } })).toBe('proof')
})

test('the kid must be there, and be that of the key that opened the token', async () => {
  const { kid } = await keyOn('P-256')
  expect(refusal(parties, { req: { ...REQ, mac }, kid: undefined })).toBe('jwe_kid')
  expect(refusal(parties, { req: { ...REQ, mac }, kid })).toBe('jwe_kid')
})

describe('a mac that is not 43 letters of base64url counts as missing:', () => {
  test.each<[string, (mac: string) => unknown]>([
    ['absent', () => undefined],
    ['null', () => null],
    ['empty', () => ''],
    ['a number', () => 1],
    ['a list', (good) => [good]],
    ['an object', (good) => ({ mac: good })],
    ['truncated', (good) => good.slice(0, -1)],
    ['longer', (good) => `${good}A`],
    ['of another alphabet', (good) => `+${good.slice(1)}`],
    ['not ASCII', (good) => `é${good.slice(1)}`],
    ...SPELLINGS,
  ])('%s', (_, change) => {
    expect(refusal(parties, { req: { ...REQ, mac: change(mac) } })).toBe('proof_missing')
  })

  test.each([undefined, null, '', 'x', 1, [], {}])('a req of %j', (req) => {
    expect(refusal(parties, { req })).toBe('proof_missing')
  })
})

test('a mac with stray bits is refused', () => {
  expect(refusal(parties, { req: { ...REQ, mac: withStrayBit(mac) } })).toBe('proof')
})

describe('a malformed member is refused even with a good mac:', () => {
  const malformed: [string, unknown][] = [
    ['jti', ''],
    ['jti', 'x'.repeat(129)],
    ['jti', 'a b'],
    ['jti', 'a\nb'],
    ['jti', 'a\n'],
    ['jti', 'é'],
    ['jti', 1],
    ['iat', 1.5],
    ['iat', -1],
    ['iat', 1e21],
    ['iat', '1790000000'],
    ['htm', ''],
    ['htm', 'GET '],
    ['htm', 'GET\n'],
    ['htm', 'M-SEARCH'],
    ['htu', 'https://auth.test/a b'],
    ['htu', 'https://auth.test/\n'],
    ['htu', 'https://auth.test/é'],
    ['htu', `https://auth.test/${'x'.repeat(2048)}`],
    ['dig', ''],
    ['dig', null],
    ['dig', 'x'.repeat(42)],
    ['dig', 'x'.repeat(44)],
    ['dig', `${'x'.repeat(42)}=`],
  ]
  const cases = malformed.map(([name, value]) => {
    return [name, JSON.stringify(value).slice(0, 50), value] as const
  })

  test.each(cases)('%s of %s', async (name, _, value) => {
    const req = { ...REQ, [name]: value }
    const good = await prove(parties, req)
    expect(refusal(parties, { req: { ...req, mac: good } })).toBe('proof_missing')
  })

  test('an iat in another spelling of the same number', async () => {
    const req = { ...REQ, iat: '1.79e9' }
    const good = await prove(parties, req)
    expect(refusal(parties, { req: { ...REQ, mac: good } })).toBe('proof')
  })
})

describe('a key that cannot agree with that of the recipient is refused:', () => {
  test.each(CURVES.flatMap((a) => CURVES.filter((b) => a !== b).map((b) => [a, b] as const)))(
    'a client on %s, a recipient on %s',
    async (mine, theirs) => {
      const pair = { client: await keyOn(mine), recipient: await keyOn(theirs) }
      expect(refusal(pair, { req: { ...REQ, mac } })).toBe('cnf')
    },
  )

  test('a recipient with an RSA key', async () => {
    const pair = { ...parties, recipient: await generateKeyPair('enc', RSA) }
    expect(refusal(pair, { req: { ...REQ, mac } })).toBe('cnf')
  })

  test.each([
    ['zero', '00'.repeat(32)],
    ['one', `01${'00'.repeat(31)}`],
    ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['p', `ed${'ff'.repeat(30)}7f`],
  ])('a point of low order on X25519: %s', async (_, hex) => {
    const pair = { client: await keyOn('X25519'), recipient: await keyOn('X25519') }
    const jwk = { kty: 'OKP', crv: 'X25519', x: Buffer.from(hex, 'hex').toString('base64url') }
    expect(refusal(pair, { req: { ...REQ, mac }, jwk })).toBe('cnf')
  })

  test('a point off its curve, and invalid keys', () => {
    const { x } = publicMembers(generateKeyPairSync('x25519').publicKey)
    for (const jwk of [
      { kty: 'EC', crv: 'P-256', x, y: x },
      { kty: 'OKP', crv: 'P-256', x },
      { kty: 'EC', crv: 'P-256', x: '', y: '' },
    ]) {
      expect(refusal(parties, { req: { ...REQ, mac }, jwk })).toBe('cnf')
    }
  })
})

describe('the keys of proofs are cached', () => {
  /** A recipient that counts how often its private key is used. */
  function counting({ kid, alg, privateKey }: KeyPair) {
    let uses = 0
    const key = {
      kid,
      alg,
      get privateKey() {
        uses += 1
        return privateKey
      },
    }
    return { key, uses: () => uses }
  }

  test('with one agreement for all proofs of a client to a recipient', async () => {
    const { key, uses } = counting(parties.recipient)
    const known = createProofKeys()
    const client = publicMembers(parties.client.publicKey)
    const first = known.keyFor(client, key)
    expect(known.keyFor(client, key)).toBe(first)
    expect(uses()).toBe(1)
    const other = await keyOn('P-256')
    known.keyFor(publicMembers(other.publicKey), key)
    known.keyFor(client, { ...key, kid: 'next', privateKey: other.privateKey })
    expect(uses()).toBeGreaterThan(1)
    expect(known.keyFor(client, key)).toBe(first)
    for (const req of [
      { ...REQ, mac },
      { ...REQ, mac: withStrayBit(mac) },
    ]) {
      const sent = { req, known }
      expect(refusal(parties, sent)).toBe(refusal(parties, { req }))
    }
  })

  test('up to the capacity, and the least recently used makes room', async () => {
    const { key, uses } = counting(parties.recipient)
    const known = createProofKeys(2)
    const clients = (await Promise.all([1, 2, 3].map(() => keyOn('P-256')))).map(({ publicKey }) =>
      publicMembers(publicKey),
    )
    for (const index of [0, 1, 0, 2]) known.keyFor(clients[index]!, key)
    expect(uses()).toBe(3)
    known.keyFor(clients[0]!, key)
    expect(uses()).toBe(3)
    known.keyFor(clients[1]!, key)
    expect(uses()).toBe(4)
  })

  test('until they are forgotten', () => {
    const { key, uses } = counting(parties.recipient)
    const known = createProofKeys()
    const client = publicMembers(parties.client.publicKey)
    known.keyFor(client, key)
    known.clear()
    known.keyFor(client, key)
    expect(uses()).toBe(2)
  })
})
