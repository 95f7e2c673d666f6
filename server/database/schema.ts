import type { Generated, Selectable } from 'kysely'
import type { AccountFields } from '../../protocol/account.ts'

/**
 * The tables, for Kysely. Times are in milliseconds since the epoch. Access tokens are not stored,
 * because revoking a session is enough.
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
  /** The public members of that key, as JSON. */
  jwk: string
  /**
   * 1 if its tokens are key-bound, otherwise 0. Its first registration decides this permanently.
   */
  key_bound_tokens: Generated<number>
  created_at: number
  /** When it is removed if it has had no session by then; null after its first session. */
  expires_at: number | null
}

/**
 * AccountFields has what people say about themselves. Yours to extend with anything else you store
 * about them.
 */
export interface AccountRow extends AccountFields {
  id: string
  /** As the person wrote it. */
  email: string
  /** The form that is compared: see accounts/email.ts. */
  email_key: string
  /** argon2id, in PHC string format; empty for an account without a password. */
  password_hash: string
  /**
   * When its owner first proved the address with a message sent to it; null if never. Until then,
   * anybody may have created the account.
   */
  email_verified_at: number | null
  /** Space-separated words (RFC 6749 §3.3). */
  scope: string
  /**
   * Counts the changes of password and scope. Anything that began under an earlier version (a
   * sign-in whose password is still being checked, a reset token in the mail) is then refused.
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
  /** Accurate to about a minute: see last-used.ts. */
  last_used_at: number
  /**
   * REFRESH_TOKEN_TTL after the last renewal, or SESSION_MAX_AGE after the start if that is
   * earlier.
   */
  expires_at: Generated<number>
  /** Counts the password changes in this session. Tokens of other generations are refused. */
  generation: Generated<number>
}

/** Refresh tokens that are unused or were used recently: see sessions/refresh.ts. */
export interface RefreshTokenRow {
  /** SHA-256, base64url. */
  jti_hash: string
  session_id: string
  /** When it was first used. */
  used_at: number | null
  /** 32 random bytes, base64url, set at its first use. Its successor's `jti` is derived with it. */
  salt: string | null
  expires_at: number
}

export interface PasswordResetRow {
  /** SHA-256, base64url. */
  jti_hash: string
  account_id: string
  /** The version of the account for which it was made. */
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
