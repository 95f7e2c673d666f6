import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import type { Algorithms } from '../../protocol/algorithms.ts'
import type { KeyFolder } from './folder.ts'
import { loadKeys, type LoadedKeys } from './key-set.ts'
import { createEphemeralKeystore, createKeystore, type ReloadableKeystore } from './keystore.ts'
import { createOpenedKeys } from './opened-keys.ts'
import { recordSigningKey } from '../commands/keys/record-signing-key.ts'

interface KeyFolderConfig {
  readonly keysDir: string
  readonly privateKeyPassphrase: string | undefined
  readonly algorithms: Algorithms
  /** See KeyFolder. */
  readonly scryptCost?: ScryptCost
}

interface OpenedKeystore {
  readonly keystore: ReloadableKeystore
  /** What the operator should know. */
  readonly warnings: readonly string[]
  /** The folder to follow and its state when it was read; none for keys in memory. */
  readonly source: { readonly folder: KeyFolder; readonly fingerprint: string } | undefined
}

/**
 * Opens the keystore of the configured boot mode: the keys of the folder, or fresh ones in memory.
 *
 * @throws StartupError when there are no keys in the folder, or they cannot be used.
 */
export async function openKeystore(
  config: KeyFolderConfig & { readonly preserveSessions: boolean },
): Promise<OpenedKeystore> {
  if (!config.preserveSessions) {
    const keystore = await createEphemeralKeystore(config.algorithms)
    return { keystore, warnings: [], source: undefined }
  }
  const folder = keyFolderOf(config)
  const { fingerprint, warnings, ...keys } = await loadRecordedKeys(folder)
  return { keystore: createKeystore(keys), warnings, source: { folder, fingerprint } }
}

async function loadRecordedKeys(folder: KeyFolder): Promise<LoadedKeys> {
  const keys = await loadKeys(folder)
  const { recorded, warnings } = await recordSigningKey(folder, keys.sig.current)
  return recorded ? loadKeys(folder) : { ...keys, warnings: [...keys.warnings, ...warnings] }
}

/** The configured key folder; it remembers the keys that have been opened. */
export const keyFolderOf = ({
  keysDir: path,
  privateKeyPassphrase: passphrase,
  algorithms,
  scryptCost,
}: KeyFolderConfig): KeyFolder => ({
  ...{ path, passphrase, algorithms, opened: createOpenedKeys() },
  ...(scryptCost === undefined ? {} : { scryptCost }),
})
