import { AUDIT_LEVELS, type AuditEvent, type AuditSubject } from './audit-events.ts'
import type { Logger } from './logger.ts'
import { observersOf } from './observers.ts'

/**
 * Writes an event to the log as one structured line, whatever LOG_LEVEL is. `audit` names the
 * event. To send events to a sink of your own as well, see observers.ts.
 *
 * @param log The logger of the request, which adds the request id.
 * @example
 * audit(ctx.state.log, 'password_changed', { account_id: account.id })
 */
export function audit(log: Logger, event: AuditEvent, subject: AuditSubject): void {
  audible(log)[AUDIT_LEVELS[event]]({ audit: event, ...subject }, event)
  for (const { onAudit } of observersOf(log)) onAudit?.(event, subject)
}

/** Records that sessions of an account have ended, one line for each. */
export function auditEnded(log: Logger, accountId: string, sessionIds: readonly string[]): void {
  for (const id of sessionIds) {
    audit(log, 'session_ended', { account_id: accountId, session_id: id })
  }
}

/** LOG_LEVEL must not switch off the audit trail, so the level is lowered if needed. */
function audible(log: Logger): Logger {
  const isSilent = log.level === 'silent'
  return isSilent || log.isLevelEnabled('info') ? log : log.child({}, { level: 'info' })
}
