/** The network between a client and the server, with an attacker who can read and stop requests. */

/** A request as it went over the wire. */
export interface Captured {
  readonly url: string
  readonly method: string
  readonly headers: HeadersInit
  /** The token, sealed for this one request. */
  readonly token: string
  readonly body: string
}

export interface Wire {
  /** The client uses this instead of the global `fetch`. */
  readonly fetch: (request: Request) => Promise<Response>
  /** Captures the request that `work` sends with a token, and lets it arrive. */
  overhear(work: () => Promise<unknown>): Promise<Captured>
  /**
   * Captures the request that `work` sends with a token, and stops it. The client sees a network
   * error.
   */
  intercept(work: () => Promise<unknown>): Promise<Captured>
}

export function createWire(): Wire {
  const sent: Captured[] = []
  let isCut = false

  async function capture(work: () => Promise<unknown>): Promise<Captured> {
    const before = sent.length
    await work()
    // The last one, because the client may have retried.
    const captured = sent.slice(before).at(-1)
    if (captured === undefined) throw new Error('Nothing was sent with a token.')
    return captured
  }

  return {
    async fetch(request) {
      const [scheme, token] = (request.headers.get('authorization') ?? '').split(' ')
      if (scheme === 'Bearer' && token !== undefined) {
        const { url, method, headers } = request
        sent.push({ url, method, headers, token, body: await request.clone().text() })
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

/** The server's answer to a captured request. */
export interface Answer {
  readonly status: number
  /** The reason, if the server refused. */
  readonly description: string
}

/** Sends a captured request again, byte for byte. */
export async function resend({ url, method, headers, body }: Captured): Promise<Answer> {
  const response = await fetch(url, { method, headers, ...(body === '' ? {} : { body }) })
  const { status } = response
  // What was accepted may be sealed.
  if (response.ok) return { status, description: '' }
  const answer = (await response.json()) as { error_description?: string }
  return { status, description: answer.error_description ?? '' }
}
