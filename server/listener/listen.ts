import { StartupError } from '../errors/startup-error.ts'
import type { HttpServer } from './http-server.ts'

/**
 * Makes a server listen.
 *
 * @param variables Where the host and the port come from, for the operator.
 * @returns Its URL.
 * @throws StartupError if the port is taken or cannot be opened.
 */
export async function listen(
  server: HttpServer,
  { host, port }: { readonly host: string; readonly port: number },
  variables = { host: 'HOST', port: 'PORT' },
): Promise<string> {
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
