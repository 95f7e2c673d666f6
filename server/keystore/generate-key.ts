import {
  createPrivateKey,
  generateKeyPair,
  type ED25519KeyPairOptions,
  type KeyObject,
} from 'node:crypto'
import { promisify } from 'node:util'
import { RSA_MODULUS_BITS, type KeyType } from '../../protocol/algorithms.ts'

/**
 * For node:crypto, to generate a key as bytes and not as a KeyObject. Node 20 can hang for good while
 * it exports a generated KeyObject as a JWK, if the garbage collector runs at that moment.
 */
export const AS_DER: ED25519KeyPairOptions<'der', 'der'> = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
}

/** Generates a private key. */
export async function generateKey(type: KeyType): Promise<KeyObject> {
  const { privateKey } = await generateFor(type)
  return createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
}

const generate = promisify(generateKeyPair)

function generateFor({ kty, crv }: KeyType): Promise<{ privateKey: Buffer }> {
  switch (kty) {
    case 'RSA':
      return generate('rsa', { modulusLength: RSA_MODULUS_BITS.generated, ...AS_DER })
    case 'EC':
      return generate('ec', { namedCurve: crv ?? '', ...AS_DER })
    case 'OKP':
      return crv === 'X25519' ? generate('x25519', AS_DER) : generate('ed25519', AS_DER)
  }
}
