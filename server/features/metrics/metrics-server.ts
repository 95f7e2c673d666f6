import type { IncomingMessage, ServerResponse } from 'node:http'
import { createHttpServer, type HttpServer } from '../../listener/http-server.ts'
import type { Logger } from '../../log/logger.ts'

/** The part of prom-client's Registry that is used here. */
interface Scrapable {
  readonly contentType: string
  metrics(): Promise<string>
}

/** A server whose only path is `GET /metrics`. It asks for no token. */
export function createMetricsServer(registry: Scrapable, logger: Logger): HttpServer {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    if (url.split('?')[0] !== '/metrics') {
      response.writeHead(404).end()
    } else if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    } else {
      const text = await registry.metrics()
      response.writeHead(200, { 'Content-Type': registry.contentType }).end(text)
    }
  }

  return createHttpServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      logger.error({ err: error }, 'the metrics cannot be collected')
      response.writeHead(500).end()
    })
  })
}
