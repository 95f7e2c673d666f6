import { loadConfig, type Config } from '../../server/config/config.ts'
import type { Feature } from '../../server/feature.ts'

/**
 * The default configuration, with a database in memory and the test's changes.
 *
 * @param variables Environment variables, such as those of a feature.
 */
export function testConfig(
  changes: Partial<Config> = {},
  variables: Readonly<Record<string, string>> = {},
  features: readonly Feature[] = [],
): Config {
  const environment = { DATABASE_URL: 'file::memory:', ...variables }
  const config = { ...loadConfig(features, environment, '/nonexistent/.env'), ...changes }
  // ISSUER sets both.
  return { ...config, publicUrl: changes.publicUrl ?? config.issuer }
}

const off = 'off' as const
/** For `rateLimits`. */
export const UNLIMITED: Config['rateLimits'] = {
  login: off,
  signUp: off,
  clients: off,
  refresh: off,
}
/** The same for a program. */
export const UNLIMITED_VARIABLES = Object.fromEntries(
  ['LOGIN', 'SIGN_UP', 'CLIENTS', 'RESET', 'REFRESH'].map((name) => [`RATE_LIMIT_${name}`, 'off']),
)
