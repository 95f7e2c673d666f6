import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { MAX_BODY } from '../../protocol/limits.ts'
import { refusalOf, refusalOfError, refuse, refuseConnection } from './http-refusals.ts'

/** Milliseconds. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
}
/** Bytes. Well over the largest token, so that one that is too long gets its 401 and not a 431. */
const MAX_HEADER_SIZE = 64 * 1024

export interface HttpServer {
  /** Resolves to the port. Rejects with the error of `net.Server`. */
  listen(port: number, host: string): Promise<number>
  /** Finishes the requests in flight, `grace` milliseconds at most, then closes every connection. */
  stop(grace: number): Promise<void>
}

/** A Node HTTP server with time limits, JSON for what is not even HTTP, and a stop that drops no request. */
export function createHttpServer(listener: RequestListener, timeouts = TIMEOUTS): HttpServer {
  const inFlight = new Set<ServerResponse>()
  let stopping = false
  let onIdle: (() => void) | undefined

  const server = createServer({
    ...timeouts,
    maxHeaderSize: MAX_HEADER_SIZE,
    // Node's own answer to a missing Host is bare: see middleware/request-target.ts.
    requireHostHeader: false,
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // An expectation that we do not know is one that we need not meet (RFC 9110 §10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  // A body that is too large is refused before it is sent. Node then closes the connection.
  server.on('checkContinue', (request, response) => {
    if (!(Number(request.headers['content-length']) > MAX_BODY)) response.writeContinue()
    server.emit('request', request, response)
  })
  const refused = new WeakSet<Duplex>()
  server.on('request', (request, response) => {
    // What follows a refused request on its connection may be a part of it.
    if (refused.has(request.socket)) return
    inFlight.add(response)
    response.shouldKeepAlive &&= !stopping
    response.once('close', () => {
      inFlight.delete(response)
      if (inFlight.size === 0) onIdle?.()
    })
    const refusal = refusalOf(request)
    if (refusal === undefined) {
      listener(request, response)
    } else {
      refused.add(request.socket)
      refuse(refusal, request, response)
    }
  })
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    // The last answer on this connection is on its way: what comes after it gets none.
    if (code === 'HPE_CLOSED_CONNECTION' || refused.has(socket)) return
    refuseConnection(refusalOfError(code), socket)
  })

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          const address = server.address()
          resolve(typeof address === 'object' && address !== null ? address.port : port)
        })
      }),
    async stop(grace) {
      stopping = true
      for (const response of inFlight) response.shouldKeepAlive = false
      // Not closeIdleConnections(): it counts as idle what is still being sent.
      const busy = new Set([...inFlight].map(({ socket }) => socket))
      for (const socket of sockets) if (!busy.has(socket)) socket.destroy()
      // New connections are still taken meanwhile: the readiness probe must be able to hear "no".
      if (inFlight.size > 0) {
        let timer: NodeJS.Timeout | undefined
        await new Promise<void>((resolve) => {
          onIdle = resolve
          timer = setTimeout(resolve, grace)
        })
        clearTimeout(timer)
      }
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
