import type { KeyType } from '../../protocol/algorithms.ts'
import { keyNotSupported } from '../errors.ts'
import { pickPublic, thumbprint, type PublicJwk } from './public-jwk.ts'
import { ecdhOn, RSA_OAEP } from './web-crypto.ts'

/** This client's encryption key. The private key is only for decrypting. */
export interface ClientKey {
  /** RFC 7638 SHA-256 thumbprint, base64url: the `client_id`, and the `kid` of tokens encrypted to it. */
  readonly id: string
  /** Only `kty` and the public members. */
  readonly publicJwk: PublicJwk
  /** Extractable only until it is written to a file: see stores/key-files.ts. */
  readonly privateKey: CryptoKey
}

const RSA = { ...RSA_OAEP, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }

/**
 * Generates a key pair.
 *
 * @throws AuthError `key_not_supported`
 */
export async function generateClientKey(type: KeyType, extractable = false): Promise<ClientKey> {
  const { publicKey, privateKey } = await generatePair(type, extractable).catch(
    (error: unknown) => {
      const isUnknown = error instanceof DOMException && error.name === 'NotSupportedError'
      throw isUnknown ? keyNotSupported(nameOf(type), error) : error
    },
  )
  const publicJwk = pickPublic({ ...(await crypto.subtle.exportKey('jwk', publicKey)), ...type })
  return { id: await thumbprint(publicJwk), publicJwk, privateKey }
}

const generatePair = ({ crv }: KeyType, extractable: boolean): Promise<CryptoKeyPair> =>
  crv === undefined
    ? crypto.subtle.generateKey(RSA, extractable, ['encrypt', 'decrypt'])
    : crypto.subtle.generateKey(ecdhOn(crv), extractable, ['deriveBits'])

/** Such as `X25519`. */
export const nameOf = ({ kty, crv = kty }: KeyType): string => crv

/** Whether a key has the given type. */
export const fits = ({ publicJwk }: ClientKey, { kty, crv }: KeyType): boolean =>
  publicJwk.kty === kty && publicJwk.crv === crv
