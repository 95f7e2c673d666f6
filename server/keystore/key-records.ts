import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { StartupError } from '../errors/startup-error.ts'
import { ENCRYPTION_ALGS, SIGNING_ALGS } from '../../protocol/algorithms.ts'

/** What is known of a key beside its PEM. Nothing secret. */
const recordSchema = z.object({
  /** The one algorithm that the key was made for. */
  alg: z.enum([...SIGNING_ALGS, ...ENCRYPTION_ALGS]),
  /** RFC 3339. */
  created: z.iso.datetime(),
  /** RFC 3339: when it became the current key, if it was the next one before. */
  current_since: z.iso.datetime().optional(),
  /** RFC 3339: when nothing made with it can still be alive. Set when it becomes a previous key. */
  retires: z.iso.datetime().optional(),
  /** RFC 3339: when a command removed the key for good. Only the record is left. */
  removed: z.iso.datetime().optional(),
})
const recordsSchema = z.record(z.string(), recordSchema)

export type KeyRecord = z.infer<typeof recordSchema>
/** kid → what is known of the key. A key that a user brought has no entry until it is first rotated. */
export type KeyRecords = Readonly<Record<string, KeyRecord>>

export const RECORDS_FILE = 'keys.json'

/**
 * Reads the folder's records; none if there is no such file.
 *
 * @throws StartupError for a damaged one.
 */
export async function readRecords(folder: string): Promise<KeyRecords> {
  const path = join(folder, RECORDS_FILE)
  try {
    return recordsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new StartupError([
      `${path} is damaged or cannot be read. Restore it from your backup; without one, delete it: the keys' ages are then those of their files.`,
    ])
  }
}

export const formatRecords = (records: KeyRecords): string =>
  `${JSON.stringify(records, undefined, 2)}\n`
