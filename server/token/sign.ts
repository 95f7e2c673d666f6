import { CompactSign } from 'jose'
import type { KeyPair } from '../keystore/key-pair.ts'

/**
 * Signs claims: a JWS in compact form (RFC 7515 §7.1) with `alg`, `kid` and `typ` in its header.
 * Never sent on its own: see encrypt.ts.
 */
export async function sign(claims: object, typ: string, key: KeyPair): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ })
    .sign(key.privateKey)
}
