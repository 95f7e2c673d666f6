/**
 * A second implementation of the default algorithms, which shows faults that a round trip with one
 * implementation would hide. It checks only what the RFCs require, and writes any header, so tests
 * also forge tokens with it.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  randomBytes,
  verify,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { ecPair } from './key-pairs.ts'

const KW_IV = Buffer.from('A6A6A6A6A6A6A6A6', 'hex')

/** The Concat KDF of NIST SP 800-56A with SHA-256, with the inputs of RFC 7518 §4.6.2. */
export function concatKdf(
  secret: Buffer,
  algorithm: string,
  bits: number,
  apu = Buffer.alloc(0),
  apv = Buffer.alloc(0),
): Buffer {
  const info = [withLength(Buffer.from(algorithm)), withLength(apu), withLength(apv), uint32(bits)]
  const rounds = Array.from({ length: Math.ceil(bits / 256) }, (_, round) =>
    createHash('sha256')
      .update(Buffer.concat([uint32(round + 1), secret, ...info]))
      .digest(),
  )
  return Buffer.concat(rounds).subarray(0, bits / 8)
}

/**
 * Encrypts with ECDH-ES+A128KW and A128GCM on P-256 (RFC 7516 §5.1).
 *
 * @param header Overrides members of the correct header. A member that is `undefined` is removed.
 */
export function encryptJwe(
  plaintext: string | Buffer,
  recipient: KeyObject,
  header: Record<string, unknown> = {},
): string {
  const ephemeral = ecPair('P-256')
  const { kty, crv, x, y } = ephemeral.publicKey.export({ format: 'jwk' })
  const complete = { alg: 'ECDH-ES+A128KW', enc: 'A128GCM', epk: { kty, crv, x, y }, ...header }
  const protectedHeader = encode(JSON.stringify(complete))
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient })
  const cek = randomBytes(16)
  const wrap = createCipheriv('aes128-wrap', concatKdf(secret, 'ECDH-ES+A128KW', 128), KW_IV)
  const encryptedKey = Buffer.concat([wrap.update(cek), wrap.final()])
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-128-gcm', cek, iv).setAAD(Buffer.from(protectedHeader))
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const parts = [encryptedKey, iv, ciphertext, cipher.getAuthTag()]
  return [protectedHeader, ...parts.map(encode)].join('.')
}

/** Decrypts a JWE of `encryptJwe` (RFC 7516 §5.2). Throws if it cannot be decrypted. */
export function decryptJwe(jwe: string, privateKey: KeyObject) {
  const [protectedHeader = '', ...rest] = jwe.split('.')
  const [encryptedKey, iv, ciphertext, tag] = rest.map((part) => Buffer.from(part, 'base64url'))
  const header = JSON.parse(Buffer.from(protectedHeader, 'base64url').toString())
  const publicKey = createPublicKey({ key: header.epk as JsonWebKey, format: 'jwk' })
  const kek = concatKdf(diffieHellman({ privateKey, publicKey }), 'ECDH-ES+A128KW', 128)
  const unwrap = createDecipheriv('aes128-wrap', kek, KW_IV)
  const cek = Buffer.concat([unwrap.update(encryptedKey!), unwrap.final()])
  const decipher = createDecipheriv('aes-128-gcm', cek, iv!, { authTagLength: 16 })
    .setAAD(Buffer.from(protectedHeader))
    .setAuthTag(tag!)
  const plaintext = Buffer.concat([decipher.update(ciphertext!), decipher.final()]).toString()
  return { header: header as Record<string, unknown>, plaintext }
}

/** Verifies ES256 (RFC 7518 §3.4). Returns header and payload; `undefined` if the signature is wrong. */
export function verifyEs256(jws: string, publicKey: KeyObject) {
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const holds = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  return holds ? { header: decode(header), payload: decode(payload) } : undefined
}

const encode = (data: string | Buffer): string => Buffer.from(data).toString('base64url')

const decode = (part: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const withLength = (data: Buffer): Buffer => Buffer.concat([uint32(data.length), data])
