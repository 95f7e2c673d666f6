/** The wire between a client and the server, with somebody on it who listens, and stops what they like. */

/** A request as it went over the wire. */
export interface Captured {
  readonly url: string
  readonly method: string
  /** The token, sealed for this one request. */
  readonly token: string
  readonly body: string
}

export interface Wire {
  /** For the client, in place of `fetch`. */
  readonly fetch: (request: Request) => Promise<Response>
  /** What `work` sends with a token, though it does arrive. */
  overhear(work: () => Promise<unknown>): Promise<Captured>
  /** What `work` sends with a token, which never arrives: to the client, the server is away. */
  intercept(work: () => Promise<unknown>): Promise<Captured>
}

export function createWire(): Wire {
  const sent: Captured[] = []
  let isCut = false

  async function capture(work: () => Promise<unknown>): Promise<Captured> {
    const before = sent.length
    await work()
    // The last one: a client may have to try again.
    const captured = sent.slice(before).at(-1)
    if (captured === undefined) throw new Error('Nothing was sent with a token.')
    return captured
  }

  return {
    async fetch(request) {
      const [scheme, token] = (request.headers.get('authorization') ?? '').split(' ')
      if (scheme === 'Bearer' && token !== undefined) {
        const { url, method } = request
        sent.push({ url, method, token, body: await request.clone().text() })
        if (isCut) throw new TypeError('stopped on the way')
      }
      return fetch(request)
    },
    overhear: capture,
    async intercept(work) {
      isCut = true
      try {
        return await capture(() => work().catch(() => undefined))
      } finally {
        isCut = false
      }
    },
  }
}

/** What the server said to a request that was captured. */
export interface Answer {
  readonly status: number
  /** Its reason, where it refused. */
  readonly description: string
}

/** Sends what was captured, byte for byte, to where it was going or to another path. */
export async function resend(
  { url, method, token, body }: Captured,
  path?: string,
): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const target = path === undefined ? url : new URL(url).origin + path
  const response = await fetch(target, { method, headers, ...(body === '' ? {} : { body }) })
  const answer = (await response.json()) as { error_description?: string }
  return { status: response.status, description: answer.error_description ?? '' }
}
