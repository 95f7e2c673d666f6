import type { AuditEvent, AuditSubject } from './audit-events.ts'
import type { Logger } from './logger.ts'
import type { TokenReason } from '../errors/token-error.ts'

/** Outcomes of a request that a handler adds to its log line. None comes from the client. */
export interface LoggedOutcomes {
  readonly key_age_days?: number
  readonly key_overdue?: boolean
  /** The limit that the request has exceeded: see errors/too-many-tries.ts. */
  readonly limit?: string
  /** How the refresh ended (see sessions/refresh.ts), or why its token was refused. */
  readonly refresh?: string
}

/** A line of the access log. Only the ids of the request and of its trace come from the client. */
export interface AccessLine extends LoggedOutcomes {
  readonly request_id: string
  readonly method: string
  /** The pattern of the route; null if no route matched. */
  readonly route: string | null
  readonly status: number
  /** Milliseconds. */
  readonly ms: number
}

/**
 * Is told what a server does, for instance to count it. Its methods must be fast and must not
 * throw, because requests wait for them.
 */
export interface Observer {
  /** A request was answered. */
  readonly onRequest?: (line: AccessLine) => void
  readonly onAudit?: (event: AuditEvent, subject: AuditSubject) => void
  readonly onTokenRefused?: (reason: TokenReason) => void
}

const OBSERVERS = Symbol('observers')
type Observed = Logger & { [OBSERVERS]?: readonly Observer[] }

/**
 * Adds an observer of everything that is logged with this logger or its children, whatever
 * LOG_LEVEL is. Children inherit their parent's properties.
 *
 * @example
 * observe(core.logger, { onAudit: (event, subject) => sink.send({ event, ...subject }) })
 */
export function observe(logger: Observed, observer: Observer): void {
  logger[OBSERVERS] = [...observersOf(logger), observer]
}

/** The observers of a logger: those of its parents too. */
export const observersOf = (logger: Observed): readonly Observer[] => logger[OBSERVERS] ?? []
