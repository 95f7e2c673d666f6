import type { Binding } from '../../protocol/binding.ts'
import { sha256, type Bytes } from '../bytes.ts'

/** The one request that a token or a body is sealed for. */
export interface RequestToBind {
  readonly method: string
  /** The called URL, with the reader's name in place of its base URL. */
  readonly url: string
  /** Absent if the sealed text is sent in the body, which cannot contain its own digest. */
  readonly body?: Bytes
  /** Seconds since the epoch, by the server's clock. */
  readonly now: number
  /** Random by default. */
  readonly jti?: string
}

/** Creates the `req` header parameter that binds a token to a request. */
export async function bindRequest(request: RequestToBind): Promise<Binding> {
  const { method, url, body, now, jti = crypto.randomUUID() } = request
  const { origin, pathname } = new URL(url)
  const binding = {
    jti,
    iat: Math.floor(now),
    htm: method,
    htu: origin + pathname,
  }
  if (body === undefined || body.length === 0) return binding
  return { ...binding, dig: await sha256(body) }
}
