import { z } from 'zod'
import { integer } from '../../config/parsers.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { defineFeature } from '../../feature.ts'
import { listen } from '../../listener/listen.ts'
import { createMetricsServer } from './metrics-server.ts'

/** Milliseconds that a scrape under way gets when the server stops. */
const STOP_GRACE = 1000

/** Parts that are configured unless they are passed in. */
interface Parts {
  /** 0 is any free port. */
  readonly port?: number
}

/** Metrics for Prometheus, on a port of their own. */
export function createMetrics(parts: Parts = {}) {
  return defineFeature({
    variables: {
      // No default: nothing is counted, and prom-client is not even loaded.
      METRICS_PORT: integer(1, 65_535).optional(),
      // The loopback address, whatever HOST is: metrics are for the operator, and need no token.
      METRICS_HOST: z.string().default('127.0.0.1'),
    },
    async create(core, { METRICS_HOST: host, METRICS_PORT: configured }) {
      const { port = configured } = parts
      if (port === undefined) return {}
      const { createRegistry } = await import('./registry.ts')
      const server = createMetricsServer(createRegistry(core), core.logger)
      return {
        async listen() {
          if (configured === core.config.port) {
            throw new StartupError([
              `METRICS_PORT is ${configured}, as is PORT. Choose another, so that metrics are not public.`,
            ])
          }
          const variables = { host: 'METRICS_HOST', port: 'METRICS_PORT' }
          const url = await listen(server, { host, port }, variables)
          core.logger.info({ url }, `Metrics at ${url}/metrics`)
        },
        stop: () => server.stop(STOP_GRACE),
      }
    },
  })
}

export const metrics = createMetrics()
