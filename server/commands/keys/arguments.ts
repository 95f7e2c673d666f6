import { parseArgs } from 'node:util'

export const HELP = `Usage: npm run keys -- <command> [options]

  generate                    make the first keys in KEYS_DIR; never overwrites a key
  list                        show every key: kid, use, algorithm, curve, state, dates, file
  rotate                      make next keys current and current keys previous; make new next keys
  rotate --revoke             for a leaked key: replace every key and sign everybody out
  prune                       remove previous keys that have retired
  passphrase                  encrypt every key with a new passphrase
  import --use sig|enc FILE   import a PEM file of your own as the next key
  --help                      show this help

  --json                      print the keys as JSON (npm run -s keys -- list --json)

The folder's passphrase is read from PRIVATE_KEY_PASSPHRASE, a new one from NEW_PRIVATE_KEY_PASSPHRASE,
and that of an imported file from IMPORT_PASSPHRASE. If a needed one is not set, the command asks for it.
A running server notices changes to the folder by itself.`

const COMMANDS = ['generate', 'list', 'rotate', 'prune', 'passphrase', 'import']

interface KeysOptions {
  readonly help?: boolean
  readonly json?: boolean
  readonly revoke?: boolean
  readonly use?: string
}

interface Parsed {
  readonly values: KeysOptions
  readonly positionals: readonly string[]
  /** One sentence that says what is wrong with the arguments. */
  readonly fault?: string | undefined
}

/** Parses the arguments and says what is wrong with them. */
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
  if (values.revoke === true && command !== 'rotate')
    return '--revoke can only be used with rotate.'
  if (command !== 'import') {
    return file === undefined ? undefined : `${command} takes no further arguments.`
  }
  if (file === undefined || rest.length > 0) return 'import takes one file.'
  return values.use === 'sig' || values.use === 'enc'
    ? undefined
    : 'import needs --use sig or --use enc.'
}
