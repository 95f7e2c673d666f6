/** One request and its answer, byte for byte as sent. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: ArrayBuffer
  readonly status: number
  readonly answerHeaders: Headers
  readonly answer: string
}

/** Sends a request, and records it with its answer. */
export async function record(request: Request): Promise<[Response, Exchange]> {
  const { method, url } = request
  const headers = [...request.headers]
  const body = await request.clone().arrayBuffer()
  const response = await fetch(request)
  const answer = await response.clone().text()
  const { status, headers: answerHeaders } = response
  return [response, { method, url, headers, body, status, answerHeaders, answer }]
}

/** Sends a recorded request again, as a thief could. */
export async function sendAgain(exchange: Exchange): Promise<Exchange> {
  const { method, url, body } = exchange
  const headers = exchange.headers.map(([name, value]): [string, string] => [name, value])
  const [, again] = await record(
    new Request(url, {
      method,
      headers,
      credentials: 'omit',
      ...(body.byteLength === 0 ? {} : { body }),
    }),
  )
  return again
}

/** The sealed token of a request. */
export const tokenOf = ({ headers }: Exchange): string =>
  headers.find(([name]) => name === 'authorization')?.[1].replace(/^Bearer /, '') ?? ''
