import type { Config } from '../config/config.ts'
import type { KeyFolder } from './folder.ts'
import { loadKeys } from './key-set.ts'
import { createEphemeralKeystore, createKeystore } from './keystore.ts'
import { OpenedKeys } from './read-key.ts'

type FolderConfig = Pick<Config, 'keysDir' | 'privateKeyPassphrase' | 'algorithms'>

/** A folder, and its state when it was read: see `fingerprint`. */
export interface KeySource {
  readonly folder: KeyFolder
  readonly fingerprint: string
}

/**
 * Opens the keystore for the configured boot mode: the keys of the folder, or new ones in memory.
 *
 * @param prepare Brings a folder up to date before it is read, and returns warnings for the
 *   operator.
 * @param now Milliseconds since the epoch.
 * @returns The keystore; warnings for the operator, one sentence each; and the folder to follow, if the
 *   keys are not in memory.
 * @throws StartupError if there are no keys in the folder, or they cannot be used.
 */
export async function openKeystore(
  config: FolderConfig & Pick<Config, 'preserveSessions'>,
  prepare: (folder: KeyFolder, now: number) => Promise<readonly string[]>,
  now = Date.now(),
) {
  if (!config.preserveSessions) {
    const keystore = await createEphemeralKeystore(config.algorithms, now)
    return { keystore, warnings: [], source: undefined }
  }
  const folder = keyFolderOf(config)
  const warnings = await prepare(folder, now)
  const { fingerprint, ...keys } = await loadKeys(folder, now)
  return {
    keystore: createKeystore(keys),
    warnings: [...keys.warnings, ...warnings],
    source: { folder, fingerprint },
  }
}

/** The configured key folder. It remembers keys that were decrypted before. */
export const keyFolderOf = (config: FolderConfig): KeyFolder => ({
  path: config.keysDir,
  passphrase: config.privateKeyPassphrase,
  algorithms: config.algorithms,
  opened: new OpenedKeys(),
})
