/** The events of the audit trail. */
export const AUDIT_EVENTS = [
  'account_created',
  'account_deleted',
  'login',
  'login_failed',
  'login_locked',
  'logout',
  'session_ended',
  'refresh_reused',
  'request_replayed',
  'password_changed',
  'password_reset',
  'scope_changed',
  'identity_linked',
  'identity_unlinked',
  'token_exchanged',
  'exchange_refused',
  'license_token_issued',
  'service_authenticated',
  'service_refused',
  'service_client_added',
  'service_client_removed',
] as const

export type AuditEvent = (typeof AUDIT_EVENTS)[number]

/** Who and what an event is about: only ids, and only those that are known. */
export interface AuditSubject {
  readonly account_id?: string | undefined
  readonly session_id?: string | undefined
  readonly client_id?: string | undefined
  /** Where a failed sign-in came from, as precisely as limits are: see limits/client-address.ts. */
  readonly source?: string | undefined
}
