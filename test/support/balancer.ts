/** A load balancer in front of several servers. */
import { once } from 'node:events'
import { createServer, request as send, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Balancer {
  readonly url: string
  close(): Promise<void>
}

/**
 * Passes each request to the server that `choose` names, and to another one if nobody listens there. An
 * answer that is lost on the way, because the server was killed, is a 502.
 */
export async function startBalancer(choose: () => string): Promise<Balancer> {
  const server = createServer((incoming, outgoing) => {
    void buffer(incoming).then(async (body) => {
      const answer = await pass(incoming, body, choose)
      if (answer === undefined) {
        outgoing.writeHead(502).end()
        return
      }
      outgoing.writeHead(answer.status, answer.headers).end(answer.body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

interface Passed {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

async function pass(
  { method = '', url = '', headers }: IncomingMessage,
  body: Buffer,
  choose: () => string,
): Promise<Passed | undefined> {
  // Fetching the keys again is safe; anything else may have taken effect.
  const isSafe = url.startsWith('/.well-known/')
  for (;;) {
    try {
      const passing = send(choose() + url, { method, headers, agent: false })
      passing.end(body)
      const [response] = (await once(passing, 'response')) as [IncomingMessage]
      if (isSafe && response.statusCode !== 200) continue
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: await buffer(response),
      }
    } catch (error) {
      if (!isSafe && (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') return undefined
    }
  }
}
