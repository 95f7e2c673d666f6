import {
  concat,
  decodeBase64url,
  encodeBase64url,
  randomBytes,
  utf8,
  type Bytes,
} from '../bytes.ts'
import { AuthError } from '../errors.ts'
import { isObject, parseObject } from '../json.ts'
import type { VaultStorage } from '../stores/client-store.ts'

/** Local data, encrypted at rest. Names are as secret as values. */
export interface Vault {
  /** One sentence for the user, if data will unexpectedly be lost when the page closes. */
  readonly warning?: string
  /** The value under a name; `undefined` if there is none. */
  get(name: string): Promise<unknown>
  /** Stores a JSON value under a name. */
  set(name: string, value: unknown): Promise<void>
  delete(name: string): Promise<void>
  names(): Promise<string[]>
}

/** Bytes of AES-GCM's initialization vector (NIST SP 800-38D §8.2.2: random, 96 bits). */
const IV_LENGTH = 12

/**
 * Opens the vault of one session, with keys derived (HKDF, RFC 5869) from its `database_key`. A record
 * is a random IV, and its name and value encrypted with AES-256-GCM. Its id is an HMAC of its name
 * and is authenticated too, so records cannot be swapped.
 *
 * It does not hide the number and the lengths of records. It cannot prevent somebody with access to
 * the disk from restoring an older state.
 *
 * @param databaseKey 32 bytes, base64url.
 */
export async function openVault(
  storage: VaultStorage,
  databaseKey: string,
  sessionId: string,
): Promise<Vault> {
  const { content, names } = await deriveKeys(databaseKey, sessionId)

  async function idOf(name: string): Promise<string> {
    if (typeof name !== 'string') throw new TypeError('A name in the vault must be a string.')
    return encodeBase64url(new Uint8Array(await crypto.subtle.sign('HMAC', names, utf8(name))))
  }

  async function encrypt(id: string, record: VaultRecord): Promise<Bytes> {
    const iv = randomBytes(IV_LENGTH)
    const plaintext = utf8(JSON.stringify(record))
    const algorithm = { name: 'AES-GCM', iv, additionalData: utf8(id) }
    const ciphertext = await crypto.subtle.encrypt(algorithm, content, plaintext)
    return concat(iv, new Uint8Array(ciphertext))
  }

  async function decrypt(bytes: Bytes, id: string): Promise<VaultRecord> {
    const iv = bytes.subarray(0, IV_LENGTH)
    const algorithm = { name: 'AES-GCM', iv, additionalData: utf8(id) }
    const plaintext = await crypto.subtle
      .decrypt(algorithm, content, bytes.subarray(IV_LENGTH))
      .catch(damaged)
    const record = parseObject(new Uint8Array(plaintext))
    return isRecord(record) ? record : damaged()
  }

  return {
    async get(name) {
      const id = await idOf(name)
      const bytes = await storage.get(id)
      return bytes === undefined ? undefined : (await decrypt(bytes, id)).value
    },
    async set(name, value) {
      const id = await idOf(name)
      await storage.put(id, await encrypt(id, { name, value }))
    },
    async delete(name) {
      await storage.delete(await idOf(name))
    },
    async names() {
      const ids = await storage.ids()
      const records = await Promise.all(
        ids.map(async (id) => {
          const bytes = await storage.get(id)
          return bytes === undefined ? undefined : decrypt(bytes, id)
        }),
      )
      return records.flatMap((record) => record?.name ?? [])
    },
  }
}

function damaged(cause?: unknown): never {
  throw new AuthError('vault_damaged', 'A record of the vault is damaged.', { cause })
}

interface VaultRecord {
  readonly name: string
  readonly value: unknown
}

const isRecord = (value: unknown): value is VaultRecord =>
  isObject(value) && typeof value['name'] === 'string'

async function deriveKeys(databaseKey: string, sessionId: string) {
  const key = decodeBase64url(databaseKey)
  if (key === undefined) throw new TypeError('The database key is not base64url.')
  const secret = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveKey'])
  const hkdf = (info: string) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: utf8(sessionId),
    info: utf8(info),
  })
  const aes = { name: 'AES-GCM', length: 256 }
  const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  const [content, names] = await Promise.all([
    crypto.subtle.deriveKey(hkdf('vault content'), secret, aes, false, ['encrypt', 'decrypt']),
    crypto.subtle.deriveKey(hkdf('vault names'), secret, hmac, false, ['sign']),
  ])
  return { content, names }
}
