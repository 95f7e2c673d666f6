import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import type { Algorithms } from '../../protocol/algorithms.ts'
import type { KeyFolder } from './folder.ts'
import { loadKeys } from './key-set.ts'
import { createEphemeralKeystore, createKeystore, type ReloadableKeystore } from './keystore.ts'
import { createOpenedKeys } from './opened-keys.ts'

interface KeyFolderConfig {
  readonly keysDir: string
  readonly privateKeyPassphrase: string | undefined
  readonly algorithms: Algorithms
  /** See KeyFolder. */
  readonly scryptCost?: ScryptCost
}

interface OpenedKeystore {
  readonly keystore: ReloadableKeystore
  /** What the operator should know, one sentence each. */
  readonly warnings: readonly string[]
  /** The folder to follow, and its state when it was read. `undefined` for keys in memory. */
  readonly source: { readonly folder: KeyFolder; readonly fingerprint: string } | undefined
}

/**
 * Opens the keystore for the configured boot mode: the keys of the folder, or new ones in memory.
 *
 * @param prepare Brings a folder up to date before it is read, and returns warnings for the
 *   operator.
 * @param now Milliseconds since the epoch.
 * @throws StartupError if there are no keys in the folder, or they cannot be used.
 */
export async function openKeystore(
  config: KeyFolderConfig & { readonly preserveSessions: boolean },
  prepare: (folder: KeyFolder, now: number) => Promise<readonly string[]>,
  now = Date.now(),
): Promise<OpenedKeystore> {
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
export const keyFolderOf = ({
  keysDir: path,
  privateKeyPassphrase: passphrase,
  algorithms,
  scryptCost,
}: KeyFolderConfig): KeyFolder => ({
  path,
  passphrase,
  algorithms,
  opened: createOpenedKeys(),
  ...(scryptCost === undefined ? {} : { scryptCost }),
})
