import { StartupError } from '../../errors/startup-error.ts'
import { SIGNING_ALGS, SIGNING_KEY_TYPES } from '../../../protocol/algorithms.ts'
import { changeFolder } from './folder-changes.ts'
import type { KeyFolder } from '../../keystore/folder.ts'
import { loadKeys } from '../../keystore/key-set.ts'
import { readRecords, RECORDS_FILE } from '../../keystore/key-records.ts'
import { mismatch } from '../../keystore/key-type.ts'

/**
 * Records which algorithm an operator's own signing key is used with, if its type allows several: a
 * PEM does not say. Without the record, changing EdDSA to Ed25519, or PS256 to RS256, would change
 * the algorithm of the key in use. Every token that it has signed would then be refused.
 *
 * @returns A warning if the record is needed but cannot be written.
 * @throws StartupError for keys that cannot be used.
 */
export async function recordSigningKey(folder: KeyFolder, now = Date.now()): Promise<string[]> {
  const { current } = (await loadKeys(folder, now)).sig
  const others = SIGNING_ALGS.filter(
    (alg) =>
      alg !== current.alg && mismatch(current.privateKey, SIGNING_KEY_TYPES[alg]) === undefined,
  )
  if (others.length === 0 || (await readRecords(folder.path))[current.kid] !== undefined) {
    return []
  }
  try {
    // Every change writes the records of all keys.
    await changeFolder(folder, now, () => undefined)
    return []
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    return [
      `${error.message} ${RECORDS_FILE} should record that the signing key is used with ${current.alg}. Until it does, changing TOKEN_SIGNING_ALG to ${others.join(' or ')} signs everybody out.`,
    ]
  }
}
