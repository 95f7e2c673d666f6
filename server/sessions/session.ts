import type { Account } from '../database/schema.ts'
import type { AuditSubject } from '../log/audit-events.ts'

/** A live session and its account. */
export interface Session {
  readonly id: string
  readonly clientId: string
  /** Of the token that identified it. */
  readonly generation: number
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly account: Account
  /** What this access token allows (RFC 6749 §3.3). */
  readonly scope: string
  /** As stored: see database-keys/database-key.ts. */
  readonly sealedDatabaseKey: string
}

/** The ids of a session, its account and its client, for the audit log. */
export const idsOf = ({ id, account, clientId }: Session): AuditSubject => ({
  account_id: account.id,
  session_id: id,
  client_id: clientId,
})
