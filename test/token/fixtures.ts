/** A server's token context, a client of it, and the means to forge what a client would send. */
import { createHmac, sign as signBytes, type KeyObject } from 'node:crypto'
import { compactDecrypt } from 'jose'
import { z } from 'zod'
import type { Algorithms, EncryptionAlg } from '../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import { createEphemeralKeystore } from '../../server/keystore/keystore.ts'
import { seal as sealJwe } from '../../server/token/jwe/seal-jwe.ts'
import { issue } from '../../server/token/issue.ts'
import { accessToken, registered, type TokenKind } from '../../server/token/claims.ts'
import { TokenError } from '../../server/errors/token-error.ts'
import { validate } from '../../server/token/validate.ts'
import { createClock } from '../support/clock.ts'
import { encryptJwe } from '../support/foreign-jose.ts'

export const DEFAULTS: Algorithms = {
  signingAlg: 'ES256',
  encryptionAlg: 'ECDH-ES+A128KW',
  encryptionEnc: 'A128GCM',
  encryptionCrv: 'P-256',
}
export const ISSUER = 'https://auth.test'
export const LIFETIME = 900

/** The claims of an access token that its issuer chooses. */
export const OWN_CLAIMS = {
  sub: 'account-1',
  aud: 'client-1',
  client_id: 'client-1',
  sid: 'session-1',
  scope: 'user',
}

/** A kind of token as a feature adds it: with an audience of its own, and for no client. */
export const ticket = {
  typ: 'ticket+jwt',
  audience: '/tickets',
  claims: z.strictObject(registered),
} as const satisfies TokenKind

export const recipientOf = ({ kid, publicKey, alg }: KeyPair) => ({
  kid,
  publicKey,
  alg: alg as EncryptionAlg,
})

export async function open(jwe: string, { privateKey }: { privateKey: KeyObject }) {
  const { plaintext } = await compactDecrypt(jwe, privateKey)
  return new TextDecoder().decode(plaintext)
}

export async function setUp(algorithms = DEFAULTS) {
  const clock = createClock()
  const keystore = await createEphemeralKeystore(algorithms)
  const context = { issuer: ISSUER, algorithms, keystore, clock }
  const client = await generateKeyPair('enc', algorithms)
  const now = Math.floor(clock() / 1000)
  const seal = (jws: string) =>
    Promise.resolve(sealJwe(jws, keystore.encryptionKey, algorithms.encryptionEnc, { cty: 'JWT' }))
  const refused = (token: string) => refusal(validate(context, accessToken, token))
  return {
    clock,
    keystore,
    context,
    client,
    now,
    /** JWS → JWE to the server, as a client does it. */
    seal,
    /** How `token` is refused as an access token. */
    refused,
    /** How a token with this inner header and payload, signed by the server, is refused. */
    refusedSigned: async (header: object | string, payload: object | string) =>
      refused(await seal(forge(header, payload, keystore.signingKey.privateKey))),
    /** The claims of a good access token, complete. */
    claims: { ...OWN_CLAIMS, iss: ISSUER, iat: now, exp: now + LIFETIME, jti: 'token-1' },
    /** The inner header of a good access token. */
    header: { alg: algorithms.signingAlg, kid: keystore.signingKey.kid, typ: 'at+jwt' },
    /** An access token as a client keeps it: the JWS. */
    accessJws: async () =>
      open(issue(context, accessToken, OWN_CLAIMS, recipientOf(client), LIFETIME), client),
    /** The same as `seal` with any header member changed; for the default algorithms. */
    sealWith: (plaintext: string | Buffer, header: Record<string, unknown> = {}) =>
      encryptJwe(plaintext, keystore.encryptionKey.publicKey, {
        kid: keystore.encryptionKey.kid,
        cty: 'JWT',
        ...header,
      }),
  }
}

export type Fixture = Awaited<ReturnType<typeof setUp>>

export const base64url = (data: string | Buffer) => Buffer.from(data).toString('base64url')

const part = (value: object | string) =>
  base64url(typeof value === 'string' || value instanceof Buffer ? value : JSON.stringify(value))

/** A JWS by ES256 whatever its header says; header and payload are taken as they are given. */
export function forge(header: object | string, payload: object | string, key: KeyObject): string {
  const input = `${part(header)}.${part(payload)}`
  const signature = signBytes('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${base64url(signature)}`
}

/** A JWS with a MAC for a signature. */
export function forgeMac(header: object, payload: object, secret: string | Buffer): string {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Merges `changes` into the members of a part that holds JSON; `undefined` removes a member. */
export function edit(token: string, index: number, changes: Record<string, unknown>): string {
  const parts = token.split('.')
  const value = JSON.parse(Buffer.from(parts[index]!, 'base64url').toString())
  parts[index] = base64url(JSON.stringify({ ...value, ...changes }))
  return parts.join('.')
}

/** `token` with one part put through `change`. */
export const withPart = (token: string, index: number, change: (part: string) => string): string =>
  token
    .split('.')
    .map((part, i) => (i === index ? change(part) : part))
    .join('.')

/** How `work` was refused. Anything but a TokenError fails the test, as does success. */
export async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => new Error('It was accepted.'),
    (error: unknown) => error,
  )
  if (!(error instanceof TokenError)) throw error as Error
  return { code: error.code, reason: error.reason }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Flips a bit of a part's last character that does not belong to its bytes. */
export function withStrayBit(part: string): string {
  if (part.length % 4 === 0) throw new Error('This part has no stray bits.')
  const last = ALPHABET.indexOf(part.at(-1)!)
  return part.slice(0, -1) + ALPHABET[last ^ 1]!
}

/** Other spellings of a part's bytes, each of which a lenient decoder accepts. */
export const SPELLINGS: [string, (part: string) => string][] = [
  ['a space inside', (part) => `${part.slice(0, 4)} ${part.slice(4)}`],
  ['a space before', (part) => ` ${part}`],
  ['a line break after', (part) => `${part}\n`],
  ['padding', (part) => `${part}=`],
  ['padding and more', (part) => `${part}==AAAA`],
  ['a character of no alphabet', (part) => `${part}!`],
  ['a letter beyond ASCII', (part) => `${part}\u00e9`],
]

/** Changes to the bytes of a part, each in its canonical spelling. */
export const MANGLINGS: ((part: string) => string)[] = [
  () => '',
  otherBytes,
  (part) => base64url(Buffer.from(part, 'base64url').subarray(1)),
  (part) => base64url(Buffer.from(part, 'base64url').subarray(0, -1)),
  (part) => base64url(Buffer.concat([Buffer.from(part, 'base64url'), Buffer.alloc(1)])),
  (part) => base64url(Buffer.from(part, 'base64url').reverse()),
  (part) => base64url(Buffer.alloc(Buffer.from(part, 'base64url').length)),
]

export function otherBytes(part: string): string {
  const bytes = Buffer.from(part, 'base64url')
  bytes[bytes.length >> 1]! ^= 1
  return base64url(bytes)
}

/** Header parameters that bring a key, a cost or an extension from outside. */
export const REFUSED_PARAMETERS: [string, unknown][] = [
  ['zip', 'DEF'],
  ['crit', ['exp']],
  ['crit', []],
  ['b64', false],
  ['jku', 'https://evil.test/jwks'],
  ['jwk', { kty: 'EC' }],
  ['x5u', 'https://evil.test/cert'],
  ['x5c', []],
  ['x5t', 'x'],
  ['x5t#S256', 'x'],
  ['p2c', 1_000_000_000],
  ['p2s', 'x'],
  ['iv', 'x'],
  ['tag', 'x'],
  ['zip', null],
]
