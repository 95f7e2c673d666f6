import { loadConfig, type Config } from '../../server/config/config.ts'

/** The default configuration, with a database in memory and whatever a test changes. */
export function testConfig(changes: Partial<Config> = {}): Config {
  const defaults = loadConfig({ DATABASE_URL: 'file::memory:' }, '/nonexistent/.env')
  return { ...defaults, ...changes }
}
