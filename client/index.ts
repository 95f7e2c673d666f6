/**
 * The client library of jwe-auth-server, for browsers and (with `./node.ts`) Node. It needs
 * nothing but Web Crypto.
 *
 * @module
 */
export type { Account, AccountFields, SignUpFields } from '../protocol/account.ts'
export type { KeyType } from '../protocol/algorithms.ts'
export type { AccessTokenClaims, RefreshTokenClaims } from '../protocol/tokens.ts'
export { AuthClient } from './auth-client.ts'
export type { AuthClientOptions, DerivePassword, KeyBoundTokens, SealedBodies } from './options.ts'
export type { Session } from './session/session-in-memory.ts'
export type { AccountRequests } from './account-requests.ts'
export { AuthError, hasCode, type ClientErrorCode } from './errors.ts'
export type { Fetch } from './http.ts'
export type { AccountAnswer, SessionEntry } from './session/answers.ts'
export type { OpenedToken } from './session/tokens.ts'
export type { ClientStore, VaultStorage } from './stores/client-store.ts'
export { browserStore } from './stores/indexeddb-store.ts'
export { memoryStore } from './stores/memory-store.ts'
export type { ClientKey } from './keys/client-key.ts'
export type { Vault } from './vault/vault.ts'
