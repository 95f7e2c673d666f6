import getRawBody from 'raw-body'
import type { z } from 'zod'
import { MAX_BODY } from '../../protocol/limits.ts'
import type { AppContext, AppMiddleware } from './context.ts'
import { HttpError, type ErrorCode } from './http-error.ts'
import { parseObject } from '../token/compact.ts'
import { isRepeated } from './repeated-header.ts'
import { hasRepeatedMembers } from './repeated-members.ts'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/**
 * Reads the body as bytes and leaves them uninterpreted: their digest may have to be checked, and
 * Koa's body parsers take a wrong content type for an empty body and mend bad UTF-8 in silence.
 */
export function readBody(): AppMiddleware {
  return async function readBody(ctx, next) {
    const encoding = ctx.get('Content-Encoding')
    if (encoding !== '' && encoding.toLowerCase() !== 'identity') {
      throw new HttpError('unsupported_media_type', 'Content-Encoding is not supported.')
    }
    try {
      ctx.state.bodyBytes = await getRawBody(ctx.req, {
        length: ctx.get('Content-Length') || null,
        limit: MAX_BODY,
      })
    } catch (error) {
      throw bodyFault(error)
    }
    await next()
  }
}

/** What is wrong with a body that could not be read, or, if nothing is, the error itself. */
function bodyFault(error: unknown): unknown {
  const { type, code } = error as { readonly type?: string; readonly code?: string }
  if (type === 'entity.too.large') {
    return new HttpError('payload_too_large', 'The body is over 64 KiB.', {
      // The rest of it is still on the wire: do not wait for it.
      headers: { Connection: 'close' },
    })
  }
  const isCutShort = type === 'request.aborted' || type === 'request.size.invalid'
  if (!isCutShort && code !== 'ECONNRESET') return error
  return new HttpError('invalid_request', 'The body did not arrive whole.')
}

interface BodyOptions {
  /** Also takes a form (RFC 6749 Appendix B), beside JSON. */
  readonly form?: boolean
  /** The code for a member that is missing or wrong. */
  readonly code?: ErrorCode
}

/**
 * The body's members, checked by a schema. Unknown members are ignored, as the schema leaves them out.
 *
 * @throws HttpError 415 for another media type or charset; 400 for what is not UTF-8, not JSON, no
 *   object, or has a member twice; 400 naming the first member that is wrong.
 */
export function parseBody<T>(
  ctx: AppContext,
  schema: z.ZodType<T>,
  { form = false, code = 'invalid_request' }: BodyOptions = {},
): T {
  const parsed = schema.safeParse(bodyMembers(ctx, form))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const name = issue?.path.join('.') ?? ''
  throw new HttpError(code, `${name} ${issue?.message ?? 'is not valid'}.`)
}

/** Whether the body, whatever its type and however badly it is made, has a member of this name. */
export function bodyHas(ctx: AppContext, name: string): boolean {
  const members = parseObject(ctx.state.bodyBytes)
  if (members !== undefined) return Object.hasOwn(members, name)
  return new URLSearchParams(ctx.state.bodyBytes.toString()).has(name)
}

/** RFC 9110 §8.3.1. Koa's own parser takes a header that it cannot read for one without a charset. */
function contentType(ctx: AppContext): { type: string; isUtf8: boolean } {
  if (isRepeated(ctx.req, 'content-type')) {
    throw new HttpError('invalid_request', 'There is more than one Content-Type header.')
  }
  const [type = '', ...parameters] = ctx
    .get('Content-Type')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  // Of two, the next reader may take the other.
  const [charset = 'charset=utf-8', ...others] = parameters.filter((parameter) =>
    /^charset\b/.test(parameter),
  )
  return { type, isUtf8: others.length === 0 && /^charset=("?)utf-?8\1$/.test(charset) }
}

function bodyMembers(ctx: AppContext, form: boolean): Record<string, unknown> {
  const bytes = ctx.state.bodyBytes
  if (bytes.length === 0) throw new HttpError('invalid_request', 'A body is required.')
  const { type, isUtf8 } = contentType(ctx)
  if (!(type === JSON_TYPE || (form && type === FORM_TYPE))) {
    throw new HttpError(
      'unsupported_media_type',
      `The body must be ${JSON_TYPE}${form ? ` or ${FORM_TYPE}` : ''}.`,
    )
  }
  if (!isUtf8) {
    throw new HttpError('unsupported_media_type', 'The charset of the body must be UTF-8.')
  }
  const members = type === FORM_TYPE ? parseForm(bytes) : parseJson(bytes)
  if (members === undefined) {
    throw new HttpError(
      'invalid_request',
      type === FORM_TYPE
        ? 'The body is not a form in UTF-8 with each parameter once.'
        : 'The body is not a JSON object in UTF-8 with each member once.',
    )
  }
  return members
}

function parseJson(bytes: Buffer): Record<string, unknown> | undefined {
  const members = parseObject(bytes)
  return hasRepeatedMembers(bytes.toString(), members) ? undefined : members
}

/** RFC 6749 §3.1: a parameter must not come twice, and one without a value is as if not sent. */
function parseForm(bytes: Buffer): Record<string, string> | undefined {
  const entries = [...new URLSearchParams(bytes.toString())]
  // Bad UTF-8, in the bytes or behind their percent signs, has been mended into U+FFFD.
  if (entries.some((entry) => entry.join('').includes('\uFFFD'))) return undefined
  if (new Set(entries.map(([name]) => name)).size < entries.length) return undefined
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}
