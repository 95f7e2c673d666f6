import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { AuthClient, type Fetch, type SealedBodies } from '../../client/index.ts'
import { fileStore } from '../../client/node.ts'
import { loadConfig, PROJECT_ROOT } from '../../server/config/config.ts'
import type { CallOptions } from './arguments.ts'
import { CallError } from './call-error.ts'
import { findPassphrase } from './passphrase.ts'

/**
 * Opens the client that the options name, with its key and session in a folder.
 *
 * @param signsIn Whether the client may be new. Otherwise it must have a key.
 * @param note Takes one line for the user.
 * @throws CallError if there is no key, or the passphrase cannot be read or written.
 * @throws StartupError for the default server, if the configuration has faults.
 */
export async function openClient(
  options: CallOptions,
  signsIn: boolean,
  note: (line: string) => void,
  fetch: Fetch | undefined,
): Promise<AuthClient> {
  const server = options.server ?? loadConfig().publicUrl
  const folder = resolve(PROJECT_ROOT, options.folder ?? join('data', 'call', nameOf(server)))
  const hasKey = existsSync(join(folder, 'client.key'))
  if (!hasKey && !signsIn) {
    throw new CallError(
      `Nobody is signed in at ${server}. Sign in first: npm run call -- sign-in <email>`,
    )
  }
  const passphrase = await findPassphrase(folder, hasKey, note)
  return new AuthClient({
    server,
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    services: options.service ?? [],
    store: fileStore({ folder, passphrase }),
    clientName: 'npm run call',
    sealedBodies: sealedBodiesOf(options),
    ...(fetch === undefined ? {} : { fetch }),
    onRefused: (error) => {
      note(`The session in ${folder} can no longer be used. ${(error as Error).message}`)
    },
  })
}

function sealedBodiesOf({ sealed, plain }: CallOptions): SealedBodies {
  if (sealed === true) return 'required'
  return plain === true ? 'never' : 'offered'
}

/** The name of a server's folder: a client has a key for each server. */
export function nameOf(server: string): string {
  const { host, pathname } = new URL(server)
  return (host + pathname).replace(/[^A-Za-z0-9.-]+/g, '_').replace(/_$/, '')
}
