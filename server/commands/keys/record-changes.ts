import type { StoredKey } from '../../keystore/stored-key.ts'
import type { FolderContents } from '../../keystore/folder.ts'
import type { KeyRecord } from '../../keystore/key-records.ts'

/** Milliseconds for which records of removed keys are kept: much longer than a session lasts. */
const REMEMBERED = 2 * 365 * 86_400_000

/** The records of the folder while a change is planned. */
export type Records = Record<string, KeyRecord>

/** The records to write, for the keys in the folder, for removed keys and for those to be restored. */
export function recordsOf(
  { keys, removed, missing }: Pick<FolderContents, 'keys' | 'removed' | 'missing'>,
  now: number,
): Records {
  const remembered = Object.entries({ ...removed, ...missing }).filter(([, record]) =>
    record.removed === undefined
      ? Date.parse(record.retires ?? '') > now
      : Date.parse(record.removed) > now - REMEMBERED,
  )
  const present = keys.map((key) => [key.kid, recordOf(key)] as const)
  return Object.fromEntries([...remembered, ...present])
}

/** The record of a key in the folder. A key that a backup has brought back is not removed. */
export function recordOf(key: StoredKey): KeyRecord {
  if (key.record !== undefined) return { ...key.record, removed: undefined }
  return {
    alg: key.alg,
    created: new Date(key.createdAt).toISOString(),
  }
}

/**
 * Records that a key is gone for good. A server that finds data encrypted to it then knows that
 * reading the folder again will not help.
 *
 * @param now Milliseconds since the epoch.
 */
export function markRemoved(records: Records, kid: string, now: number): void {
  const record = records[kid]
  if (record !== undefined) records[kid] = { ...record, removed: new Date(now).toISOString() }
}
