import { readFile } from 'node:fs/promises'
import type { Config } from '../../config/config.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { isPlaceholder } from '../../config/parse-variables.ts'
import { requiredKeyType } from '../../../protocol/algorithms.ts'
import {
  changePassphrase,
  generateKeys,
  keepPreviousFor,
  pruneKeys,
  revokeKeys,
  rotateKeys,
} from './folder-changes.ts'
import type { KeyFolder } from '../../keystore/folder.ts'
import { hasKeys, isProtected } from './key-folder.ts'
import { curveWarnings, describeKeys, keyTable } from './key-list.ts'
import { importKey } from './import-key.ts'
import { HELP, parseArguments } from './arguments.ts'
import { keyFolderOf } from '../../keystore/open-keystore.ts'
import { isEncrypted } from '../../keystore/pem.ts'
import { passphraseWarning } from './write-key.ts'

/** How a command talks to the person who runs it. */
export interface Terminal {
  /** Prints one line of the result. */
  print(line: string): void
  /** Prints one line of progress or advice, which is not part of the result. */
  note(line: string): void
  /** Asks for a secret. `variable` is the one to set if there is no terminal. */
  askSecret(question: string, variable: string): Promise<string>
}

/** Passphrases for a single command. They are not part of the configuration. */
interface CommandPassphrases {
  /** NEW_PRIVATE_KEY_PASSPHRASE. */
  readonly fresh?: string | undefined
  /** IMPORT_PASSPHRASE. */
  readonly imported?: string | undefined
}

/** The configuration, and how expensive it is to encrypt a key: see KeyFolder. */
type KeysConfig = Config & Pick<KeyFolder, 'scryptCost'>

/**
 * Runs one `npm run keys` command.
 *
 * @returns The exit code: 0 for success, 2 for wrong arguments.
 * @throws StartupError saying what went wrong and how to fix it.
 */
export async function keysCommand(
  args: readonly string[],
  config: KeysConfig,
  terminal: Terminal,
  passphrases: CommandPassphrases = {},
): Promise<number> {
  const { values, positionals, fault } = parseArguments(args)
  if (values.help === true) {
    terminal.print(HELP)
    return 0
  }
  if (fault !== undefined) {
    terminal.note(`${fault} See: npm run keys -- --help`)
    return 2
  }
  const [command = '', path = ''] = positionals
  const folder = await openFolder(command, config, terminal)
  const now = Date.now()
  switch (command) {
    case 'generate':
      await generateKeys(folder, now)
      return showNew(
        folder,
        config.preserveSessions
          ? 'Back them up.'
          : 'Back them up. Set PRESERVE_SESSIONS_ON_REBOOT=1 so that the server uses them.',
      )
    case 'rotate':
      if (values.revoke === true) {
        await revokeKeys(folder, now)
        return showNew(
          folder,
          'Every key was replaced. Everybody is signed out as soon as the running servers load the new keys, within a second or two.',
        )
      }
      await rotateKeys(folder, now, keepPreviousFor(config))
      for (const warning of curveWarnings(await describeKeys(folder))) terminal.note(warning)
      return showNew(
        folder,
        'A running server loads the new keys within a second or two. After a change of the algorithm or the curve, restart it.',
      )
    case 'prune': {
      const pruned = await pruneKeys(folder, now)
      return show(
        folder,
        pruned.length === 0
          ? 'No key has retired. Nothing was removed.'
          : `Removed: ${pruned.join(', ')}.`,
      )
    }
    case 'passphrase': {
      const fresh = await newPassphrase()
      await changePassphrase(folder, fresh, now)
      return showNew(
        { ...folder, passphrase: fresh },
        'The keys are encrypted with the new passphrase. Set PRIVATE_KEY_PASSPHRASE to it, then restart the server.',
      )
    }
    case 'import': {
      const pem = await readFile(path, 'utf8').catch(() => {
        throw new StartupError([`${path} cannot be read. Check the path and its permissions.`])
      })
      const passphrase = isEncrypted(pem)
        ? (passphrases.imported ??
          (await terminal.askSecret(`Passphrase of ${path}`, 'IMPORT_PASSPHRASE')))
        : undefined
      const use = values.use === 'enc' ? 'enc' : 'sig'
      await importKey(folder, use, { path, pem, passphrase }, now)
      return showNew(
        folder,
        'The imported key is the next key. It is published now, and used after the next rotation. It replaces any earlier next key.',
      )
    }
    default:
      return show(folder)
  }

  /** Shows the keys after a command that has written key files. */
  async function showNew(folder: KeyFolder, advice: string): Promise<number> {
    await show(folder, advice)
    const warning = passphraseWarning(folder.passphrase)
    if (warning !== undefined) terminal.note(warning)
    return 0
  }

  async function show(folder: KeyFolder, advice?: string): Promise<number> {
    const keys = await describeKeys(folder)
    if (values.json === true) terminal.print(JSON.stringify(keys))
    else
      keyTable(keys).forEach((line) => {
        terminal.print(line)
      })
    if (advice !== undefined) terminal.note(advice)
    return 0
  }

  async function newPassphrase(): Promise<string> {
    const variable = 'NEW_PRIVATE_KEY_PASSPHRASE'
    const fresh = passphrases.fresh ?? (await terminal.askSecret('New passphrase', variable))
    if (fresh === '') throw new StartupError(['The new passphrase is empty. Nothing was changed.'])
    if (passphrases.fresh === undefined) {
      const again = await terminal.askSecret('Once more', variable)
      if (again !== fresh)
        throw new StartupError(['The two passphrases differ. Nothing was changed.'])
    }
    return fresh
  }
}

/** The folder that a command works on, with its passphrase. Asks for the passphrase if needed. */
async function openFolder(
  command: string,
  config: KeysConfig,
  terminal: Terminal,
): Promise<KeyFolder> {
  const folder = { ...keyFolderOf(config), scryptCost: config.scryptCost }
  if (command === 'generate' && isPlaceholder(folder.passphrase ?? '')) {
    throw new StartupError([
      'PRIVATE_KEY_PASSPHRASE still has the placeholder from .env.example, which everybody knows. Set your own value.',
    ])
  }
  if (command !== 'generate' && !(await hasKeys(folder.path))) {
    throw new StartupError([
      `There are no keys in ${folder.path}. Make them with \`npm run keys -- generate\`.`,
    ])
  }
  const makesRsa = (['sig', 'enc'] as const).some(
    (use) => requiredKeyType(use, config.algorithms).kty === 'RSA',
  )
  if (makesRsa && ['generate', 'rotate'].includes(command)) {
    terminal.note('Making RSA keys. This takes a moment …')
  }
  // If the environment has no passphrase, the person at the terminal is asked for it.
  const mustAsk = folder.passphrase === undefined && (await isProtected(folder.path))
  return mustAsk
    ? { ...folder, passphrase: await terminal.askSecret('Passphrase', 'PRIVATE_KEY_PASSPHRASE') }
    : folder
}
