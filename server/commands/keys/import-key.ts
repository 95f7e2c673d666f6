import type { KeyObject } from 'node:crypto'
import { StartupError } from '../../errors/startup-error.ts'
import { algorithmFor, requiredKeyType, type KeyUse } from '../../../protocol/algorithms.ts'
import { changeFolder, requireCurrent } from './folder-changes.ts'
import type { KeyFolder } from '../../keystore/folder.ts'
import { keyFileName } from '../../keystore/stored-key.ts'
import { toKeyPair } from '../../keystore/key-pair.ts'
import { mismatch } from '../../keystore/key-type.ts'
import { parsePrivateKey, PemError, type PemFault } from '../../keystore/pem.ts'
import { markRemoved } from './record-changes.ts'
import { toPem } from './write-key.ts'

/** What to do about a PEM that cannot be imported. Completes the sentence "<path> …". */
const REMEDIES: Readonly<Record<PemFault, string>> = {
  corrupt: 'has no private key in PEM format, or a damaged one. Nothing was changed.',
  public: 'has a public key. Import the private key.',
  passphrase_missing: 'is protected by a passphrase. Set IMPORT_PASSPHRASE.',
  passphrase_wrong:
    'cannot be decrypted with this passphrase. Set IMPORT_PASSPHRASE to the one that it was encrypted with.',
}

/**
 * Imports an operator's own key as the next one.
 *
 * @param file The PEM, and its own passphrase if it has one.
 * @returns The kid of the key.
 * @throws StartupError if the key does not fit the configuration, or is in the folder already.
 */
export async function importKey(
  folder: KeyFolder,
  use: KeyUse,
  file: { readonly path: string; readonly pem: string; readonly passphrase: string | undefined },
  now: number,
): Promise<string> {
  let key: KeyObject
  try {
    key = await parsePrivateKey(file.pem, file.passphrase)
  } catch (error) {
    if (!(error instanceof PemError)) throw error
    throw new StartupError([`${file.path} ${REMEDIES[error.fault]}`])
  }
  const alg = algorithmFor(use, folder.algorithms)
  const pair = await toKeyPair(key, use, alg)
  await changeFolder(folder, now, async ({ keys, files, records }) => {
    requireCurrent(folder, keys, use)
    const name = keyFileName(use, 'next')
    const fault = mismatch(key, requiredKeyType(use, folder.algorithms))
    const problems =
      fault === undefined
        ? []
        : [`${file.path} is ${fault}, which the configuration requires. Import another key.`]
    if (keys.some(({ kid }) => kid === pair.kid)) {
      problems.push(`${file.path} has a key that is already in the folder. Import another one.`)
    }
    if (problems.length > 0) throw new StartupError(problems)
    const replaced = keys.find((key) => key.name === name)
    if (replaced !== undefined) markRemoved(records, replaced.kid, now)
    records[pair.kid] = { alg, created: new Date(now).toISOString() }
    files[name] = await toPem(key, folder)
  })
  return pair.kid
}
