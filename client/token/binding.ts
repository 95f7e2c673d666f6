import { base64url } from 'jose'

/** The `req` parameter: the one request that a sealed token is for. */
export interface Binding {
  readonly jti: string
  /** Seconds since the epoch. */
  readonly iat: number
  readonly htm: string
  readonly htu: string
  /** SHA-256 of the body's bytes, base64url; absent without a body. */
  readonly dig?: string
}

/**
 * Names a request, after the claims of a DPoP proof (RFC 9449 §4.2).
 *
 * @param url Whatever address is called, in the name under which the server knows itself.
 * @param now Seconds since the epoch, by the server's clock.
 */
export async function bind(
  method: string,
  url: string,
  body: Uint8Array<ArrayBuffer>,
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
  return { ...binding, dig: base64url.encode(new Uint8Array(digest)) }
}
