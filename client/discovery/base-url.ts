import { AuthError } from '../errors.ts'

const THIS_MACHINE = /^(localhost|127\.0\.0\.1|\[::1\])$/

/**
 * A server's address in one spelling, without a final slash.
 *
 * @throws AuthError `insecure_server` for plain http to another machine: anybody in between could
 *   put keys of their own into the answers.
 */
export function baseUrlOf(address: string): string {
  if (!URL.canParse(address)) {
    throw new AuthError('insecure_server', `"${address}" is not a URL.`)
  }
  const { protocol, hostname, origin, pathname } = new URL(address)
  if (protocol !== 'https:' && !(protocol === 'http:' && THIS_MACHINE.test(hostname))) {
    throw new AuthError('insecure_server', `${origin} is neither https nor this machine.`)
  }
  return origin + pathname.replace(/\/$/, '')
}

/** Whether a URL is one of the server at `baseUrl`. */
export const isBelow = (url: string, baseUrl: string): boolean => url.startsWith(`${baseUrl}/`)
