import type { Fetch } from '../http.ts'
import type { ClientStore } from '../stores/client-store.ts'
import type { VerificationKeys } from '../token/verify.ts'
import { CachedDocument } from './cached-document.ts'
import { encryptionKeyOf, isSame, type Reader } from './reader.ts'
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
}

/** The auth server's published metadata and keys. */
export interface AuthServer extends Reader {
  info(): Promise<ServerInfo>
  /** Finds a signing key, and asks the server again if the cached copy does not have it. */
  readonly verificationKeys: VerificationKeys
}

export function createServer(options: ServerOptions): AuthServer {
  const { baseUrl, issuer, fetch } = options
  const document = new CachedDocument<ServerInfo>({
    ...options,
    name: 'server',
    maxAge: options.maxKeyAge,
    load: () => fetchServerInfo(fetch, baseUrl, issuer),
    async parse(value) {
      const info = await parseServerInfo(value)
      return info?.issuer === issuer ? info : undefined
    },
  })
  const readingKey = ({ keys, enc }: ServerInfo) => ({ key: encryptionKeyOf(keys, baseUrl), enc })
  return {
    baseUrl,
    name: issuer,
    issuesTokens: true,
    info: () => document.get(),
    key: async () => readingKey(await document.get()),
    hasRotated: async (used) => !isSame(readingKey(await document.reload()), used),
    async verificationKeys(kid) {
      const find = ({ keys }: ServerInfo) =>
        keys.find((key) => key.use === 'sig' && key.kid === kid)
      return find(await document.get()) ?? find(await document.reload())
    },
  }
}
