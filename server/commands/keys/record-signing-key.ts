import { StartupError } from '../../errors/startup-error.ts'
import { SIGNING_ALGS, SIGNING_KEY_TYPES } from '../../../protocol/algorithms.ts'
import { changeFolder } from './folder-changes.ts'
import type { KeyFolder } from '../../keystore/folder.ts'
import { loadKeys } from '../../keystore/key-set.ts'
import { formatRecords, readRecords, RECORDS_FILE } from '../../keystore/key-records.ts'
import { mismatch } from '../../keystore/key-type.ts'
import { recordsOf } from './record-changes.ts'

/**
 * Records which algorithm a user's own signing key is used with, if its type serves for several: a
 * PEM does not say. Otherwise a change from EdDSA to Ed25519, or from PS256 to RS256, would apply to
 * the key that is in use, and every token that it has signed would be refused.
 *
 * @returns A warning if that was needed and impossible.
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
    await changeFolder(folder, ({ keys, removed }) => ({
      [RECORDS_FILE]: formatRecords(recordsOf(folder, keys, removed, now)),
    }))
    return []
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    return [
      `${error.message} ${RECORDS_FILE} should record that the signing key is used with ${current.alg}. Until it does, a change of TOKEN_SIGNING_ALG to ${others.join(' or ')} signs everybody out.`,
    ]
  }
}
