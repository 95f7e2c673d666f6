import type { Binding } from '../../protocol/binding.ts'
import { encodeBase64url, type Bytes } from '../bytes.ts'

/** The one request that a token is sealed for. */
export interface RequestToBind {
  readonly method: string
  /** The called URL, with the reader's name in place of its base URL. */
  readonly url: string
  /** Absent if the token is in the body, which cannot contain its own digest. */
  readonly body?: Bytes
  /** Seconds since the epoch, by the server's clock. */
  readonly now: number
}

/** Creates the `req` header parameter that binds a token to a request. */
export async function bindRequest({ method, url, body, now }: RequestToBind): Promise<Binding> {
  const { origin, pathname } = new URL(url)
  const binding = {
    jti: crypto.randomUUID(),
    iat: Math.floor(now),
    htm: method,
    htu: origin + pathname,
  }
  if (body === undefined || body.length === 0) return binding
  const digest = await crypto.subtle.digest('SHA-256', body)
  return { ...binding, dig: encodeBase64url(new Uint8Array(digest)) }
}
