import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import type { Answer } from '../../http/documented.ts'
import type { RouteDescription } from './route-description.ts'
import { shareResponse, toSchema, type Components, type Part } from './components.ts'

const JSON_TYPE = 'application/json'

/** RFC 9110 §10.2.3, §11.6.1. */
const HEADERS: Readonly<Record<number, Part>> = {
  401: { 'WWW-Authenticate': { schema: { type: 'string' } } },
  429: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } },
  503: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } },
}

/**
 * Describes what a route answers with one status (OpenAPI 3.1 §4.8.17).
 *
 * @param answers What its steps say of this status. A schema of the route's own replaces errors.
 */
export function toResponse(
  status: number,
  answers: readonly Answer[],
  { jsonTypes, answerTypes }: Pick<RouteDescription, 'jsonTypes' | 'answerTypes'>,
  components: Components,
): Part {
  const schemas = answers.filter((answer) => answer instanceof z.ZodType)
  const codes = answers.filter((answer) => Array.isArray(answer)).flat() as string[]
  if (schemas.length === 0 && codes.length > 0) return toError(status, codes, jsonTypes, components)

  const otherTypes = [...jsonTypes, ...answerTypes]
  const types = answers.filter((answer) => typeof answer === 'string')
  const content = {
    ...(schemas.length > 0 ? jsonContent(anyOf(schemas, components), otherTypes) : {}),
    ...Object.fromEntries(types.map((type) => [type, {}])),
  }
  const description = STATUS_CODES[status] ?? String(status)
  return { description, ...(Object.keys(content).length > 0 ? { content } : {}) }
}

/** An error, in the shape of RFC 6749 §5.2. */
function toError(
  status: number,
  codes: readonly string[],
  jsonTypes: readonly string[],
  components: Components,
): Part {
  const names = [...new Set(codes)].sort()
  const schema = z.object({ error: z.enum(names), error_description: z.string() })
  const headers = HEADERS[status]
  return shareResponse(components, [status, ...names, ...jsonTypes.map(toName)].join('.'), {
    description: `${STATUS_CODES[status] ?? ''}: ${names.map((code) => `\`${code}\``).join(', ')}.`,
    ...(headers === undefined ? {} : { headers }),
    content: jsonContent(toSchema(schema, components), jsonTypes),
  })
}

/** The part of a media type that can be in the name of a component. */
const toName = (type: string): string => type.replaceAll(/^.*\/|[^\w-]/g, '')

/** The content of JSON, and of the other media types that stand for it. */
export const jsonContent = (schema: Part, otherTypes: readonly string[]): Part => ({
  [JSON_TYPE]: { schema },
  ...Object.fromEntries(otherTypes.map((type) => [type, { schema: { type: 'string' } }])),
})

export function anyOf(schemas: readonly z.ZodType[], components: Components): Part {
  const [first, ...others] = schemas.map((schema) => toSchema(schema, components))
  return first !== undefined && others.length === 0 ? first : { anyOf: [first, ...others] }
}
