import { Counter, Gauge, type Registry } from 'prom-client'
import type { Core } from '../../composition.ts'

type Labels = Readonly<Record<string, string>>

/** Adds the metrics that are read when they are scraped, and cost nothing until then. */
export function addReadings(registry: Registry, core: Core): void {
  const registers = [registry]

  function addGauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }

  /** A counter whose values are kept elsewhere. */
  function addCounter(name: string, help: string, read: () => [number, Labels?][]): void {
    const labelNames = Object.keys(read()[0]?.[1] ?? {})
    new Counter({
      name,
      help,
      registers,
      labelNames,
      collect() {
        this.reset()
        for (const [value, labels = {}] of read()) this.inc(labels, value)
      },
    })
  }

  const { caches, config, connections, keystore, passwords } = core
  addGauge(
    'auth_password_hash_queue_length',
    'Passwords that wait to be hashed.',
    () => passwords.load().waiting,
  )
  addCounter('auth_password_hashes_total', 'Passwords that were hashed.', () => [
    [passwords.load().done],
  ])
  addCounter(
    'auth_password_hash_seconds_total',
    'The time that hashing passwords took, without the waiting.',
    () => [[passwords.load().ms / 1000]],
  )

  const { agreements, verified } = caches
  addCounter('auth_cache_lookups_total', 'Lookups in the caches of tokens.', () => [
    [agreements.lookups.hits, { cache: 'agreements', result: 'hit' }],
    [agreements.lookups.misses, { cache: 'agreements', result: 'miss' }],
    [verified.lookups.hits, { cache: 'verified_tokens', result: 'hit' }],
    [verified.lookups.misses, { cache: 'verified_tokens', result: 'miss' }],
  ])

  addGauge(
    'auth_keys_current_since_timestamp_seconds',
    'When the older of the current keys became current.',
    () => keystore.currentSince / 1000,
  )
  addGauge('auth_keys_max_age_seconds', 'KEY_MAX_AGE.', () => config.keyMaxAge)

  if (connections === undefined) return
  addGauge(
    'auth_database_connections_busy',
    'Connections to the database in use.',
    () => connections().busy,
  )
  addGauge(
    'auth_database_connections_max',
    'Connections to the database at most.',
    () => connections().max,
  )
  addGauge(
    'auth_database_connections_waiting',
    'Requests that wait for a connection to the database.',
    () => connections().waiting,
  )
}
