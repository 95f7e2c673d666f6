import type { Config } from './config/config.ts'

/**
 * What the operator should know about a configuration that works, one sentence each.
 *
 * @param keysSince Since when the older of the current keys has been in use; like `now`, milliseconds
 *   since the epoch.
 */
export function startWarnings(config: Config, keysSince: number, now: number): string[] {
  const warnings: string[] = []
  if (config.production && config.publicUrl.startsWith('http:')) {
    warnings.push(`ISSUER is ${config.publicUrl}: set it to the public https URL of the server.`)
  }
  if (config.production && !config.preserveSessions) {
    warnings.push(
      'PRESERVE_SESSIONS_ON_REBOOT is 0: every restart signs everybody out. Set it to 1 in production.',
    )
  }
  const ageOfKeys = now - keysSince
  if (ageOfKeys > config.keyMaxAge * 1000) {
    warnings.push(
      `The keys are ${Math.floor(ageOfKeys / 86_400_000)} days old. Rotate them: npm run keys -- rotate`,
    )
  }
  return warnings
}
