import { constants } from 'node:fs'
import { access, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyObject } from 'node:crypto'
import { StartupError } from '../startup-error.ts'
import { algorithmFor, requiredKeyType, type Algorithms, type KeyUse } from './algorithms.ts'
import { commitChanges, finishCommit, recover } from './folder-transaction.ts'
import { withFolderLock } from './folder-lock.ts'
import { generateKeyPair, toKeyPair, type KeyPair } from './key-pair.ts'
import { mismatch, sameKey } from './key-type.ts'
import { isEncrypted, parsePrivateKey, type PemError, type PemFault } from './pem.ts'

/** Where a server's keys lie and what they must be. */
export interface KeyFolder {
  readonly path: string
  readonly passphrase: string | undefined
  readonly algorithms: Algorithms
}

export interface KeyFile {
  readonly pair: KeyPair
  readonly path: string
  /** When the file was last written, milliseconds since the epoch. */
  readonly modifiedAt: number
  readonly encrypted: boolean
}

export interface LoadedKeys {
  readonly sig: KeyFile
  readonly enc: KeyFile
  /** What is no fault but ought to be known, a sentence each. */
  readonly warnings: readonly string[]
}

const FILES = { sig: 'sig.key', enc: 'enc.key' } as const satisfies Record<KeyUse, string>
/** Bytes: what OpenSSL reads. */
const MAX_PASSPHRASE = 1024
const GENERATE = '`npm run keys -- generate`'
const VARIABLE = { sig: 'TOKEN_SIGNING_ALG', enc: 'TOKEN_ENCRYPTION_ALG' } as const

/**
 * Reads the signing and the encryption key.
 *
 * @throws StartupError with a sentence for each key that is missing, unreadable or wrong.
 */
export async function loadKeys(folder: KeyFolder): Promise<LoadedKeys> {
  const missing = await missingFiles(folder.path)
  if (missing.length === 2) {
    throw new StartupError([
      `There are no keys in ${folder.path}. Make them with ${GENERATE}, or put your own sig.key and enc.key there.`,
    ])
  }
  if (missing[0] !== undefined) {
    const present = missing[0] === 'sig' ? 'enc' : 'sig'
    throw new StartupError([
      `${join(folder.path, FILES[missing[0]])} is missing, and ${FILES[present]} is there. Restore it from your backup; or, if signing everybody out is acceptable, move ${FILES[present]} away and make both anew with ${GENERATE}.`,
    ])
  }
  const results = await Promise.all([readKey(folder, 'sig'), readKey(folder, 'enc')])
  const problems = results.filter((result) => typeof result === 'string')
  const [sig, enc] = results
  if (typeof sig === 'string' || typeof enc === 'string') throw new StartupError(problems)
  if (sameKey(sig.key, enc.key)) {
    throw new StartupError([
      `sig.key and enc.key in ${folder.path} are the same key. One key must not both sign and decrypt: make two with ${GENERATE} in an empty folder.`,
    ])
  }
  return {
    sig: await toKeyFile(folder, 'sig', sig),
    enc: await toKeyFile(folder, 'enc', enc),
    warnings: [...sig.warnings, ...enc.warnings],
  }
}

/**
 * Makes both keys and writes them, both or neither, encrypted when there is a passphrase.
 *
 * @throws StartupError when there is a key already: nothing is ever overwritten.
 */
export async function generateKeys(folder: KeyFolder): Promise<LoadedKeys> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new StartupError([
      `The key folder ${folder.path} cannot be made (${errorCode(error)}). Check KEYS_DIR and the rights on the folder above it.`,
    ])
  })
  await withFolderLock(folder.path, async () => {
    await recover(folder.path)
    const missing = await missingFiles(folder.path)
    const present = (['sig', 'enc'] as const).filter((use) => !missing.includes(use))
    if (present.length > 0) {
      throw new StartupError([
        `${present.map((use) => FILES[use]).join(' and ')} already in ${folder.path}: nothing was changed. A new key would sign everybody out; to start anew all the same, move the old files away first.`,
      ])
    }
    const sig = await generateKeyPair('sig', folder.algorithms)
    const enc = await generateKeyPair('enc', folder.algorithms)
    await commitChanges(folder.path, {
      [FILES.sig]: toPem(sig.privateKey, folder.passphrase),
      [FILES.enc]: toPem(enc.privateKey, folder.passphrase),
    })
  })
  return loadKeys(folder)
}

