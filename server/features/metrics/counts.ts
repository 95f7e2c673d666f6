import { Counter, type Registry } from 'prom-client'
import { AUDIT_LEVELS } from '../../log/audit-events.ts'
import type { Observer } from '../../log/observers.ts'
import { createRequestHistogram } from './request-histogram.ts'

/** Stands for any method and path that no route matches. */
const OTHER = 'other'

/** Counted from 0 at the start, so that the first occurrence is an increase. */
const LIMITS = ['requests', 'wrong_passwords']
const REFRESHES = ['refreshed', 'superseded', 'reused', 'unknown']

/** The metrics that count what happens, as it happens. */
export function createCounts(registry: Registry): Observer {
  const registers = [registry]
  const requests = createRequestHistogram(registry)
  const events = new Counter({
    name: 'auth_audit_events_total',
    help: 'Events of the audit log.',
    labelNames: ['event'],
    registers,
  })
  const refused = new Counter({
    name: 'auth_access_tokens_refused_total',
    help: 'Access tokens that were refused, by reason.',
    labelNames: ['reason'],
    registers,
  })
  const refreshes = new Counter({
    name: 'auth_refreshes_total',
    help: 'Refresh tokens that were presented, by what became of them.',
    labelNames: ['outcome'],
    registers,
  })
  const limited = new Counter({
    name: 'auth_requests_limited_total',
    help: 'Requests over a limit: rate limits, and waits after wrong passwords.',
    labelNames: ['limit'],
    registers,
  })
  for (const event of Object.keys(AUDIT_LEVELS)) events.inc({ event }, 0)
  for (const outcome of REFRESHES) refreshes.inc({ outcome }, 0)
  for (const limit of LIMITS) limited.inc({ limit }, 0)

  return {
    onRequest({ method, route, status, ms, refresh, limit }) {
      // The method of a route that matched is one of ours.
      if (route === null) requests.observe(OTHER, OTHER, status, ms / 1000)
      else requests.observe(method, route, status, ms / 1000)
      if (refresh !== undefined) refreshes.inc({ outcome: refresh })
      if (limit !== undefined) limited.inc({ limit })
    },
    onAudit(event) {
      events.inc({ event })
    },
    onTokenRefused(reason) {
      refused.inc({ reason })
    },
  }
}
