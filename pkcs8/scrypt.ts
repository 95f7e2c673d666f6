import { scrypt } from 'node:crypto'

/** How much work and memory scrypt takes (RFC 7914 §2), under the names of node:crypto. */
export interface ScryptCost {
  /** N, a power of two. */
  readonly cost: number
  /** r */
  readonly blockSize: number
  /** p */
  readonly parallelization: number
}

/** 16 MiB and about 50 ms. OpenSSL reads no key file with a higher N. */
export const SCRYPT_COST: ScryptCost = { cost: 16_384, blockSize: 8, parallelization: 1 }

/** Bytes of memory for one derivation: OpenSSL's own limit for key files. */
const MAX_MEMORY = 32 * 1024 * 1024

/** Whether scrypt takes these parameters, and keeps within the limit on memory. */
export function isValidCost({ cost, blockSize, parallelization }: ScryptCost): boolean {
  if (cost < 2 || blockSize < 1 || parallelization < 1) return false
  if (!Number.isInteger(Math.log2(cost))) return false
  return 128 * blockSize * (cost + parallelization + 2) <= MAX_MEMORY
}

/**
 * Derives 32 bytes from a passphrase in libuv's thread pool, so the event loop is not blocked.
 *
 * @param scryptCost Must be valid: see isValidCost.
 */
export function deriveKey(
  passphrase: string,
  salt: Uint8Array,
  scryptCost: ScryptCost,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 32, { ...scryptCost, maxmem: MAX_MEMORY }, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
