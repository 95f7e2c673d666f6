import { baseUrlOf } from './discovery/base-url.ts'
import type { Reader } from './discovery/reader.ts'
import { createServer, type AuthServer } from './discovery/server.ts'
import { createService } from './discovery/service.ts'
import type { Fetch } from './http.ts'
import {
  checkOptions,
  type AuthClientOptions,
  type DerivePassword,
  type KeyBoundTokens,
  type SealedBodies,
} from './options.ts'
import type { ClientStore } from './stores/client-store.ts'
import { Agreements } from './token/jwe/agreements.ts'
import { ProofKeys } from './token/proof-keys.ts'

/** The server, the store and the options that all parts of a client share. */
export interface ClientContext {
  readonly server: AuthServer
  /** Everyone to whom tokens may be sent: the server and the other services. */
  readonly readers: readonly Reader[]
  /** Shared by all tokens that leave. */
  readonly agreements: Agreements
  /** Shared by all key-bound tokens that leave. */
  readonly proofKeys: ProofKeys
  readonly store: ClientStore
  readonly fetch: Fetch
  readonly clientName: string | undefined
  readonly sealedBodies: SealedBodies
  readonly keyBoundTokens: KeyBoundTokens
  readonly derivePassword: DerivePassword
  readonly onRefused: ((error: unknown) => void) | undefined
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** @throws AuthError `insecure_server`; TypeError for a misspelt value of an option. */
export function createContext(options: AuthClientOptions): ClientContext {
  checkOptions(options)
  const { store, services = [], clock = Date.now, maxKeyAge = 86_400 } = options
  const { fetch = (request: Request) => globalThis.fetch(request) } = options
  const { derivePassword = (password) => Promise.resolve(password) } = options
  const baseUrl = baseUrlOf(options.server)
  const { issuer = baseUrl, pinnedKeys } = options
  const common = { store, fetch, clock }
  const trusted = { baseUrl, issuer, pinnedKeys, maxKeyAge: maxKeyAge * 1000 }
  const server = createServer({ ...common, ...trusted })
  const others = services.map((service) =>
    createService({ ...common, server, baseUrl: baseUrlOf(service) }),
  )
  const { clientName, onRefused, sealedBodies = 'offered', keyBoundTokens = 'offered' } = options
  const readers = [server, ...others]
  const shared = { agreements: new Agreements(clock), proofKeys: new ProofKeys() }
  const chosen = { clientName, sealedBodies, keyBoundTokens, derivePassword, onRefused }
  return { ...common, ...shared, ...chosen, server, readers }
}
