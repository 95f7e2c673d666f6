import { AuthError } from '../errors.ts'

const THIS_MACHINE = /^(localhost|127\.0\.0\.1|\[::1\])$/

/**
 * Normalizes a server's address, without a trailing slash.
 *
 * @throws AuthError `insecure_server` for plain http to another machine, because anybody in between
 *   could replace the keys in the answers.
 */
export function baseUrlOf(address: string): string {
  if (!URL.canParse(address)) {
    throw new AuthError('insecure_server', `"${address}" is not a URL.`)
  }
  const { protocol, hostname, origin, pathname } = new URL(address)
  if (protocol !== 'https:' && !(protocol === 'http:' && THIS_MACHINE.test(hostname))) {
    throw new AuthError('insecure_server', `${address} must use https.`)
  }
  return origin + pathname.replace(/\/$/, '')
}

/** Whether a URL belongs to the server at `baseUrl`. */
export const isBelow = (url: string, baseUrl: string): boolean => url.startsWith(`${baseUrl}/`)
