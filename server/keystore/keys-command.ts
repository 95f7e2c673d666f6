import type { Config } from '../config.ts'
import { generateKeys, loadKeys, type LoadedKeys } from './folder.ts'

const HELP = `Usage: npm run keys -- <command>

  generate   make a signing and an encryption key in KEYS_DIR; never overwrites one
  list       show the keys: kid, use, algorithm, age, file
  --help     show this

Set PRIVATE_KEY_PASSPHRASE to have the key files encrypted.`

/**
 * Runs one `npm run keys` command.
 *
 * @param print Takes one line of output.
 * @returns The exit code: 0 for success, 2 for a command that there is not.
 * @throws StartupError
 */
export async function keysCommand(
  args: readonly string[],
  config: Config,
  print: (line: string) => void,
): Promise<number> {
  const folder = {
    path: config.keysDir,
    passphrase: config.privateKeyPassphrase,
    algorithms: config.algorithms,
  }
  const [command, ...rest] = args
  if (rest.length > 0 || command === undefined) return usage()
  switch (command) {
    case 'generate': {
      const keys = await generateKeys(folder)
      print(`Made two keys in ${folder.path}:`)
      show(keys)
      print('Back them up. Set PRESERVE_SESSIONS_ON_REBOOT=1 to have the server use them.')
      return 0
    }
    case 'list':
      show(await loadKeys(folder))
      return 0
    case 'help':
    case '--help':
    case '-h':
      print(HELP)
      return 0
    default:
      return usage()
  }

  function usage(): number {
    print(HELP)
    return 2
  }

  function show(keys: LoadedKeys): void {
    print('kid                                          use alg             age      file')
    for (const { pair, modifiedAt, path } of [keys.sig, keys.enc]) {
      const columns = [
        pair.kid.padEnd(44),
        pair.use,
        pair.alg.padEnd(15),
        age(modifiedAt).padEnd(8),
      ]
      print([...columns, path].join(' '))
    }
    for (const warning of keys.warnings) print(`Warning: ${warning}`)
  }
}

function age(modifiedAt: number): string {
  const hours = Math.max(0, Math.floor((Date.now() - modifiedAt) / 3_600_000))
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`
}
