import { createPrivateKey, type KeyObject } from 'node:crypto'
import { decryptPrivateKey } from '../../pkcs8/decrypt-key.ts'

export type PemFault = 'corrupt' | 'public' | 'passphrase_missing' | 'passphrase_wrong'

/**
 * A PEM text without a usable private key. The message names the fault, and quotes nothing of the
 * text.
 */
export class PemError extends Error {
  readonly fault: PemFault

  constructor(fault: PemFault) {
    super(fault)
    this.name = 'PemError'
    this.fault = fault
  }
}

/**
 * Reads a private key from PEM: PKCS#8 (RFC 5958), plain or encrypted, or the older SEC1 and PKCS#1
 * forms, plain or with OpenSSL's `Proc-Type` header. jose's importPKCS8 cannot read encrypted keys.
 *
 * @throws PemError
 */
export async function parsePrivateKey(
  pem: string,
  passphrase: string | undefined,
): Promise<KeyObject> {
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) {
    const isPublic = /-----BEGIN ([A-Z0-9 ]*PUBLIC KEY|CERTIFICATE)-----/.test(pem)
    throw new PemError(isPublic ? 'public' : 'corrupt')
  }
  // A plain key needs no passphrase.
  if (!isEncrypted(pem)) return importPlain(pem)
  if (passphrase === undefined) throw new PemError('passphrase_missing')
  const key = await decryptPrivateKey(pem, passphrase)
  if (key === undefined) throw new PemError(isWhole(pem) ? 'passphrase_wrong' : 'corrupt')
  return key
}

function importPlain(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new PemError('corrupt')
  }
}

/** Whether a passphrase is needed to read the key. */
export function isEncrypted(pem: string): boolean {
  return /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)
}

/**
 * Tells a damaged file from a wrong passphrase: OpenSSL reports both with the same errors. The
 * outer DER SEQUENCE of an encrypted PKCS#8 key is not encrypted, so its length can be checked. The
 * older form is all ciphertext, so damage cannot be seen.
 */
function isWhole(pem: string): boolean {
  const body = /BEGIN ENCRYPTED PRIVATE KEY-----([\s\S]*?)-----END ENCRYPTED/.exec(pem)?.[1]
  if (body === undefined) return /Proc-Type[^]*-----END/.test(pem)
  const der = Buffer.from(body, 'base64')
  const [tag, first = 0x80] = der
  // X.690 §8.1.3: the length, or how many bytes it takes. 0x80 says that there is none.
  const lengthBytes = first > 0x80 ? first - 0x80 : 0
  const start = 2 + lengthBytes
  if (tag !== 0x30 || first === 0x80 || lengthBytes > 4 || der.length < start) return false
  const length = lengthBytes > 0 ? der.readUIntBE(2, lengthBytes) : first
  return der.length === start + length
}
