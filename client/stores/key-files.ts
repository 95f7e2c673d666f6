import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import type { KeyType } from '../../protocol/algorithms.ts'
import { fits, generateClientKey, type ClientKey } from '../keys/client-key.ts'
import type { ClientStore } from './client-store.ts'
import { move, readIfThere, storeFailed, writeWhole } from './files.ts'
import { openKeyFile, sealKeyFile } from './key-file.ts'
import { oneAtATime } from './one-at-a-time.ts'

interface KeyFilesOptions {
  readonly folder: string
  readonly passphrase: string
  readonly scryptCost?: ScryptCost | undefined
}

/**
 * The private keys of a file store: the key in use, `client.key`, and beside it the key for the next
 * sign-in, if that is another, `client.next.key`.
 */
export function keyFiles({
  folder,
  passphrase,
  scryptCost,
}: KeyFilesOptions): Pick<ClientStore, 'loadKey' | 'makeKey' | 'useKey'> {
  const inUse = join(folder, 'client.key')
  const forNext = join(folder, 'client.next.key')
  // Decrypting a file is slow, so it is done once, and concurrent callers wait for the same key.
  const inTurn = oneAtATime()
  const opened = new Map<string, ClientKey>()

  async function load(path: string): Promise<ClientKey | undefined> {
    const known = opened.get(path)
    if (known !== undefined) return known
    const pem = await readIfThere(path)
    if (pem === undefined) return undefined
    // Windows has no POSIX permission bits.
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw storeFailed(`Other users can read ${path}. Run: chmod 600 ${path}`)
    }
    return open(path, new TextDecoder().decode(pem))
  }

  async function open(path: string, pem: string): Promise<ClientKey> {
    const key = await openKeyFile(pem, passphrase, path)
    opened.set(path, key)
    return key
  }

  async function generate(path: string, type: KeyType): Promise<ClientKey> {
    const pem = await sealKeyFile(await generateClientKey(type, true), passphrase, scryptCost)
    await writeWhole(path, pem)
    // Read it back, so that the key in use is the stored one, and not extractable.
    return open(path, pem)
  }

  return {
    loadKey: () => inTurn(() => load(inUse)),
    makeKey: (type, refused) =>
      inTurn(async () => {
        const key = await load(inUse)
        const newest = (await load(forNext)) ?? key
        if (newest !== undefined && newest.id !== refused && fits(newest, type)) return newest
        return generate(key === undefined ? inUse : forNext, type)
      }),
    useKey: (id) =>
      inTurn(async () => {
        const next = await load(forNext)
        if (next?.id !== id) return
        await move(forNext, inUse)
        opened.set(inUse, next)
        opened.delete(forNext)
      }),
  }
}
