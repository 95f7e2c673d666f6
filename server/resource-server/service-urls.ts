import { baseUrl } from '../config/parsers.ts'
import { StartupError } from '../errors/startup-error.ts'

const THIS_MACHINE = /^(localhost|127\.0\.0\.1|\[::1\])$/

/**
 * Checks the names by which a service and its auth server are known.
 *
 * @throws StartupError for what is no URL in its one spelling, and for an auth server over plain http
 *   elsewhere: anybody in between could put keys of their own into its answers.
 */
export function checkServiceUrls(issuer: string, url: string): void {
  const problems = Object.entries({ issuer, url }).flatMap(([name, value]) => {
    const { error } = baseUrl.safeParse(value)
    return error === undefined ? [] : [`The service's ${name} ${error.issues[0]?.message ?? ''}.`]
  })
  if (problems.length > 0) throw new StartupError(problems)
  const { protocol, hostname } = new URL(issuer)
  if (protocol !== 'https:' && !THIS_MACHINE.test(hostname)) {
    throw new StartupError([`The issuer ${issuer} must be https: it is not on this machine.`])
  }
}
