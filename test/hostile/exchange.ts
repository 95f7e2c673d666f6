/** Many requests with exact bytes, over a few kept connections. */
import { Agent, request } from 'node:http'
import pLimit from 'p-limit'

/** The number of concurrent requests. */
const WIDTH = 16
/** Milliseconds after which a request counts as hanging. */
const PATIENCE = 20_000

const agent = new Agent({ keepAlive: true, maxSockets: WIDTH })

export interface Exchange {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface Reply {
  /** Undefined if the server closed the connection, which it may do if a body is too long. */
  readonly status: number | undefined
  readonly text: string
}

/** Sends one request. Rejects if there is no answer in time. */
export async function exchange(
  url: string,
  { method, path, headers = {}, body }: Exchange,
): Promise<Reply> {
  const { hostname, port } = new URL(url)
  const length = body === undefined ? {} : { 'Content-Length': body.length }
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        path,
        method,
        agent,
        timeout: PATIENCE,
        headers: { ...headers, ...length },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode, text })
        })
      },
    )
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path} hangs.`)))
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const isReset = error.code === 'ECONNRESET' || error.code === 'EPIPE'
      if (isReset && (body?.length ?? 0) > 65_536) resolve({ status: undefined, text: '' })
      else reject(error)
    })
    sent.end(body)
  })
}

/** Runs `work` on each item, some concurrently, and returns the results in order. */
export function eachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const limit = pLimit(WIDTH)
  return Promise.all(items.map((item) => limit(() => work(item))))
}
