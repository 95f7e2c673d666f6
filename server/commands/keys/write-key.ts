import type { KeyObject } from 'node:crypto'
import { encryptPrivateKey } from '../../../pkcs8/encrypt-key.ts'
import { StartupError } from '../../errors/startup-error.ts'
import type { KeyFolder } from '../../keystore/folder.ts'

/** Bytes that OpenSSL reads of a passphrase. */
const MAX_PASSPHRASE = 1024
/** Characters. */
const SAFE_PASSPHRASE = 12

/**
 * A private key as it is written to the folder: PKCS#8 PEM (RFC 5958), encrypted if there is a
 * passphrase.
 *
 * @throws StartupError for a passphrase that is too long.
 */
export async function toPem(
  key: KeyObject,
  { passphrase, scryptCost }: Pick<KeyFolder, 'passphrase' | 'scryptCost'>,
): Promise<string> {
  if (passphrase === undefined) return key.export({ type: 'pkcs8', format: 'pem' }).toString()
  if (Buffer.byteLength(passphrase) > MAX_PASSPHRASE) {
    throw new StartupError([
      `The passphrase is longer than ${MAX_PASSPHRASE} bytes, and no key could be read with it. Choose a shorter one.`,
    ])
  }
  return encryptPrivateKey(key, passphrase, scryptCost)
}

/** What to tell the operator who has just written keys under this passphrase, if anything. */
export function passphraseWarning(passphrase: string | undefined): string | undefined {
  if (passphrase === undefined || Array.from(passphrase).length >= SAFE_PASSPHRASE) return undefined
  return `Warning: the passphrase has fewer than ${SAFE_PASSPHRASE} characters, and whoever copies the key files may guess it. Choose a longer one: npm run keys -- passphrase`
}
