/** The events of the audit trail, each with its level in the log. */
export const AUDIT_LEVELS = {
  account_created: 'info',
  account_deleted: 'info',
  login: 'info',
  login_failed: 'warn',
  login_locked: 'warn',
  logout: 'info',
  session_ended: 'info',
  refresh_reused: 'warn',
  request_replayed: 'warn',
  password_changed: 'info',
  password_reset: 'info',
  scope_changed: 'info',
  identity_linked: 'info',
  identity_unlinked: 'info',
  token_exchanged: 'info',
  exchange_refused: 'warn',
  license_token_issued: 'info',
  service_authenticated: 'info',
  service_refused: 'warn',
  service_client_added: 'info',
  service_client_removed: 'info',
} as const

export type AuditEvent = keyof typeof AUDIT_LEVELS

/** Who and what an event is about: only ids, and only those that are known. */
export interface AuditSubject {
  readonly account_id?: string | undefined
  readonly session_id?: string | undefined
  readonly client_id?: string | undefined
  /** Where a failed sign-in came from, as precisely as limits are: see limits/client-address.ts. */
  readonly source?: string | undefined
}
