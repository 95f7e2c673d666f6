import type { Generated, Selectable } from 'kysely'
import type { AccountFields } from '../../protocol/account.ts'

/**
 * The tables, as Kysely sees them. Times are milliseconds since the epoch. Access tokens are not
 * stored: a session is what can be revoked.
 */
export interface Schema {
  clients: ClientRow
  accounts: AccountRow
  sessions: SessionRow
  refresh_tokens: RefreshTokenRow
  password_resets: PasswordResetRow
  known_clients: KnownClientRow
}

export interface ClientRow {
  /** The thumbprint of the client's public encryption key. */
  client_id: string
  client_name: string | null
  /** JSON: the public members of that key. */
  jwk: string
  /** 1 if its tokens are key-bound, else 0. Its first registration says so, for good. */
  key_bound_tokens: Generated<number>
  created_at: number
  /** When it is removed, unless it has had a session by then; null from its first session on. */
  expires_at: number | null
}

/** What people say about themselves is in AccountFields. Yours to extend: what else you keep about them. */
export interface AccountRow extends AccountFields {
  id: string
  /** As it was given. */
  email: string
  /** As it is compared: see accounts/email.ts. */
  email_key: string
  /** argon2id, in PHC string format; empty for an account without a password. */
  password_hash: string
  /**
   * When its owner first proved the address by a message sent to it; null if they never have. Until
   * then, anybody may have made the account.
   */
  email_verified_at: number | null
  /** RFC 6749 §3.3: words, space-separated. */
  scope: string
  /**
   * Counts the changes of password and scope. What was begun under an earlier one (a sign-in whose
   * password was still being checked, a reset token on its way) comes too late.
   */
  version: Generated<number>
  created_at: number
}

export interface SessionRow {
  id: string
  account_id: string
  client_id: string
  /** A JWE to the server's own encryption key, of 32 random bytes in base64url. */
  database_key: string
  created_at: number
  /** To the minute, or so: see sessions.ts. */
  last_used_at: number
  /** The earlier of: not renewed for REFRESH_TOKEN_TTL, SESSION_MAX_AGE. */
  expires_at: Generated<number>
  /** Counts the changes of the password in this session. Tokens of another generation are dead. */
  generation: Generated<number>
}

/** The refresh tokens that are unused, or were used a moment ago: see sessions/refresh.ts. */
export interface RefreshTokenRow {
  /** SHA-256, base64url. */
  jti_hash: string
  session_id: string
  /** When it was first used. */
  used_at: number | null
  /** 32 random bytes, base64url, from its first use on: its successor's `jti` is derived with it. */
  salt: string | null
  expires_at: number
}

export interface PasswordResetRow {
  /** SHA-256, base64url. */
  jti_hash: string
  account_id: string
  /** The account's version that it was made under. */
  version: number
  expires_at: number
}

/** A client that has signed in to an account: see limits/known-clients.ts. */
export interface KnownClientRow {
  account_id: string
  client_id: string
  last_sign_in_at: number
}

export type Account = Selectable<AccountRow>
