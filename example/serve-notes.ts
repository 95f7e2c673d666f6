/**
 * `npm run example`: serves the notes. With the keys of a service client in SIGNING_KEY and
 * ENCRYPTION_KEY, two paths of PEM files, it refuses a session that has ended elsewhere within seconds.
 */
import { readFileSync } from 'node:fs'
import {
  createHttpServer,
  createLogger,
  StartupError,
  type ServiceAuthOptions,
} from '../server/resource-server/index.ts'
import { createNotesService } from './notes-service.ts'

try {
  await main()
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  process.stderr.write(`The service cannot start: ${error.problems.join(' ')}\n`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { PORT = '4000', ISSUER = 'http://localhost:3000' } = process.env
  // Every token is bound to this URL. Behind a proxy, it is the public one.
  const { SERVICE_URL: url = `http://localhost:${PORT}` } = process.env
  // By default only the auth server's own page, the playground.
  const origins = process.env['CORS_ORIGINS']?.split(',') ?? pageOf(ISSUER)
  const logger = createLogger('info')
  const options = { issuer: ISSUER, url, logger, ...readKeys() }
  const app = await createNotesService(options, origins)
  const callback = app.callback()
  const server = createHttpServer((request, response) => void callback(request, response))
  await server.listen(Number(PORT), '127.0.0.1').catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      `The service cannot listen on PORT ${PORT} (${code}). Choose another port.`,
    ])
  })
  logger.info(`Ready at ${url}, for the tokens of ${ISSUER}.`)
  let stopping: Promise<void> | undefined
  // On Ctrl-C, the signal comes twice: from the terminal and from npm. Stop only once.
  const stop = () => {
    logger.info('stopping: requests in flight may finish')
    stopping ??= server.stop(10_000).then(() => process.exit(0))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

/** The keys of this service, if it has been registered with `npm run clients`. */
function readKeys(): Pick<ServiceAuthOptions, 'encryptionKey' | 'introspection'> {
  const { SIGNING_KEY, ENCRYPTION_KEY } = process.env
  if (SIGNING_KEY === undefined || ENCRYPTION_KEY === undefined) return {}
  return {
    encryptionKey: readPem(ENCRYPTION_KEY),
    introspection: { signingKey: readPem(SIGNING_KEY) },
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new StartupError([`${path} cannot be read. Check the path and its permissions.`])
  }
}

/** The origin of the playground. A bad URL is refused later, with a sentence. */
function pageOf(issuer: string): string[] {
  return URL.canParse(issuer) ? [new URL(issuer).origin] : []
}
