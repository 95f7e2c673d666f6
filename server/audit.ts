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

/** Whom it concerns: ids alone, and what is known of them. */
export interface AuditSubject {
  readonly account_id?: string | undefined
  readonly session_id?: string | undefined
  readonly client_id?: string | undefined
}

const WARNINGS: ReadonlySet<AuditEvent> = new Set([
  'login_failed',
  'login_locked',
  'refresh_reused',
  'request_replayed',
])

/**
 * Writes one structured line, `audit` naming the event. The request's logger adds the request id.
 *
 * @param log The logger of the request.
 */
export function audit(log: Logger, event: AuditEvent, subject: AuditSubject): void {
  log[WARNINGS.has(event) ? 'warn' : 'info']({ audit: event, ...subject }, event)
}
