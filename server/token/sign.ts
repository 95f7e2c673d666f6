import type { SigningAlg } from '../../protocol/algorithms.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import { signatureOf } from './signature.ts'

/**
 * Signs claims: a JWS in compact form (RFC 7515 §7.1) with `alg`, `kid` and `typ` in its header. It
 * is never sent on its own.
 */
export function sign(claims: object, typ: string, { alg, kid, privateKey }: KeyPair): string {
  const input = [{ alg, kid, typ }, claims].map(toBase64url).join('.')
  const signature = signatureOf(input, alg as SigningAlg, privateKey)
  return `${input}.${signature.toString('base64url')}`
}

const toBase64url = (json: object): string =>
  Buffer.from(JSON.stringify(json)).toString('base64url')
