/**
 * The tables, as Kysely sees them. Times are milliseconds since the epoch. Access tokens are not
 * stored: a session is what can be revoked.
 */
export interface Schema {
  clients: ClientRow
  accounts: AccountRow
  sessions: SessionRow
}

export interface ClientRow {
  /** The thumbprint of the client's public encryption key. */
  client_id: string
  client_name: string | null
  /** JSON: the public members of that key. */
  jwk: string
  created_at: number
}

/** Yours to replace: columns for what else you keep about a person. */
export interface AccountRow {
  id: string
  /** As it was given. */
  email: string
  /** As it is compared: see accounts/email.ts. */
  email_key: string
  name: string | null
  /** argon2id, in PHC string format. */
  password_hash: string
  /** RFC 6749 §3.3: words, space-separated. */
  scope: string
  created_at: number
}

export interface SessionRow {
  id: string
  account_id: string
  client_id: string
  /** A JWE to the server's own encryption key, of 32 random bytes in base64url. */
  database_key: string
  created_at: number
  last_used_at: number
}
