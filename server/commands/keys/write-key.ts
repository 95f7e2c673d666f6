import type { KeyObject } from 'node:crypto'
import { encryptPrivateKey } from '../../../pkcs8/encrypt-key.ts'
import { StartupError } from '../../errors/startup-error.ts'
import type { KeyFolder } from '../../keystore/folder.ts'

/** The most bytes of a passphrase that OpenSSL reads. */
const MAX_PASSPHRASE = 1024
/** Characters. */
const SAFE_PASSPHRASE = 12

/**
 * Formats a private key for the folder: PKCS#8 PEM (RFC 5958), encrypted if there is a passphrase.
 *
 * @throws StartupError if the passphrase is too long.
 */
export async function toPem(
  key: KeyObject,
  { passphrase, scryptCost }: Pick<KeyFolder, 'passphrase' | 'scryptCost'>,
): Promise<string> {
  if (passphrase === undefined) return key.export({ type: 'pkcs8', format: 'pem' }).toString()
  if (Buffer.byteLength(passphrase) > MAX_PASSPHRASE) {
    throw new StartupError([
      `The passphrase is longer than ${MAX_PASSPHRASE} bytes, so keys encrypted with it could not be read. Choose a shorter one.`,
    ])
  }
  return encryptPrivateKey(key, passphrase, scryptCost)
}

/** A warning for the operator if keys were just written with a short passphrase. */
export function passphraseWarning(passphrase: string | undefined): string | undefined {
  if (passphrase === undefined || Array.from(passphrase).length >= SAFE_PASSPHRASE) return undefined
  return `Warning: the passphrase has fewer than ${SAFE_PASSPHRASE} characters. Somebody who copies the key files may guess it. Choose a longer one with: npm run keys -- passphrase`
}
