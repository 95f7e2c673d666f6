import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isCommitting } from '../../keystore/folder-transaction.ts'
import { listKeyFiles } from '../../keystore/folder.ts'
import { isEncrypted } from '../../keystore/pem.ts'

/** Whether the folder has a key, or an interrupted change that may add one. */
export async function hasKeys(path: string): Promise<boolean> {
  return (await listKeyFiles(path)).length > 0 || (await isCommitting(path))
}

/** Whether a key of the folder is encrypted with a passphrase. */
export async function isProtected(path: string): Promise<boolean> {
  const pems = (await listKeyFiles(path)).map((name) =>
    readFile(join(path, name), 'utf8').catch(() => ''),
  )
  return (await Promise.all(pems)).some(isEncrypted)
}
