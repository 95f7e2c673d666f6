import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { toRequestId } from '../http/request-log.ts'

/** More than browsers and proxies send. Node drops headers beyond about 2,000. */
const MAX_HEADERS = 100

/**
 * The answer to a request that the app never sees. It closes the connection, whose state is
 * uncertain.
 */
export interface Refusal {
  readonly status: 400 | 408 | 431
  readonly description: string
}

const NOT_HTTP: Refusal = { status: 400, description: 'This is not an HTTP request.' }

/** The refusal of a request that Node's parser accepts, but this server does not. */
export function refusalOf(request: IncomingMessage): Refusal | undefined {
  const { httpVersion, headers, rawHeaders } = request
  // The parser also accepts 0.9 and 2.0 in a request line, although neither protocol has one like
  // it.
  if (httpVersion !== '1.0' && httpVersion !== '1.1') return NOT_HTTP
  if (rawHeaders.length > 2 * MAX_HEADERS) {
    return { status: 431, description: `There are more than ${MAX_HEADERS} headers.` }
  }
  const coding = headers['transfer-encoding']
  if (coding === undefined) return undefined
  // RFC 9112 §6.1: an HTTP/1.0 proxy may have mistaken where the body ends.
  if (httpVersion === '1.0') {
    return { status: 400, description: 'Transfer-Encoding needs HTTP/1.1.' }
  }
  if (coding.toLowerCase() !== 'chunked') {
    return { status: 400, description: 'The only Transfer-Encoding supported is chunked.' }
  }
  return undefined
}

/** The refusal for an error of Node's parser: bytes that are not HTTP, or a timeout. */
export function refusalOfError(code: string | undefined): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, description: 'The headers are too large.' }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, description: 'The request took too long to arrive.' }
    default:
      return NOT_HTTP
  }
}

/** Answers like any other error, then closes the connection. */
export function refuse(refusal: Refusal, request: IncomingMessage, response: ServerResponse): void {
  const { headers, body } = answerOf(refusal, request.headers['x-request-id'])
  response.writeHead(refusal.status, headers).end(body)
}

/** Does the same on a connection that has no request to answer. */
export function refuseConnection(refusal: Refusal, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { headers, body } = answerOf(refusal)
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      '',
      body,
    ].join('\r\n'),
    // Otherwise, a peer that never closes its half would keep the socket open forever.
    () => socket.destroy(),
  )
}

function answerOf({ description }: Refusal, givenId?: string | string[]) {
  const body = JSON.stringify({ error: 'invalid_request', error_description: description })
  return {
    body,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Request-Id': toRequestId(givenId),
      Connection: 'close',
    },
  }
}
