import type { Binding } from '../../protocol/binding.ts'
import { encodeBase64url, type Bytes } from '../bytes.ts'

/**
 * Creates the `req` header parameter that binds a token to a request.
 *
 * @param url The called URL, with the reader's name in place of its base URL.
 * @param now Seconds since the epoch, by the server's clock.
 */
export async function bindRequest(
  method: string,
  url: string,
  body: Bytes,
  now: number,
): Promise<Binding> {
  const { origin, pathname } = new URL(url)
  const binding = {
    jti: crypto.randomUUID(),
    iat: Math.floor(now),
    htm: method,
    htu: origin + pathname,
  }
  if (body.length === 0) return binding
  const digest = await crypto.subtle.digest('SHA-256', body)
  return { ...binding, dig: encodeBase64url(new Uint8Array(digest)) }
}
