import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { askSecret } from '../../server/commands/prompt.ts'
import { CallError } from './call-error.ts'

/**
 * The passphrase of the client's key: CALL_PASSPHRASE, or the file `passphrase` beside the key. The
 * file is made for a new key if the variable is not set. Then only the permissions of the folder
 * protect the key, as those of an SSH key without a passphrase.
 *
 * @param hasKey Whether the folder has a key already.
 * @param note Takes one line for the user.
 * @throws CallError if the file cannot be read or written.
 * @throws StartupError if the passphrase has to be asked for, and there is no terminal.
 */
export async function findPassphrase(
  folder: string,
  hasKey: boolean,
  note: (line: string) => void,
): Promise<string> {
  const { CALL_PASSPHRASE = '' } = process.env
  if (CALL_PASSPHRASE !== '') return CALL_PASSPHRASE
  const path = join(folder, 'passphrase')
  if (existsSync(path)) return readFile(path, 'utf8').catch(unusable(path))
  // The key was made with CALL_PASSPHRASE.
  if (hasKey) return askSecret(`Passphrase of ${folder}`, 'CALL_PASSPHRASE')
  const passphrase = randomBytes(32).toString('base64url')
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(unusable(folder))
  const options = { flag: 'wx', mode: 0o600, flush: true }
  await writeFile(path, passphrase, options).catch(unusable(path))
  note(`The key of this client is kept in ${folder}, and its passphrase beside it.`)
  note('To keep the passphrase off the disk, remove that folder and set CALL_PASSPHRASE.')
  return passphrase
}

const unusable = (path: string) => (error: unknown) => {
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  throw new CallError(`${path} cannot be used (${code}). Choose another --folder.`)
}
