import { StartupError } from '../errors/startup-error.ts'
import type { HttpServer } from './http-server.ts'

/** Where a server listens. */
interface ListenOptions {
  readonly host: string
  readonly port: number
  /** The variables that these come from, for the operator. */
  readonly variables?: { readonly host: string; readonly port: string }
}

/**
 * Makes a server listen.
 *
 * @returns Its URL.
 * @throws StartupError if the port is taken or cannot be opened.
 */
export async function listen(server: HttpServer, options: ListenOptions): Promise<string> {
  const { host, port, variables = { host: 'HOST', port: 'PORT' } } = options
  try {
    const actualPort = await server.listen(port, host)
    return `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartupError([
      code === 'EADDRINUSE'
        ? `Port ${port} of ${host} is taken by another process. Stop that one, or choose another ${variables.port}.`
        : `The server cannot listen on ${variables.host} ${host}, ${variables.port} ${port} (${code ?? 'unknown'}). Choose an address of this machine and a port that it may open.`,
    ])
  }
}
