import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { calculateJwkThumbprint } from 'jose'
import { isEncrypted, parsePrivateKey, PemError, type PemFault } from './pem.ts'

/** What to do about a PEM without a usable key. Completes the sentence "<path> …". */
const REMEDIES: Readonly<Record<PemFault, string>> = {
  corrupt: 'has no private key in PEM format, or a damaged one. Restore it from your backup.',
  public: 'has a public key. Replace it with the private key.',
  passphrase_missing:
    'is protected by a passphrase, but PRIVATE_KEY_PASSPHRASE is not set. Set it.',
  passphrase_wrong:
    'cannot be decrypted with PRIVATE_KEY_PASSPHRASE. Set it to the passphrase that the key was encrypted with.',
}

/** A private key and its thumbprint. */
interface OpenedKey {
  readonly key: KeyObject
  readonly kid: string
}

/**
 * A cache of decrypted keys, by the text of their files. Decrypting a key takes about 50 ms of CPU
 * time, so only the files that have changed are decrypted when a folder is read again.
 */
export class OpenedKeys {
  readonly #keys = new Map<string, OpenedKey>()

  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  /** Reads the key of a PEM text. @throws PemError */
  async open(pem: string, passphrase: string | undefined): Promise<OpenedKey> {
    const known = this.#keys.get(pem)
    if (known !== undefined) return known
    const key = await parsePrivateKey(pem, passphrase)
    const kid = await calculateJwkThumbprint(createPublicKey(key).export({ format: 'jwk' }))
    this.#keys.set(pem, { key, kid })
    return { key, kid }
  }

  /** Forgets the keys of all texts but these. */
  retain(pems: ReadonlySet<string>): void {
    for (const pem of this.#keys.keys()) if (!pems.has(pem)) this.#keys.delete(pem)
  }
}

/**
 * Reads a private key and the properties of its file.
 *
 * @param opened Keys that were decrypted before. This key is added.
 * @returns A sentence for the operator if the key cannot be read.
 */
export async function readKey(path: string, passphrase: string | undefined, opened: OpenedKeys) {
  let pem: string
  try {
    pem = await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    return `${path} cannot be read (${code}). Make it a file that the server's user may read.`
  }
  try {
    const { key, kid } = await opened.open(pem, passphrase)
    const { mode, mtimeMs } = await stat(path).catch(() => ({ mode: 0, mtimeMs: 0 }))
    const encrypted = isEncrypted(pem)
    const warnings = warningsOf(path, mode, encrypted)
    return { pem, key, kid, modifiedAt: mtimeMs, encrypted, warnings }
  } catch (error) {
    if (!(error instanceof PemError)) throw error
    return `${path} ${REMEDIES[error.fault]}`
  }
}

function warningsOf(path: string, mode: number, isEncrypted: boolean): string[] {
  const warnings: string[] = []
  if (!isEncrypted) {
    warnings.push(
      `${path} is not protected by a passphrase. Anybody who can read the file can sign or read tokens. Protect every key with: npm run keys -- passphrase`,
    )
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    warnings.push(
      `${path} can be read or written by users other than its owner (mode ${(mode & 0o777).toString(8)}). Run: chmod 600 ${path}`,
    )
  }
  return warnings
}
