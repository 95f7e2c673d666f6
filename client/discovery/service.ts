import { encodeBase64url, utf8 } from '../bytes.ts'
import type { Fetch } from '../http.ts'
import { readKeySet, type ServerKey } from '../keys/server-keys.ts'
import type { ClientStore } from '../stores/client-store.ts'
import { CachedDocument } from './cached-document.ts'
import { encryptionKeyOf, isSame, type Reader } from './reader.ts'
import { fetchKeys } from './server-info.ts'
import type { AuthServer } from './server.ts'

interface ServiceOptions {
  readonly baseUrl: string
  readonly server: AuthServer
  readonly store: ClientStore
  readonly fetch: Fetch
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/**
 * Another service that accepts the server's tokens. It publishes its own encryption key in the same
 * way as the server.
 */
export function createService({ baseUrl, server, store, fetch, clock }: ServiceOptions): Reader {
  const document = new CachedDocument<readonly ServerKey[]>({
    name: `service-${encodeBase64url(utf8(baseUrl))}`,
    store,
    clock,
    // The keys are only for sending to the service, so an old copy is useless while it is unreachable.
    maxAge: 0,
    load: () => fetchKeys(fetch, baseUrl),
    parse: async (value) => readKeySet({ keys: value }),
  })
  const readingKey = async (keys: readonly ServerKey[], crv?: string) => ({
    key: encryptionKeyOf(keys, baseUrl, crv),
    enc: (await server.info()).enc,
  })
  return {
    baseUrl,
    name: baseUrl,
    issuesTokens: false,
    key: async (crv) => readingKey(await document.get(), crv),
    hasRotated: async (used, crv) => !isSame(await readingKey(await document.reload(), crv), used),
  }
}
