import type { KeyObject } from 'node:crypto'
import {
  ENCRYPTION_CURVES,
  SIGNING_ALGS,
  SIGNING_KEY_TYPES,
  type EncryptionAlg,
  type KeyType,
} from '../../protocol/algorithms.ts'
import { generateKeyPair, toKeyPair, type KeyPair } from '../keystore/key-pair.ts'
import { mismatch } from '../keystore/key-type.ts'
import { parsePrivateKey, PemError } from '../keystore/pem.ts'
import { StartupError } from '../errors/startup-error.ts'

/** Supported by every JOSE library and browser. The auth server has the same defaults. */
const DEFAULTS = {
  signingAlg: 'ES256',
  encryptionAlg: 'ECDH-ES+A128KW',
  encryptionEnc: 'A128GCM',
  encryptionCrv: 'P-256',
} as const
const CURVES: readonly KeyType[] = Object.values(ENCRYPTION_CURVES)

/**
 * Opens a service's own encryption key, and binds it to one algorithm.
 *
 * @param key A key pair, or the PEM of a private key without a passphrase. By default, a new key.
 * @throws StartupError for a key that cannot be used for encryption.
 */
export async function openServiceKey(key: KeyPair | string | undefined): Promise<KeyPair> {
  if (key === undefined) return generateKeyPair('enc', DEFAULTS)
  if (typeof key === 'string') return fromPem(key)
  if (key.use !== 'enc') {
    throw new StartupError(['The key of the service is for signing. Use a key for encryption.'])
  }
  return key
}

async function fromPem(pem: string): Promise<KeyPair> {
  const privateKey = await parsePem(pem, 'The key of the service')
  return toKeyPair(privateKey, 'enc', algorithmOf(privateKey))
}

/**
 * Opens the key that a service signs its assertions with.
 *
 * @param key A key pair, or the PEM of a private key without a passphrase. Of several algorithms that
 *   fit the key, a PEM gets the first: EdDSA, PS256.
 * @throws StartupError for a key that cannot be used for signing.
 */
export async function openSigningKey(key: KeyPair | string): Promise<KeyPair> {
  if (typeof key !== 'string') {
    if (key.use === 'sig') return key
    throw new StartupError(['The signing key of the service is for encryption.'])
  }
  const privateKey = await parsePem(key, 'The signing key of the service')
  const alg = SIGNING_ALGS.find(
    (name) => mismatch(privateKey, SIGNING_KEY_TYPES[name]) === undefined,
  )
  if (alg !== undefined) return toKeyPair(privateKey, 'sig', alg)
  throw new StartupError(['The signing key of the service is not an EC, Ed25519 or RSA key.'])
}

async function parsePem(pem: string, name: string): Promise<KeyObject> {
  try {
    return await parsePrivateKey(pem, undefined)
  } catch (error) {
    if (!(error instanceof PemError)) throw error
    throw new StartupError([
      `${name} is not the PEM of a private key without a passphrase. Make a key with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`,
    ])
  }
}

function algorithmOf(key: KeyObject): EncryptionAlg {
  if (CURVES.some((type) => mismatch(key, type) === undefined)) return DEFAULTS.encryptionAlg
  const fault = mismatch(key, { kty: 'RSA' })
  if (fault === undefined) return 'RSA-OAEP-256'
  throw new StartupError([`The key of the service is ${fault}. Use an EC, X25519 or RSA key.`])
}
