import type { KeyType } from '../../protocol/algorithms.ts'
import type { ClientKey } from '../keys/client-key.ts'

/** Storage for a client's key, session and vaults. */
export interface ClientStore {
  readonly kind: 'indexeddb' | 'file' | 'memory'
  /** One sentence for the user, if data will unexpectedly be lost when the page closes. */
  readonly warning?: string

  /** The key in use, which opens the session, if there is one. */
  loadKey(): Promise<ClientKey | undefined>
  /**
   * The key for the next sign-in: the newest key, or a fresh one if that has another type. A fresh key
   * is kept beside the key in use, so that a failed sign-in does not lose the session.
   *
   * @param refused The id of a key that must not be returned.
   * @throws AuthError `key_not_supported`
   */
  makeKey(type: KeyType, refused?: string): Promise<ClientKey>
  /** Makes the key with this id the key in use, because its first session has begun. */
  useKey(id: string): Promise<void>

  /** Reads the value under a name. Check it, because it may be anything. */
  read(name: string): Promise<unknown>
  /** Stores a JSON value under a name; `undefined` removes it. */
  write(name: string, value: unknown): Promise<void>

  /** The storage of a session's vault, created on first use. */
  vault(sessionId: string): VaultStorage
  /** Removes every vault that can be found, except that of one session. */
  removeVaults(except?: string): Promise<void>

  /** Runs `work` while no other page that shares the store runs any. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** Calls back when another page has written the session. Returns a function that removes the listener. */
  subscribe(listener: () => void): () => void
}

/** Encrypted records under ids that reveal nothing: see vault/vault.ts. */
export interface VaultStorage {
  get(id: string): Promise<Uint8Array<ArrayBuffer> | undefined>
  put(id: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  delete(id: string): Promise<void>
  ids(): Promise<string[]>
  /** Removes all records. Afterwards `put` throws `session_ended`. */
  destroy(): Promise<void>
}
