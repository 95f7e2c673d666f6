import { createApp } from '../../server/app.ts'
import { compose } from '../../server/composition.ts'
import type { Feature } from '../../server/feature.ts'
import type { Config } from '../../server/config/config.ts'
import type { PasswordHasher } from '../../server/passwords/password-hash.ts'
import type { Database } from '../../server/database/open.ts'
import { createHttpServer } from '../../server/listener/http-server.ts'
import { createEphemeralKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { createLogger } from '../../server/log/logger.ts'
import { createFeatures } from '../../server/start.ts'
import type { ReplayCache } from '../../server/limits/replay-cache.ts'
import { createClock, type TestClock } from './clock.ts'
import { testConfig } from './config.ts'
import { openTestDatabase, partsOf } from './database.ts'
import { createCheapHasher } from './passwords.ts'

export interface TestServer {
  readonly url: string
  readonly config: Config
  readonly keystore: Keystore
  readonly database: Database
  readonly clock: TestClock
  /** Every logged line, at level trace. */
  readonly logs: string[]
  stop(): Promise<void>
}

export interface TestServerOptions {
  readonly config?: Partial<Config>
  /** Environment variables, such as those of a feature. */
  readonly variables?: Readonly<Record<string, string>>
  /** None by default, so that the core's tests do not depend on `features.ts`. */
  readonly features?: readonly Feature[]
  readonly keystore?: Keystore
  /** A database shared with another server. `stop` does not close it. */
  readonly database?: Database
  readonly clock?: TestClock
  readonly isServing?: () => boolean
  readonly replayCache?: ReplayCache
  /** Milliseconds since the epoch: see Dependencies. */
  readonly bindingsNotBefore?: number
  /** Hashes passwords; a cheap one by default. */
  readonly passwords?: PasswordHasher
  /** Whether to hash passwords as in production, which takes 20 ms each. */
  readonly productionHashes?: boolean
}

/** A whole server on its own free port, with fresh keys, an empty database and its own clock. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { features = [] } = options
  const config = testConfig(options.config, options.variables, features)
  const keystore = options.keystore ?? (await createEphemeralKeystore(config.algorithms))
  const database = options.database ?? (await openTestDatabase())
  const clock = options.clock ?? createClock()
  const logs: string[] = []
  const logger = createLogger('trace', { write: (line) => void logs.push(line) })
  const { isServing, replayCache, bindingsNotBefore } = options
  const core = compose({
    ...partsOf(database),
    config,
    keystore,
    logger,
    clock,
    ...(options.productionHashes === true
      ? {}
      : { passwords: options.passwords ?? createCheapHasher() }),
    ...(isServing === undefined ? {} : { isServing }),
    ...(replayCache === undefined ? {} : { replayCache }),
    ...(bindingsNotBefore === undefined ? {} : { bindingsNotBefore }),
  })
  const parts = await createFeatures(core, features)
  const callback = createApp(core, parts).callback()
  const server = createHttpServer((request, response) => {
    // The Date header uses the test's clock too.
    response.setHeader('Date', new Date(clock()).toUTCString())
    void callback(request, response)
  })
  for (const { listen } of parts) await listen?.()
  const port = await server.listen(0, '127.0.0.1')
  return {
    url: `http://127.0.0.1:${port}`,
    config,
    keystore,
    database,
    clock,
    logs,
    async stop() {
      await server.stop(1000)
      for (const { stop } of parts) await stop?.()
      if (options.database === undefined) await database.destroy()
    },
  }
}
