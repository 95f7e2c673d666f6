import { AuthError, notSignedIn } from '../errors.ts'
import type { Fetch } from '../http.ts'
import { pinnedOf } from '../keys/pinned-keys.ts'
import type { VerificationKeys } from '../keys/server-keys.ts'
import type { ClientStore } from '../stores/client-store.ts'
import { CachedDocument } from './cached-document.ts'
import { encryptionKeyOf, isSame, type Reader, type ReadingKey } from './reader.ts'
import { fetchServerInfo, parseServerInfo, type ServerInfo } from './server-info.ts'

interface ServerOptions {
  readonly baseUrl: string
  readonly issuer: string
  readonly store: ClientStore
  readonly fetch: Fetch
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds for which cached keys are trusted while the server is unreachable. */
  readonly maxKeyAge: number
  /** Thumbprints of the only keys that may be used; all keys by default. */
  readonly pinnedKeys: readonly string[] | undefined
}

/** The auth server's published metadata and keys. */
export interface AuthServer extends Reader {
  info(): Promise<ServerInfo>
  /** Finds a signing key, and asks the server again if the cached copy does not have it. */
  readonly verificationKeys: VerificationKeys
}

export function createServer(options: ServerOptions): AuthServer {
  const { baseUrl, issuer, fetch, pinnedKeys } = options
  function withPinned(info: ServerInfo): ServerInfo | undefined {
    const keys = pinnedOf(info.keys, pinnedKeys)
    return keys && { ...info, keys }
  }
  const document = new CachedDocument<ServerInfo>({
    ...options,
    name: 'server',
    maxAge: options.maxKeyAge,
    async load() {
      const info = withPinned(await fetchServerInfo(fetch, baseUrl, issuer))
      if (info !== undefined) return info
      throw new AuthError('key_not_pinned', `A current key of ${baseUrl} is not in "pinnedKeys".`)
    },
    async parse(value) {
      const info = await parseServerInfo(value)
      return info?.issuer === issuer ? withPinned(info) : undefined
    },
  })
  function readingKey({ keys, enc, keyType }: ServerInfo, crv?: string): ReadingKey {
    try {
      return { key: encryptionKeyOf(keys, baseUrl, crv), enc }
    } catch (error) {
      // The server has changed its curve. The next sign-in makes a key on the new one.
      throw crv === undefined || crv === keyType.crv ? error : notSignedIn(error)
    }
  }
  return {
    baseUrl,
    name: issuer,
    issuesTokens: true,
    info: () => document.get(),
    key: async (crv) => readingKey(await document.get(), crv),
    hasRotated: async (used, crv) => !isSame(readingKey(await document.reload(), crv), used),
    async verificationKeys(kid) {
      const find = ({ keys }: ServerInfo) =>
        keys.find((key) => key.use === 'sig' && key.kid === kid)
      return find(await document.get()) ?? find(await document.reload())
    },
  }
}
