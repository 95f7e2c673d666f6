import { baseUrl } from '../config/parsers.ts'
import { StartupError } from '../errors/startup-error.ts'

const THIS_MACHINE = /^(localhost|127\.0\.0\.1|\[::1\])$/

/**
 * Checks the URLs of a service and of its auth server.
 *
 * @throws StartupError for an invalid or non-normalized URL, and for a remote auth server without
 *   https: anybody on the network could replace its keys.
 */
export function checkServiceUrls(issuer: string, url: string): void {
  const problems = Object.entries({ issuer, url }).flatMap(([name, value]) => {
    const { error } = baseUrl.safeParse(value)
    return error === undefined ? [] : [`The service's ${name} ${error.issues[0]?.message ?? ''}.`]
  })
  if (problems.length > 0) throw new StartupError(problems)
  const { protocol, hostname } = new URL(issuer)
  if (protocol !== 'https:' && !THIS_MACHINE.test(hostname)) {
    throw new StartupError([
      `The issuer ${issuer} must be an https URL, because it is not on this machine.`,
    ])
  }
}
