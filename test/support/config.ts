import { loadConfig, type Config } from '../../server/config/config.ts'
import type { Feature } from '../../server/feature.ts'
import { features as allFeatures } from '../../server/features.ts'

/**
 * The default configuration, with a database in memory and whatever a test changes.
 *
 * @param variables Environment variables, such as those of a feature.
 */
export function testConfig(
  changes: Partial<Config> = {},
  variables: Readonly<Record<string, string>> = {},
  features: readonly Feature[] = allFeatures,
): Config {
  // A test with limits of its own says what it wants limited.
  const limits = changes.rateLimits === undefined ? {} : { RATE_LIMIT_RESET: 'off' }
  const environment = { DATABASE_URL: 'file::memory:', ...limits, ...variables }
  return { ...loadConfig(features, environment, '/nonexistent/.env'), ...changes }
}
