import type { Logger } from './logger.ts'

/** What is recorded of who did what. Yours to replace: a sink of your own beside the log. */
export type AuditEvent =
  | 'account_created'
  | 'account_deleted'
  | 'login'
  | 'login_failed'
  | 'login_locked'
  | 'logout'
  | 'session_ended'
  | 'refresh_reused'
  | 'request_replayed'
  | 'password_changed'
  | 'password_reset'
  | 'scope_changed'
  | 'identity_linked'
  | 'identity_unlinked'
  | 'token_exchanged'
  | 'exchange_refused'
  | 'license_token_issued'

/** Whom it concerns: ids alone, as far as they are known. */
export interface AuditSubject {
  readonly account_id?: string | undefined
  readonly session_id?: string | undefined
  readonly client_id?: string | undefined
  /** Where a failed sign-in came from, no more exact than limits are: see limits/client-address.ts. */
  readonly source?: string | undefined
}

const WARNINGS: ReadonlySet<AuditEvent> = new Set([
  'login_failed',
  'exchange_refused',
  'login_locked',
  'refresh_reused',
  'request_replayed',
])

/**
 * Writes one structured line, `audit` naming the event, whatever LOG_LEVEL is.
 *
 * @param log The logger of the request, which adds the request id.
 */
export function audit(log: Logger, event: AuditEvent, subject: AuditSubject): void {
  audible(log)[WARNINGS.has(event) ? 'warn' : 'info']({ audit: event, ...subject }, event)
}

/** Records that sessions of an account have ended, a line each. */
export function auditEnded(log: Logger, accountId: string, sessionIds: readonly string[]): void {
  for (const id of sessionIds) {
    audit(log, 'session_ended', { account_id: accountId, session_id: id })
  }
}

/** LOG_LEVEL says how much there is to read, and not whether there is a record. */
function audible(log: Logger): Logger {
  const isSilent = log.level === 'silent'
  return isSilent || log.isLevelEnabled('info') ? log : log.child({}, { level: 'info' })
}
