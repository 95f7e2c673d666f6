/** The OpenAPI document of a server, and a check of real answers against it. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Answer } from './client.ts'

/* eslint-disable @typescript-eslint/no-explicit-any -- the document is read as it comes */

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly security?: readonly object[]
  readonly parameters: readonly any[]
  readonly requestBody: any
  readonly responses: Readonly<Record<string, any>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<'schemas' | 'responses', Readonly<Record<string, any>>>>
}

export interface ApiDocument {
  readonly document: Document
  /** `<METHOD> <path>`, as documented: `GET /account`. */
  readonly routes: readonly string[]
  /** The routes of which an answer was checked. */
  readonly checked: ReadonlySet<string>
  /** @throws Error if the route, the status, the media type or the body is not documented. */
  check(route: `${string} ${string}`, answer: Pick<Answer, 'status' | 'headers' | 'text'>): void
}

/** `undefined` if the server publishes no document, because the feature was taken out. */
export async function fetchApiDocument(url: string): Promise<ApiDocument | undefined> {
  const response = await fetch(`${url}/openapi.json`)
  return response.status === 404 ? undefined : apiDocument(await response.json())
}

export function apiDocument(document: any): ApiDocument {
  const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }))
  ajv.addSchema(closed(document) as object, 'api')
  const checked = new Set<string>()

  /** Follows a reference within the document. */
  function pointerTo(...steps: (string | number)[]): { pointer: string; part: any } {
    let pointer = '#'
    let part = document
    for (const step of steps) {
      part = part?.[step]
      pointer += `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (typeof part?.$ref === 'string') {
        const target = pointerTo(...(part.$ref as string).slice(2).split('/'))
        pointer = target.pointer
        part = target.part
      }
    }
    return { pointer, part }
  }

  return {
    document,
    checked,
    routes: Object.entries(document.paths as object).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    ),
    check(route, { status, headers, text }) {
      const [method = '', path = ''] = route.split(' ')
      const steps = ['paths', path, method.toLowerCase(), 'responses', status]
      const fail = (what: string) => new Error(`${route}, ${status}: ${what}. ${text}`)
      const { part: response } = pointerTo(...steps)
      if (response === undefined) throw fail('the status is not documented')
      checked.add(route)
      const type = headers.get('content-type')?.split(';')[0]
      if (text === '') {
        if (response.content !== undefined) throw fail('the documented body is missing')
        return
      }
      const { pointer, part } = pointerTo(...steps, 'content', type ?? '')
      if (part === undefined) throw fail(`the media type ${type ?? ''} is not documented`)
      for (const [name, { schema }] of Object.entries<any>(response.headers ?? {})) {
        const value = headers.get(name)
        if (value !== null && schema.type === 'integer' && !/^\d+$/.test(value)) throw fail(name)
      }
      if (part.schema === undefined || part.schema.type === 'string') return
      const validate = ajv.compile({ $ref: `api${encodeURI(pointer)}/schema` })
      if (!validate(JSON.parse(text))) throw fail(ajv.errorsText(validate.errors))
    },
  }
}

/** The document, with answers that have no members but the described ones. */
function closed(part: any): any {
  if (Array.isArray(part)) return part.map(closed)
  if (typeof part !== 'object' || part === null) return part
  const members = Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, closed(value)]),
  )
  const isObject = part.type === 'object' && part.properties !== undefined
  return isObject ? { additionalProperties: false, ...members } : members
}
