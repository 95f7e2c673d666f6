import { parseObject } from '../../token/compact.ts'

/** Bytes; the key sets of the large providers have under 16 KiB. */
const MAX_DOCUMENT = 256 * 1024
/** Seconds: the bounds of how long a document is kept, and how long one is that does not say. */
const MAX_AGE = { min: 60, max: 86_400, unsaid: 300 } as const

/** A provider does not answer, or answers something else than it should. The message is for the log. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
}

export interface ProviderDocument {
  readonly members: Readonly<Record<string, unknown>>
  /** Seconds for which it may be kept, by its `Cache-Control`, within a minute and a day. */
  readonly maxAge: number
}

/**
 * Fetches a JSON object. Redirects are refused: the URL is the operator's, and where it leads is not.
 *
 * @param signal Ends the wait, for the body too.
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
  if (members === undefined) throw new ProviderError(`${url} answered something else than JSON`)
  return { members, maxAge: maxAgeOf(response.headers.get('cache-control') ?? '') }
}

/** `Content-Length` may be wrong, and a small body may unpack to a large one: the bytes are counted. */
async function readBounded(url: string, response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  const body: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader()
  for (;;) {
    const chunk = await body?.read().catch((cause: unknown) => {
      throw new ProviderError(`${url} did not arrive whole`, { cause })
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
