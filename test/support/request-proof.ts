/**
 * The proof of a key-bound token as docs/http-api.md describes it, by Web Crypto and apart from the
 * code that it tests. As in a browser, neither the private key nor the derived one can be exported.
 */
import { webcrypto, type JsonWebKey } from 'node:crypto'

const { subtle } = webcrypto

/** Bits of a shared secret: a whole x-coordinate, or the output of X25519. */
const BITS: Readonly<Record<string, number>> = {
  'P-256': 256,
  'P-384': 384,
  'P-521': 528,
  X25519: 256,
}

const utf8 = (text: string) => new TextEncoder().encode(text)
const base64url = (bytes: ArrayBuffer) => Buffer.from(bytes).toString('base64url')

const algorithmOf = (crv = '') =>
  crv === 'X25519' ? { name: 'X25519' } : { name: 'ECDH', namedCurve: crv }

/** A private key as a client stores it. */
export const importPrivate = (jwk: JsonWebKey): Promise<webcrypto.CryptoKey> =>
  subtle.importKey('jwk', jwk, algorithmOf(jwk.crv), false, ['deriveBits'])

/** The inputs of a proof. */
export interface Proof {
  readonly privateKey: webcrypto.CryptoKey
  readonly clientId: string
  /** The recipient's public encryption key, with its `kid`. */
  readonly recipient: JsonWebKey & { readonly kid?: string }
  readonly jws: string
  /** The members of `req` that it covers. */
  readonly req: Readonly<Record<string, unknown>>
}

/** The `mac` of a `req`. */
export async function macOf({ privateKey, clientId, recipient, jws, req }: Proof): Promise<string> {
  const { kty, crv = '', x, y, kid } = recipient
  const jwk = { kty, crv, x, ...(y === undefined ? {} : { y }) } as JsonWebKey
  const publicKey = await subtle.importKey('jwk', jwk, algorithmOf(crv), false, [])
  const secret = await subtle.deriveBits(
    { name: algorithmOf(crv).name, public: publicKey },
    privateKey,
    BITS[crv]!,
  )
  const info = utf8(`jwe-auth-server request proof\0${clientId}\0${kid}`)
  const key = await subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info },
    await subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']),
    { name: 'HMAC', hash: 'SHA-256', length: 256 },
    false,
    ['sign'],
  )
  const { jti, iat, htm, htu, dig = '' } = req
  const digest = base64url(await subtle.digest('SHA-256', utf8(jws)))
  const message = utf8([jti, iat, htm, htu, dig, digest].join('\n'))
  return base64url(await subtle.sign('HMAC', key, message))
}
