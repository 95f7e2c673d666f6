import { parseArgs } from 'node:util'
import { isScope } from '../../../commands/scope.ts'
import { line } from '../../../http/fields.ts'

export const HELP = `Usage: npm run clients -- <command> [options]

  add --name NAME --jwks FILE --scope "WORDS"
                      register a service, and print its client_id
  list                show every service client
  remove CLIENT_ID    a running server refuses it from now on
  --help              show this help

  --json              print JSON (npm run -s clients -- list --json)

FILE holds a JWK Set with two public keys: one with "use": "sig", which the service signs assertions
with, and one with "use": "enc", which its tokens are encrypted to. The scope "introspect" lets it ask
about tokens.`

/** The longest name, in characters. */
const MAX_NAME = 100

/**
 * A client_id that parseArgs would take for options. One in 64 begins with a hyphen, because it is a
 * thumbprint in base64url.
 */
const HYPHENATED_ID = /^-[\w-]{42}$/

/** What to do. */
export type ClientsCommand =
  | { readonly command: 'help' | 'list' }
  | {
      readonly command: 'add'
      readonly name: string
      /** The path of a file. */
      readonly jwks: string
      readonly scope: string
    }
  | { readonly command: 'remove'; readonly id: string }

interface Parsed {
  readonly json: boolean
  /** What to do, or one sentence that says what is wrong with the arguments. */
  readonly asked: ClientsCommand | string
}

export function parseClientsArguments(args: readonly string[]): Parsed {
  const ids = args.filter((arg) => HYPHENATED_ID.test(arg))
  try {
    const { values, positionals } = parseArgs({
      args: args.filter((arg) => !ids.includes(arg)),
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        name: { type: 'string' },
        jwks: { type: 'string' },
        scope: { type: 'string' },
      },
    })
    const { help = false, json = false, ...options } = values
    if (help || positionals[0] === 'help') return { json, asked: { command: 'help' } }
    return { json, asked: toCommand([...positionals, ...ids], options) }
  } catch {
    return { json: false, asked: 'There is no such option, or its value is missing.' }
  }
}

interface AddOptions {
  readonly name?: string
  readonly jwks?: string
  readonly scope?: string
}

function toCommand(
  [command, id, ...rest]: readonly string[],
  options: AddOptions,
): ClientsCommand | string {
  if (command === undefined) return 'A command is missing.'
  if (command === 'add') return id === undefined ? toAdd(options) : 'add takes options alone.'
  if (Object.keys(options).length > 0) return 'Only add takes --name, --jwks and --scope.'
  if (command === 'list') return id === undefined ? { command } : 'list takes no argument.'
  if (command !== 'remove') return `There is no command ${JSON.stringify(command)}.`
  return id === undefined || rest.length > 0 ? 'remove takes one client_id.' : { command, id }
}

function toAdd({ name, jwks, scope }: AddOptions): ClientsCommand | string {
  if (name === undefined || jwks === undefined || scope === undefined) {
    return 'add needs --name, --jwks and --scope.'
  }
  const fault = line(MAX_NAME).safeParse(name).error?.issues[0]
  if (fault !== undefined) return `The name ${fault.message}.`
  if (!isScope(scope)) {
    return 'The scope must be words separated by single spaces, such as "notes introspect".'
  }
  return { command: 'add', name, jwks, scope }
}
