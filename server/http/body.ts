import bodyParser from 'koa-bodyparser'
import type { z } from 'zod'
import { MAX_BODY } from '../../protocol/limits.ts'
import type { AppContext, AppMiddleware } from './context.ts'
import { HttpError, type ErrorCode } from './http-error.ts'
import { isRepeated } from './repeated-header.ts'
import { hasRepeatedMembers } from './repeated-members.ts'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** For koa-bodyparser, whose types leave out the last two. */
const OPTIONS = {
  enableTypes: ['json', 'form', 'text'],
  // Other types are read too, up to the limit: an empty body needs no type, a long one is a 413.
  extendTypes: { text: ['*/*'] },
  jsonLimit: String(MAX_BODY),
  formLimit: String(MAX_BODY),
  textLimit: String(MAX_BODY),
  // A member named `__proto__` is ignored, like every other unknown one.
  onProtoPoisoning: 'ignore',
  qs: { parse: parseForm },
}

/**
 * Reads a JSON object or a form (RFC 6749 Appendix B) into `ctx.request.body`, and its bytes, to whose
 * digest a token can be bound, into `ctx.state.bodyBytes`. koa-bodyparser mends bad UTF-8, skips what
 * it does not parse and lets a name come twice: this refuses all of that.
 *
 * @throws HttpError 413 for more than MAX_BODY; 415 for another media type, charset or encoding; 400 for
 *   a body that is cut short, not UTF-8, neither an object nor a form, or has a name twice.
 */
export function readBody(): AppMiddleware {
  const parse = bodyParser(OPTIONS)
  return async function readBody(ctx, next) {
    if (ctx.request.body !== undefined) throw new Error('Something else has read the body.')
    const chunks: Buffer[] = []
    if (hasBody(ctx)) {
      prepareHeaders(ctx)
      const collect = (chunk: Buffer) => void chunks.push(chunk)
      // In the same tick as the parser attaches its listener: both get every byte.
      ctx.req.on('data', collect)
      try {
        await parse(ctx, () => Promise.resolve())
      } catch (error) {
        throw bodyFault(ctx, error)
      } finally {
        ctx.req.off('data', collect)
      }
      if (ctx.request.rawBody !== '') checkBody(ctx, Buffer.concat(chunks))
    }
    ctx.state.bodyBytes = Buffer.concat(chunks)
    await next()
  }
}

/** RFC 9112 §6.3. */
const hasBody = ({ req: { headers } }: AppContext): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/** Refuses what must not be read, and spells the rest as the parser does. */
function prepareHeaders({ req }: AppContext): void {
  const { headers } = req
  if (Number(headers['content-length']) > MAX_BODY) throw tooLarge()
  if (!/^(identity)?$/i.test(headers['content-encoding'] ?? '')) {
    throw new HttpError('unsupported_media_type', 'Content-Encoding is not supported.')
  }
  if (isRepeated(req, 'content-type')) {
    throw new HttpError('invalid_request', 'There is more than one Content-Type header.')
  }
  delete headers['content-encoding']
  // RFC 9110 §8.3.
  headers['content-type'] ??= 'application/octet-stream'
}

/** RFC 6749 §3.1: a parameter must not come twice, and one without a value is as if not sent. */
function parseForm(text: string): Record<string, string> | undefined {
  const entries = [...new URLSearchParams(text)]
  // Bad UTF-8 behind a percent sign has become U+FFFD.
  if (entries.some((entry) => entry.join('').includes('\uFFFD'))) return undefined
  if (new Set(entries.map(([name]) => name)).size < entries.length) return undefined
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}

/** RFC 9110 §8.3.1. The parser takes a charset that it cannot read for none. */
function checkType({ request }: AppContext): void {
  const [type, ...parameters] = request
    .get('Content-Type')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  if (type !== JSON_TYPE && type !== FORM_TYPE) throw wrongType()
  const charsets = parameters.filter((parameter) => /^charset\b/.test(parameter))
  // Of two, the next reader may take the other.
  if (charsets.length > 1 || !/^(charset=("?)utf-?8\2)?$/.test(charsets.join())) {
    throw new HttpError('unsupported_media_type', 'The charset of the body must be UTF-8.')
  }
}

function checkBody(ctx: AppContext, bytes: Buffer): void {
  const { body, rawBody } = ctx.request
  checkType(ctx)
  // A Content-Type with malformed parameters: the parser has read it as text.
  if (typeof body === 'string') throw wrongType()
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  const isRepeating = !ctx.is(FORM_TYPE) && hasRepeatedMembers(rawBody, body)
  if (!isObject || isRepeating || !Buffer.from(rawBody).equals(bytes)) throw malformed()
}

/** What is wrong with a body that could not be read or parsed, or, if nothing is, the error itself. */
function bodyFault(ctx: AppContext, error: unknown): unknown {
  const { name, type, code } = error as Record<'name' | 'type' | 'code', unknown>
  if (name === 'SyntaxError') {
    checkType(ctx)
    return malformed()
  }
  if (type === 'entity.too.large') return tooLarge()
  const isCutShort = type === 'request.aborted' || type === 'request.size.invalid'
  if (!isCutShort && code !== 'ECONNRESET') return error
  return new HttpError('invalid_request', 'The body did not arrive whole.')
}

const tooLarge = (): HttpError =>
  new HttpError('payload_too_large', 'The body is over 64 KiB.', {
    // The rest of it is still on the wire: do not wait for it.
    headers: { Connection: 'close' },
  })

const wrongType = (): HttpError =>
  new HttpError('unsupported_media_type', `The body must be ${JSON_TYPE} or ${FORM_TYPE}.`)

const malformed = (): HttpError =>
  new HttpError(
    'invalid_request',
    'The body must be a JSON object or a form, in UTF-8, with each name once.',
  )

/** Whether the body has a member of this name, or a parameter with a value. */
export const bodyHas = ({ request: { body = {} } }: AppContext, name: string): boolean =>
  Object.hasOwn(body as object, name)

interface BodyOptions {
  /** Also takes a form, beside JSON. */
  readonly form?: boolean
  /** The code for a member that is missing or wrong. */
  readonly code?: ErrorCode
}

/**
 * The body's members, checked by a schema. Unknown members are ignored, as the schema leaves them out.
 *
 * @throws HttpError 400 for no body; 415 for a form where there is to be none; 400 naming the first
 *   member that is wrong.
 */
export function parseBody<T>(
  ctx: AppContext,
  schema: z.ZodType<T>,
  { form = false, code = 'invalid_request' }: BodyOptions = {},
): T {
  if (ctx.state.bodyBytes.length === 0) {
    throw new HttpError('invalid_request', 'A body is required.')
  }
  if (!form && ctx.is(FORM_TYPE)) {
    throw new HttpError('unsupported_media_type', `The body must be ${JSON_TYPE}.`)
  }
  const parsed = schema.safeParse(ctx.request.body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const name = issue?.path.join('.') ?? ''
  throw new HttpError(code, `${name} ${issue?.message ?? 'is not valid'}.`)
}
