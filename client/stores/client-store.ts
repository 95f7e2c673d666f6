import type { KeyType } from '../../protocol/algorithms.ts'
import type { ClientKey } from '../token/client-key.ts'

/** Where a client keeps its key, its session and its vault. */
export interface ClientStore {
  readonly kind: 'indexeddb' | 'file' | 'memory'
  /** One sentence for a person, where what is kept will not outlive the page though it should. */
  readonly warning?: string

  /** The client's key, if it has one. */
  loadKey(): Promise<ClientKey | undefined>
  /** A key of this type: the one that is kept, if it fits, else a fresh one, which is kept instead. */
  makeKey(type: KeyType): Promise<ClientKey>

  /** What was written under a name, to be checked: anything may stand there. */
  read(name: string): Promise<unknown>
  /** Keeps JSON under a name; `undefined` removes it. */
  write(name: string, value: unknown): Promise<void>

  /** Where a session's vault lies. Nothing is made before its first use. */
  vault(sessionId: string): VaultStorage
  /** Removes every vault but that of one session, as far as they can be found. */
  removeVaults(except?: string): Promise<void>

  /** Does something while no other page or process that shares the store does. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** Calls back when another page has written the session; gives back what ends it. */
  subscribe(listener: () => void): () => void
}

/** Encrypted records by an id that says nothing: see vault/vault.ts. */
export interface VaultStorage {
  get(id: string): Promise<Uint8Array<ArrayBuffer> | undefined>
  put(id: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  delete(id: string): Promise<void>
  ids(): Promise<string[]>
  /** Removes it all; nothing can be put there any more: `session_ended`. */
  destroy(): Promise<void>
}
