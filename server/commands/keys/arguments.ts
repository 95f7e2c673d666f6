import { parseArgs } from 'node:util'

export const HELP = `Usage: npm run keys -- <command> [options]

  generate                    make the first keys in KEYS_DIR; never overwrites one
  list                        show every key: kid, use, algorithm, state, created, retires, file
  rotate                      current keys become previous, next ones current; makes fresh next ones
  rotate --revoke             replace every key and keep none: a key has leaked. Signs everybody out
  prune                       remove the previous keys that have retired
  passphrase                  encrypt every key under another passphrase
  import --use sig|enc FILE   make your own PEM the next key
  --help                      show this

  --json                      print the keys as JSON (npm run -s keys -- list --json)

The passphrase of the folder is read from PRIVATE_KEY_PASSPHRASE, a new one from
NEW_PRIVATE_KEY_PASSPHRASE, and that of an imported file from IMPORT_PASSPHRASE; those that are not set
are asked for. A running server follows the folder by itself.`

const COMMANDS = ['generate', 'list', 'rotate', 'prune', 'passphrase', 'import']

export interface KeysOptions {
  readonly help?: boolean
  readonly json?: boolean
  readonly revoke?: boolean
  readonly use?: string
}

interface Parsed {
  readonly values: KeysOptions
  readonly positionals: readonly string[]
  /** What is wrong with the arguments, a sentence. */
  readonly fault?: string | undefined
}

/** Takes the arguments apart, and says what is wrong with them. */
export function parseArguments(args: readonly string[]): Parsed {
  try {
    const parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        revoke: { type: 'boolean' },
        use: { type: 'string' },
      },
    })
    return { ...parsed, fault: faultOf(parsed) }
  } catch {
    return { values: {}, positionals: [], fault: 'There is no such option.' }
  }
}

function faultOf({ values, positionals }: Parsed): string | undefined {
  const [command, file, ...rest] = positionals
  if (command === undefined) return 'A command is missing.'
  if (!COMMANDS.includes(command)) return `There is no command ${JSON.stringify(command)}.`
  if (values.revoke === true && command !== 'rotate') return '--revoke goes with rotate.'
  if (command !== 'import') {
    return file === undefined ? undefined : `${command} takes no further argument.`
  }
  if (file === undefined || rest.length > 0) return 'import takes one file.'
  return values.use === 'sig' || values.use === 'enc'
    ? undefined
    : 'import needs --use sig or --use enc.'
}
