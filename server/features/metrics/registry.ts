import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Core } from '../../composition.ts'
import { observe } from '../../log/observers.ts'
import { createCounts } from './counts.ts'
import { addReadings } from './readings.ts'

/**
 * The metrics of one server, and those of its process. docs/features/metrics.md lists them.
 *
 * Labels are words of the code: patterns of routes, names of events, reasons. Nothing that a client
 * sends becomes a label, so there are only so many series, and nothing secret is in them.
 */
export function createRegistry(core: Core): Registry {
  const registry = new Registry()
  observe(core.logger, createCounts(registry))
  addReadings(registry, core)
  collectDefaultMetrics({ register: registry })
  return registry
}
