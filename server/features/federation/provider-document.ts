import { parseObject } from '../../token/compact.ts'

/** Bytes. The key sets of the large providers are under 16 KiB. */
const MAX_DOCUMENT = 256 * 1024
/** Seconds to keep a document: the bounds, and the default without a `max-age`. */
const MAX_AGE = { min: 60, max: 86_400, unsaid: 300 } as const

/** A provider did not answer, or its answer is unusable. The message is for the log. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
}

export interface ProviderDocument {
  readonly members: Readonly<Record<string, unknown>>
  /** Seconds to keep it: its `Cache-Control`, limited to between a minute and a day. */
  readonly maxAge: number
}

/**
 * Fetches a JSON object. Refuses redirects, because the operator has approved only this URL.
 *
 * @param signal Ends the wait for the answer and its body.
 * @throws ProviderError
 */
export async function fetchDocument(url: string, signal: AbortSignal): Promise<ProviderDocument> {
  const headers = { accept: 'application/json' }
  const response = await fetch(url, { redirect: 'error', signal, headers }).catch(
    (cause: unknown) => {
      throw new ProviderError(`${url} cannot be reached`, { cause })
    },
  )
  if (response.status !== 200) {
    await response.body?.cancel().catch(() => undefined)
    throw new ProviderError(`${url} answered ${response.status}`)
  }
  const members = parseObject(await readBounded(url, response))
  if (members === undefined) throw new ProviderError(`${url} did not answer with a JSON object`)
  return { members, maxAge: maxAgeOf(response.headers.get('cache-control') ?? '') }
}

/** Counts the bytes, because `Content-Length` may be wrong and a small body may unpack to a large one. */
async function readBounded(url: string, response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  const body: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader()
  for (;;) {
    const chunk = await body?.read().catch((cause: unknown) => {
      throw new ProviderError(`${url} gave an incomplete answer`, { cause })
    })
    if (chunk?.value === undefined) return Buffer.concat(chunks)
    size += chunk.value.length
    if (size > MAX_DOCUMENT) {
      await body?.cancel().catch(() => undefined)
      throw new ProviderError(`${url} is over ${MAX_DOCUMENT / 1024} KiB`)
    }
    chunks.push(chunk.value)
  }
}

/** RFC 9111 §5.2.2. */
function maxAgeOf(cacheControl: string): number {
  if (/(^|[,\s])no-(store|cache)\b/i.test(cacheControl)) return MAX_AGE.min
  const [, seconds] = /(?:^|[,\s])max-age="?(\d+)/i.exec(cacheControl) ?? []
  if (seconds === undefined) return MAX_AGE.unsaid
  return Math.min(Math.max(Number(seconds), MAX_AGE.min), MAX_AGE.max)
}
