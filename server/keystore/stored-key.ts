import type { KeyObject } from 'node:crypto'
import type { KeyUse } from '../../protocol/algorithms.ts'
import type { KeyPair } from './key-pair.ts'
import type { KeyRecord } from './key-records.ts'

/**
 * The life of a key: next → current → previous → removed. The next key is published but not used
 * yet.
 */
export type KeyState = 'next' | 'current' | 'previous'

/** A key in the folder. It may not fit the configuration. */
export interface StoredKey {
  readonly use: KeyUse
  readonly state: KeyState
  /** The name of its file in the folder. */
  readonly name: string
  readonly path: string
  readonly pem: string
  readonly key: KeyObject
  readonly kid: string
  /** The one algorithm that it is bound to. */
  readonly alg: KeyPair['alg']
  readonly record: KeyRecord | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** When it became the current key, if it is, in milliseconds since the epoch. */
  readonly currentSince: number
  readonly encrypted: boolean
  /** What the operator should know, one sentence each. */
  readonly warnings: readonly string[]
}

/** `sig.key`, `sig.next.key` or `sig.<kid>.key`: a previous key is named after its thumbprint. */
export function keyFileName(use: KeyUse, state: KeyState, kid = ''): string {
  if (state === 'current') return `${use}.key`
  return state === 'next' ? `${use}.next.key` : `${use}.${kid}.key`
}
