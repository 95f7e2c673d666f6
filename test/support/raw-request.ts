import { request } from 'node:http'
import type { Answer } from './client.ts'

interface RawRequest {
  readonly method?: string
  /** Sent unchanged, in this order, duplicates included. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** Sent chunked, unless the headers contain a Content-Length. */
  readonly body?: string | Uint8Array
}

/** Sends exactly these headers and bytes, which `fetch` would normalize. */
export async function rawRequest(
  url: string,
  path: string,
  { method = 'GET', headers = [], body }: RawRequest = {},
): Promise<Answer> {
  const { hostname, port, host } = new URL(url)
  return new Promise((resolve, reject) => {
    const names = headers.map(([name]) => name.toLowerCase())
    const sent = request(
      {
        hostname,
        port,
        path,
        method,
        agent: false,
        headers: [
          ...(names.includes('host') ? [] : [['Host', host]]),
          ...headers,
          ...(body === undefined || names.includes('content-length')
            ? []
            : [['Transfer-Encoding', 'chunked']]),
        ].flat(),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const { 'content-type': type, ...others } = response.headers
          const all = new Headers()
          for (const [name, value] of Object.entries({ ...others, 'content-type': type })) {
            if (value !== undefined) all.set(name, String(value))
          }
          resolve({
            status: response.statusCode ?? 0,
            headers: all,
            body: type?.includes('json') === true && text !== '' ? JSON.parse(text) : undefined,
            text,
          })
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
