import { readFile, stat } from 'node:fs/promises'
import type { OpenedKeys } from './opened-keys.ts'
import { isEncrypted, PemError, type PemFault } from './pem.ts'

/**
 * Reads a private key and what its file tells; a sentence for the operator if it cannot be read.
 *
 * @param opened Keys that were opened before; the key is added.
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
    return `${path} ${explain(error.fault)}`
  }
}

function warningsOf(path: string, mode: number, isEncrypted: boolean): string[] {
  const warnings: string[] = []
  if (!isEncrypted) {
    warnings.push(
      `${path} is not protected by a passphrase: whoever can read the file can sign or read tokens. Protect every key with: npm run keys -- passphrase`,
    )
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    warnings.push(
      `${path} can be read or written by others than its owner (mode ${(mode & 0o777).toString(8)}). Run: chmod 600 ${path}`,
    )
  }
  return warnings
}

/** What to do about a PEM that gave no key: finishes the sentence "<path> …". */
function explain(fault: PemFault): string {
  switch (fault) {
    case 'corrupt':
      return 'holds no private key in PEM form, or a damaged one. Restore it from your backup.'
    case 'public':
      return 'holds a public key. The private key belongs there.'
    case 'passphrase_missing':
      return 'is protected by a passphrase, and PRIVATE_KEY_PASSPHRASE is not set. Set it.'
    case 'passphrase_wrong':
      return 'does not open with PRIVATE_KEY_PASSPHRASE. Set the passphrase that the key was made with.'
  }
}
