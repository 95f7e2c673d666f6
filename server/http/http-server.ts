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
/** Bytes. Well over the largest token, so that one that is too long gets its 401 and not a 431. */
const MAX_HEADER_SIZE = 64 * 1024
/**
 * Requests of one connection that may wait for their answers. Node works on all of them at once and
 * keeps them in memory, 2,000 in one packet. Browsers and proxies send one at a time.
 */
const MAX_PIPELINED = 32

interface Connection {
  /** Oldest first. */
  readonly unanswered: Set<ServerResponse>
  /** Whether a request was refused: what follows it gets no answer. */
  isRefused: boolean
  /** What to answer to bytes that are no request, after the requests before them. */
  refusal?: Refusal
}

export interface HttpServer {
  /** Resolves to the port. Rejects with the error of `net.Server`. */
  listen(port: number, host: string): Promise<number>
  /** Finishes the requests in flight, `grace` milliseconds at most, then closes every connection. */
  stop(grace: number): Promise<void>
}

/** A Node HTTP server with time limits, JSON for what is not even HTTP, and a stop that drops no request. */
export function createHttpServer(listener: RequestListener, timeouts = TIMEOUTS): HttpServer {
  const connections = new Map<Duplex, Connection>()
  let stopping = false
  let onIdle: (() => void) | undefined

  const isIdle = () => [...connections.values()].every(({ unanswered }) => unanswered.size === 0)
  const reportIdle = () => {
    if (onIdle !== undefined && isIdle()) onIdle()
  }

  const server = createServer({
    ...timeouts,
    maxHeaderSize: MAX_HEADER_SIZE,
    // Node's own answer to a missing Host is bare: see request-target.ts.
    requireHostHeader: false,
  })
  server.on('connection', (socket) => {
    connections.set(socket, { unanswered: new Set(), isRefused: false })
    // Node emits no `close` for a response that is queued when its connection goes away.
    socket.once('close', () => {
      connections.delete(socket)
      reportIdle()
    })
  })
  // A server may ignore an expectation that it does not know (RFC 9110 §10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  // Refuses a body that is too large before it is sent. Node then closes the connection.
  server.on('checkContinue', (request, response) => {
    if (!(Number(request.headers['content-length']) > MAX_BODY)) response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('request', (request, response) => {
    const { socket } = request
    const connection = connections.get(socket)
    // The parser finishes the packet that it is at, whatever became of the connection.
    if (connection === undefined || socket.destroyed) return
    const { unanswered } = connection
    if (unanswered.size === MAX_PIPELINED) {
      socket.destroy()
      return
    }
    unanswered.add(response)
    // What follows a refused request on its connection may be a part of it.
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
    // The last answer on this connection is on its way: what comes after it gets none.
    if (code === 'HPE_CLOSED_CONNECTION' || connection === undefined || connection.isRefused) return
    connection.isRefused = true
    connection.refusal = refusalOfError(code)
    refuseOnceAnswered(connection, socket)
  })

  return {
    async listen(port, host) {
      await once(server.listen(port, host), 'listening')
      return (server.address() as AddressInfo).port
    },
    async stop(grace) {
      stopping = true
      for (const [socket, { unanswered }] of connections) {
        const last = [...unanswered].at(-1)
        // Not closeIdleConnections(): it counts as idle what is still being sent.
        if (last === undefined) socket.destroy()
        else last.shouldKeepAlive = false
      }
      // Meanwhile, it still takes connections: the readiness probe must be able to hear "no".
      const idle = new Promise<void>((resolve) => (onIdle = resolve))
      if (!isIdle()) await Promise.race([idle, sleep(grace, undefined, { ref: false })])
      const closed = once(server, 'close')
      server.close().closeAllConnections()
      await closed
    },
  }
}

/** Refuses what is no request, but not before the answers to the requests that came before it. */
function refuseOnceAnswered({ unanswered, refusal }: Connection, socket: Duplex): void {
  if (refusal === undefined || [...unanswered].some(isUnderWay)) return
  refuseConnection(refusal, socket)
}

/** Not so if its request breaks off: it is the one to refuse. */
const isUnderWay = ({ req, headersSent }: ServerResponse): boolean => req.complete || headersSent
