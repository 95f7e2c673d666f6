import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { MAX_BODY } from '../../protocol/limits.ts'
import {
  refusalOf,
  refusalOfError,
  refuse,
  refuseConnection,
  type Refusal,
} from './http-refusals.ts'

/** Milliseconds. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
}
/**
 * Bytes. Much larger than any valid token, so that a slightly too long token gets a 401, not a 431.
 */
const MAX_HEADER_SIZE = 64 * 1024
/**
 * The most requests of one connection that may wait for answers. Node handles all of them at once,
 * and one packet can contain 2,000. Browsers and proxies send one at a time.
 */
const MAX_PIPELINED = 32

interface Connection {
  /** Oldest first. */
  readonly unanswered: Set<ServerResponse>
  /** Whether a request was refused. Anything after it gets no answer. */
  isRefused: boolean
  /** The answer to bytes that are not a request. It follows the answers to earlier requests. */
  refusal?: Refusal
}

export type HttpServer = ReturnType<typeof createHttpServer>

/**
 * Creates a Node HTTP server with time limits. It answers malformed HTTP with JSON too, and
 * finishes requests in flight when it stops.
 */
export function createHttpServer(listener: RequestListener, timeouts = TIMEOUTS) {
  const connections = new Map<Duplex, Connection>()
  let stopping = false

  const isIdle = () => [...connections.values()].every(({ unanswered }) => unanswered.size === 0)
  const reportIdle = () => {
    if (stopping && isIdle()) server.emit('idle')
  }

  const server = createServer({
    ...timeouts,
    maxHeaderSize: MAX_HEADER_SIZE,
    // Node's own answer to a missing Host is bare: see http/request-head.ts.
    requireHostHeader: false,
  })
  server.on('connection', (socket) => {
    connections.set(socket, { unanswered: new Set(), isRefused: false })
    // Node emits no `close` for responses that are queued when their connection closes.
    socket.once('close', () => {
      connections.delete(socket)
      reportIdle()
    })
  })
  // A server may ignore an unknown expectation (RFC 9110 §10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  // Does not ask for a body that is too large: http/body.ts answers 413, and Node closes the
  // connection.
  server.on('checkContinue', (request, response) => {
    if (!(Number(request.headers['content-length']) > MAX_BODY)) response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('request', (request, response) => {
    const { socket } = request
    const connection = connections.get(socket)
    // The parser finishes the current packet even if the connection was closed meanwhile.
    if (connection === undefined || socket.destroyed) return
    const { unanswered } = connection
    if (unanswered.size === MAX_PIPELINED) {
      socket.destroy()
      return
    }
    unanswered.add(response)
    // Bytes after a refused request may be a part of it. They get no answer: the connection is about to close.
    if (connection.isRefused) return
    response.shouldKeepAlive &&= !stopping
    response.once('close', () => {
      unanswered.delete(response)
      refuseOnceAnswered(connection, socket)
      reportIdle()
    })
    const refusal = refusalOf(request)
    if (refusal === undefined) {
      listener(request, response)
    } else {
      connection.isRefused = true
      refuse(refusal, request, response)
    }
  })
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket)
    // The last answer on this connection was already decided. Later bytes get no answer.
    if (code === 'HPE_CLOSED_CONNECTION' || connection === undefined || connection.isRefused) return
    connection.isRefused = true
    connection.refusal = refusalOfError(code)
    refuseOnceAnswered(connection, socket)
  })

  return {
    /** Resolves to the port. Rejects with the error of `net.Server`. */
    async listen(port: number, host: string): Promise<number> {
      await once(server.listen(port, host), 'listening')
      return (server.address() as AddressInfo).port
    },
    /** Waits for requests in flight for up to `grace` milliseconds, then closes every connection. */
    async stop(grace: number): Promise<void> {
      stopping = true
      for (const [socket, { unanswered }] of connections) {
        const last = [...unanswered].at(-1)
        // closeIdleConnections() would also close connections that are still sending a request.
        if (last === undefined) socket.destroy()
        else last.shouldKeepAlive = false
      }
      // Keeps accepting connections in that time, so that the readiness probe gets its 503.
      const timeout = sleep(grace, undefined, { ref: false })
      if (!isIdle()) await Promise.race([once(server, 'idle'), timeout])
      const closed = once(server, 'close')
      server.close().closeAllConnections()
      await closed
    },
  }
}

/** Refuses bytes that are not a request, after all earlier requests are answered. */
function refuseOnceAnswered({ unanswered, refusal }: Connection, socket: Duplex): void {
  if (refusal === undefined || [...unanswered].some(isUnderWay)) return
  refuseConnection(refusal, socket)
}

/**
 * A response to an incomplete request is not under way, because that request is the one to refuse.
 */
const isUnderWay = ({ req, headersSent }: ServerResponse): boolean => req.complete || headersSent
