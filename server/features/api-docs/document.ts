import type { Route } from '../../http/route-table.ts'
import { createComponents, type Part } from './components.ts'
import { toOperation } from './operation.ts'

/** Everything that holds for all routes is said here. */
const DESCRIPTION = `
Tokens are encrypted in both directions. A token that this server issues is a JWE for one client, with
a signed JWT inside. The client decrypts it, and encrypts the JWT again to a key of this server for
each request: see \`GET /.well-known/jwks.json\`.

Every answer has an \`X-Request-Id\`. An error has a code and a sentence: \`error\` and
\`error_description\`. Members of a body that are not described are ignored. A route that
describes no body still refuses one that is too large (413) or of the wrong type (415).
`.trim()

/**
 * Describes an API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html).
 *
 * @param url The public URL of the server.
 * @param version Of the API.
 */
export function describeApi(routes: readonly Route[], url: string, version: string) {
  const components = createComponents()
  const paths: Record<string, Record<string, Part>> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: toOperation(route, components) }
  }
  return {
    openapi: '3.1.1',
    info: { title: 'jwe-auth-server', version, description: DESCRIPTION },
    servers: [{ url }],
    paths,
    components,
  }
}
