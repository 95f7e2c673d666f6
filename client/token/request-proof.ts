import { ENCRYPTION_CRVS } from '../../protocol/algorithms.ts'
import type { Binding } from '../../protocol/binding.ts'
import { PROOF_KEY_LENGTH, proofInput, proofKeyInfo } from '../../protocol/request-proof.ts'
import { encodeBase64url, sha256, utf8 } from '../bytes.ts'
import type { ClientKey } from '../keys/client-key.ts'
import { ecdhOn, importPublicKey } from '../keys/web-crypto.ts'
import { sharedSecret } from './jwe/ephemeral-key.ts'
import type { Recipient } from './jwe/seal-jwe.ts'

/**
 * Derives the key of this client's proofs to one recipient: K of protocol/request-proof.ts. It can be
 * used, but not exported.
 *
 * @throws DOMException if the two keys are not on one curve, or the recipient's point is of low order.
 */
export async function deriveProofKey(
  { id, privateKey }: Pick<ClientKey, 'id' | 'privateKey'>,
  recipient: Recipient,
): Promise<CryptoKey> {
  const crv = ENCRYPTION_CRVS.find((name) => name === recipient.crv)
  if (crv === undefined) throw new DOMException('The key is on no known curve.', 'DataError')
  const publicKey = await importPublicKey(recipient, ecdhOn(crv), [])
  const secret = await sharedSecret(privateKey, publicKey, crv)
  const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey'])
  // Whoever has it could derive the key again.
  secret.fill(0)
  const info = utf8(proofKeyInfo(id, recipient.kid))
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
  const hmac = { name: 'HMAC', hash: 'SHA-256', length: PROOF_KEY_LENGTH * 8 }
  return crypto.subtle.deriveKey(hkdf, base, hmac, false, ['sign'])
}

/**
 * Adds the proof of a key-bound token to the binding of a request.
 *
 * @param jws The token.
 */
export async function prove(key: CryptoKey, binding: Binding, jws: string): Promise<Binding> {
  const input = proofInput(binding, await sha256(utf8(jws)))
  const mac = await crypto.subtle.sign('HMAC', key, utf8(input))
  return { ...binding, mac: encodeBase64url(new Uint8Array(mac)) }
}
