import { z } from 'zod'
import type { Route } from '../../http/route-table.ts'
import { toSchema, type Components, type Part } from './components.ts'
import { anyOf, jsonContent, toResponse } from './responses.ts'
import { describeRoute, type RouteDescription } from './route-description.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'

/** Describes a route (OpenAPI 3.1 §4.8.10). */
export function toOperation(route: Route, components: Components): Part {
  const description = describeRoute(route)
  const { summary, security, answers } = description
  Object.assign(components.securitySchemes, security)
  const isPublic = Object.keys(security).length === 0
  const isDiscovery = isPublic && route.method === 'GET'
  // They have no recipient to encrypt an answer to.
  const jsonTypes = isDiscovery ? [] : description.jsonTypes
  const parameters = [...pathParameters(route), ...queryParameters(description, components)]
  const requestBody = toRequestBody(description, components)
  return {
    operationId: toOperationId(route),
    ...(summary === undefined ? {} : { summary }),
    tags: [description.tag ?? (isDiscovery ? 'discovery' : firstSegment(route.path))],
    ...(isPublic ? {} : { security: Object.keys(security).map((name) => ({ [name]: [] })) }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: Object.fromEntries(
      [...answers].map(([status, said]) => [
        status,
        toResponse(status, said, { ...description, jsonTypes }, components),
      ]),
    ),
  }
}

/** `DELETE /account/sessions/:session_id` → `deleteAccountSessionsSessionId`. */
const toOperationId = ({ method, path }: Route): string =>
  method.toLowerCase() +
  path.replaceAll(/[^a-z0-9]+([a-z0-9]?)/gi, (_, letter: string) => letter.toUpperCase())

const firstSegment = (path: string): string => path.split('/')[1] ?? ''

const pathParameters = ({ path }: Route): Part[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))

const queryParameters = ({ query }: RouteDescription, components: Components): Part[] =>
  Object.entries((query?.shape ?? {}) as z.ZodRawShape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !z.safeParse(schema, undefined).success,
    schema: toSchema(schema, components),
  }))

function toRequestBody(description: RouteDescription, components: Components): Part | undefined {
  const { bodies, jsonTypes, isFormAccepted } = description
  if (bodies.length === 0) return undefined
  const schema = anyOf(bodies, components)
  const content = jsonContent(schema, jsonTypes)
  return {
    required: true,
    content: isFormAccepted ? { ...content, [FORM_TYPE]: { schema } } : content,
  }
}