/** PKCS#8 PEM; under a passphrase, encrypted with AES-256-CBC by PBES2 (RFC 8018 §6.2). */
export function toPem(key: KeyObject, passphrase: string | undefined): string {
  if (passphrase !== undefined && Buffer.byteLength(passphrase) > MAX_PASSPHRASE) {
    throw new StartupError([
      `The passphrase is longer than ${MAX_PASSPHRASE} bytes, and no key could be read with it. Choose a shorter one.`,
    ])
  }
  return key
    .export({
      type: 'pkcs8',
      format: 'pem',
      ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString()
}

async function missingFiles(path: string): Promise<KeyUse[]> {
  await finishCommit(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return
    throw new StartupError([
      `The key folder ${path} cannot be read (${errorCode(error)}). Check KEYS_DIR and the rights on the folder.`,
    ])
  })
  const missing: KeyUse[] = []
  for (const use of ['sig', 'enc'] as const) {
    await access(join(path, FILES[use]), constants.F_OK).catch(() => missing.push(use))
  }
  return missing
}

interface RawKey {
  readonly key: KeyObject
  readonly modifiedAt: number
  readonly encrypted: boolean
  readonly warnings: string[]
}

/** The key, or the sentence that says why there is none. */
async function readKey(folder: KeyFolder, use: KeyUse): Promise<RawKey | string> {
  const path = join(folder.path, FILES[use])
  let pem: string
  try {
    pem = await readFile(path, 'utf8')
  } catch (error) {
    return `${path} cannot be read (${errorCode(error)}). Make it a file that the server's user may read.`
  }
  let key: KeyObject
  try {
    key = parsePrivateKey(pem, folder.passphrase)
  } catch (error) {
    return `${path} ${explain((error as PemError).fault)}`
  }
  const fault = mismatch(key, requiredKeyType(use, folder.algorithms))
  if (fault !== undefined) {
    return `${path} is ${fault}, which ${VARIABLE[use]}=${algorithmFor(use, folder.algorithms)} needs. Change the configuration to fit the key, or bring a key that fits.`
  }
  const { mode, mtimeMs } = await stat(path)
  const encrypted = isEncrypted(pem)
  const warnings: string[] = []
  if (!encrypted) {
    warnings.push(
      `${path} is not protected by a passphrase: whoever can read the file can sign or read tokens. Set PRIVATE_KEY_PASSPHRASE and make the keys with it.`,
    )
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    warnings.push(
      `${path} can be read or written by others than its owner (mode ${(mode & 0o777).toString(8)}). Run: chmod 600 ${path}`,
    )
  }
  return { key, modifiedAt: mtimeMs, encrypted, warnings }
}

async function toKeyFile(folder: KeyFolder, use: KeyUse, raw: RawKey): Promise<KeyFile> {
  return {
    pair: await toKeyPair(raw.key, use, algorithmFor(use, folder.algorithms)),
    path: join(folder.path, FILES[use]),
    modifiedAt: raw.modifiedAt,
    encrypted: raw.encrypted,
  }
}

function explain(fault: PemFault): string {
  switch (fault) {
    case 'corrupt':
      return 'holds no private key in PEM form, or a damaged one. Restore it from your backup.'
    case 'public':
      return 'holds a public key. The private key belongs there.'
    case 'passphrase_missing':
      return 'is protected by a passphrase, and PRIVATE_KEY_PASSPHRASE is not set. Set it.'
    case 'passphrase_wrong':
      return 'does not open with PRIVATE_KEY_PASSPHRASE. Set the passphrase that the key was made with.'
  }
}

const errorCode = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown'
