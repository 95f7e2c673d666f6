import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { StartupError } from '../errors/startup-error.ts'
import { ENCRYPTION_ALGS, SIGNING_ALGS } from '../../protocol/algorithms.ts'

/** What a PEM does not say about its key. Contains no secrets. */
const recordSchema = z.object({
  /** The one algorithm that the key was made for. */
  alg: z.enum([...SIGNING_ALGS, ...ENCRYPTION_ALGS]),
  /** RFC 3339. */
  created: z.iso.datetime(),
  /** RFC 3339: when it became the current key, if it was the next one first. */
  current_since: z.iso.datetime().optional(),
  /** RFC 3339: when the last token made with it expires. Set when it becomes a previous key. */
  retires: z.iso.datetime().optional(),
  /** RFC 3339: when a command removed the key for good. Only this record is left. */
  removed: z.iso.datetime().optional(),
})
const recordsSchema = z.record(z.string(), recordSchema)

export type KeyRecord = z.infer<typeof recordSchema>
/**
 * kid → record. A key that was put into the folder by hand may have none until the first rotation.
 */
export type KeyRecords = Readonly<Record<string, KeyRecord>>

export const RECORDS_FILE = 'keys.json'

/**
 * Reads the records of a folder. Empty if there is no file of records.
 *
 * @throws StartupError if the file is damaged or cannot be read.
 */
export async function readRecords(folder: string): Promise<KeyRecords> {
  const path = join(folder, RECORDS_FILE)
  try {
    return recordsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return {}
    throw new StartupError([
      code === undefined
        ? `${path} is damaged. Restore it from your backup. Without a backup, delete it: keys are then as old as their files.`
        : `${path} cannot be read (${code}). Check its owner and its permissions.`,
    ])
  }
}

export const formatRecords = (records: KeyRecords): string =>
  `${JSON.stringify(records, undefined, 2)}\n`
