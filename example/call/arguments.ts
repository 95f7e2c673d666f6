import { parseArgs } from 'node:util'
import { CallError } from './call-error.ts'

export const HELP = `Usage: npm run call -- <command> [options]

  sign-up <email>            create an account and sign in to it
  sign-in <email>            sign in
  sign-out                   sign out
  <METHOD> <path> [body]     send a request as the user who is signed in; the body is JSON, or - to
                             read it from stdin

  --name <name>              with sign-up: the name of the account
  --server <url>             the server; default: ISSUER, or http://localhost:PORT
  --issuer <url>             the server's ISSUER, if it is not the URL that you call
  --service <url>            another service that may get your tokens; repeatable
  --folder <path>            where to keep the key and the session; default: data/call/<server>
  --sealed                   refuse a server that does not seal bodies and answers
  --plain                    do not seal them; default: sealed if the server offers it
  --verbose, -v              show every request, and each layer of its token
  --help, -h                 show this help

The password is asked for, or read from stdin if stdin is not a terminal. CALL_PASSPHRASE encrypts
the key. Without it, a passphrase is made up and kept beside the key.

The body of the answer goes to stdout and everything else to stderr (npm run -s call -- … | jq).
Exit code: 0 for success, 1 if the server refuses or cannot be reached, 2 for wrong arguments.

  npm run call -- sign-up ada@example.com
  npm run call -- GET /account
  npm run call -- PATCH /account '{"name":"Ada"}' --verbose`

/** What to do. */
export type Command =
  | { readonly name: 'help' | 'sign-out' }
  | { readonly name: 'sign-up'; readonly email: string; readonly displayName?: string }
  | { readonly name: 'sign-in'; readonly email: string }
  | {
      readonly name: 'request'
      readonly method: string
      /** A path on the server, or the URL of a service. */
      readonly target: string
      /** JSON, or `-` for stdin. */
      readonly body?: string | undefined
    }

export interface CallOptions {
  readonly server?: string
  readonly issuer?: string
  readonly service?: readonly string[]
  readonly folder?: string
  /** Whether bodies and answers must be sealed, or must not. */
  readonly sealed?: boolean
  readonly plain?: boolean
  readonly verbose?: boolean
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const WITHOUT_BODY = ['GET', 'HEAD']

/** Parses the arguments. @throws CallError saying what is wrong with them. */
export function parseArguments(args: readonly string[]): {
  readonly command: Command
  readonly options: CallOptions
} {
  const { values, positionals } = parse(args)
  const { help, name, ...options } = values
  if (help === true) return { command: { name: 'help' }, options }
  const { server, issuer, service = [] } = options
  for (const url of [server, issuer, ...service]) {
    if (url !== undefined) checkUrl(url)
  }
  if (options.sealed && options.plain) throw wrong('--sealed and --plain exclude each other.')
  const command = commandOf(positionals)
  if (name === undefined) return { command, options }
  if (command.name !== 'sign-up') throw wrong('--name can only be used with sign-up.')
  return { command: { ...command, displayName: name }, options }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        name: { type: 'string' },
        server: { type: 'string' },
        issuer: { type: 'string' },
        service: { type: 'string', multiple: true },
        folder: { type: 'string' },
        sealed: { type: 'boolean' },
        plain: { type: 'boolean' },
        verbose: { type: 'boolean', short: 'v' },
      },
    })
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!code.startsWith('ERR_PARSE_ARGS_')) throw error
    // Only the first sentence: Node's advice after it does not apply here.
    const [sentence = ''] = message.split(/\.(?:\s|$)|\n/)
    throw wrong(`${sentence}.`)
  }
}

function commandOf([first, ...rest]: readonly string[]): Command {
  if (first === undefined) throw wrong('A command is missing.')
  if (first === 'sign-up' || first === 'sign-in') {
    const [email, ...more] = rest
    if (email === undefined) throw wrong(`${first} needs an e-mail address.`)
    // A password here would be in the shell's history, and visible to every process.
    if (more.length > 0) throw wrong(`${first} takes only an address. It asks for the password.`)
    return { name: first, email }
  }
  if (first === 'sign-out') {
    if (rest.length > 0) throw wrong('sign-out takes no further arguments.')
    return { name: first }
  }
  const method = first.toUpperCase()
  if (!METHODS.includes(method)) throw wrong(`There is no command ${JSON.stringify(first)}.`)
  return requestOf(method, rest)
}

function requestOf(method: string, [target, body, ...rest]: readonly string[]): Command {
  if (target === undefined) throw wrong(`${method} needs a path, such as /account.`)
  if (!target.startsWith('/')) checkUrl(target, 'a path such as /account')
  if (rest.length > 0) throw wrong('The body must be one argument: quote it.')
  if (body !== undefined && WITHOUT_BODY.includes(method)) {
    throw wrong(`${method} cannot have a body.`)
  }
  return { name: 'request', method, target, body }
}

function checkUrl(text: string, other?: string): void {
  if (/^https?:/.test(text) && URL.canParse(text)) return
  const expected = [other, 'a URL such as http://localhost:3000'].filter(Boolean).join(', or ')
  throw wrong(`${JSON.stringify(text)} is not ${expected}.`)
}

const wrong = (sentence: string): CallError =>
  new CallError(`${sentence} See: npm run call -- --help`, 2)
