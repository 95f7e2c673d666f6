// For whoever installs the package for services: the type of `ctx.request.body`.
/// <reference types="koa-bodyparser" preserve="true" />
import bodyParser from 'koa-bodyparser'
import type { Next } from 'koa'
import type { z } from 'zod'
import { MAX_BODY } from '../../protocol/limits.ts'
import type { AppContext, AppMiddleware } from './context.ts'
import { documented } from './documented.ts'
import { HttpError, type ErrorCode } from './http-error.ts'
import { isRepeated } from './request-head.ts'
import { hasRepeatedMembers } from './repeated-members.ts'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** Options for koa-bodyparser. Its types lack the last two. */
const OPTIONS = {
  enableTypes: ['json', 'form', 'text'],
  // Other types are read as text: an empty body needs no type, and one over the limit is a 413,
  // whatever its type.
  extendTypes: { text: ['*/*'] },
  jsonLimit: String(MAX_BODY),
  formLimit: String(MAX_BODY),
  textLimit: String(MAX_BODY),
  // A member named `__proto__` is ignored, like every other unknown one.
  onProtoPoisoning: 'ignore',
  qs: { parse: parseForm },
}

/**
 * Reads a JSON object or a form (RFC 6749 Appendix B) into `ctx.request.body`. Its bytes go into
 * `ctx.state.bodyBytes`, because a token can be bound to their digest.
 *
 * koa-bodyparser repairs bad UTF-8, skips types that it does not parse, and allows repeated names.
 * This middleware refuses all of these.
 *
 * @param otherTypes Further media types, of which only the bytes are read.
 * @throws HttpError 413 for more than MAX_BODY; 415 for another media type, charset or encoding;
 *   400 for a body that is incomplete, is not UTF-8, is neither an object nor a form, or repeats a
 *   name.
 */
export function readBody(otherTypes: readonly string[] = []): AppMiddleware {
  const parse = bodyParser(OPTIONS)
  async function readBody(ctx: AppContext, next: Next): Promise<void> {
    if (ctx.request.body !== undefined) throw new Error('Something else has read the body.')
    const chunks: Buffer[] = []
    if (hasBody(ctx)) {
      prepareHeaders(ctx)
      const collect = (chunk: Buffer) => void chunks.push(chunk)
      // The parser attaches its listener in the same tick, so both get every byte.
      ctx.req.on('data', collect)
      try {
        await parse(ctx, () => Promise.resolve())
      } catch (error) {
        throw bodyFault(ctx, error)
      } finally {
        ctx.req.off('data', collect)
      }
      // The text of a byte order mark alone is empty, but its body is not.
      if (ctx.request.rawBody !== '' || chunks.length > 0) {
        const isOther = otherTypes.includes(checkType(ctx, otherTypes))
        if (!isOther) checkBody(ctx, Buffer.concat(chunks))
      }
    }
    ctx.state.bodyBytes = Buffer.concat(chunks)
    await next()
  }
  return documented(readBody, {
    400: ['invalid_request'],
    413: ['payload_too_large'],
    415: ['unsupported_media_type'],
  })
}

/** RFC 9112 §6.3. */
const hasBody = ({ req: { headers } }: AppContext): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/** Refuses bodies that must not be read, and normalizes headers for the parser. */
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

/** RFC 6749 §3.1: a parameter must not be repeated, and one without a value counts as not sent. */
function parseForm(text: string): Record<string, string> | undefined {
  const entries = [...new URLSearchParams(text)]
  // Percent-encoded bad UTF-8 has become U+FFFD.
  if (entries.some((entry) => entry.join('').includes('\uFFFD'))) return undefined
  if (new Set(entries.map(([name]) => name)).size < entries.length) return undefined
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}

/**
 * The media type (RFC 9110 §8.3.1). The parser ignores a charset that it cannot read, so this checks
 * it.
 */
function checkType({ request }: AppContext, otherTypes: readonly string[] = []): string {
  const [type = '', ...parameters] = request
    .get('Content-Type')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  if (![JSON_TYPE, FORM_TYPE, ...otherTypes].includes(type)) throw wrongType()
  const charsets = parameters.filter((parameter) => /^charset\b/.test(parameter))
  // With two charsets, another reader may choose a different one.
  if (charsets.length > 1 || !/^(charset=("?)utf-?8\2)?$/.test(charsets.join())) {
    throw new HttpError('unsupported_media_type', 'The charset of the body must be UTF-8.')
  }
  return type
}

function checkBody(ctx: AppContext, bytes: Buffer): void {
  const { body, rawBody } = ctx.request
  // The parser reads a body as text if its Content-Type has malformed parameters.
  if (typeof body === 'string') throw wrongType()
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  const isRepeating = !ctx.is(FORM_TYPE) && hasRepeatedMembers(rawBody, body)
  if (!isObject || isRepeating || !Buffer.from(rawBody).equals(bytes)) throw malformed()
}

/** Turns an error of the parser into the refusal of a body. Returns any other error unchanged. */
function bodyFault(ctx: AppContext, error: unknown): unknown {
  const { name, type, code } = error as Record<'name' | 'type' | 'code', unknown>
  if (name === 'SyntaxError') {
    checkType(ctx)
    return malformed()
  }
  if (type === 'entity.too.large') return tooLarge()
  const isCutShort = type === 'request.aborted' || type === 'request.size.invalid'
  if (!isCutShort && code !== 'ECONNRESET') return error
  return new HttpError('invalid_request', 'The body is incomplete.')
}

const tooLarge = (): HttpError =>
  new HttpError('payload_too_large', 'The body is over 64 KiB.', {
    // Do not wait for the rest of the body.
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

/**
 * Checks the body against a schema, and returns its members. Unknown members are left out.
 *
 * @param options `form`: whether a form is accepted as well as JSON. `code`: the error code for a missing
 *   or invalid member.
 * @throws HttpError 400 if there is no body; 415 for a form unless `form` is set; 400 naming the
 *   first invalid member.
 * @example
 * const { text } = parseBody(ctx, z.object({ text: line(1000) }))
 */
export function parseBody<T>(
  ctx: AppContext,
  schema: z.ZodType<T>,
  { form = false, code = 'invalid_request' }: { form?: boolean; code?: ErrorCode } = {},
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
