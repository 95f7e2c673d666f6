/**
 * Another service: notes, for people who are signed in at the auth server. Start the auth server
 * (`npm start`), then run `npm run example`. A client that lists this service in its `services`
 * calls it with `client.fetch('http://localhost:4000/notes')`.
 *
 * With the keys of a service client in SIGNING_KEY and ENCRYPTION_KEY, two paths of PEM files, it refuses
 * a session that has ended elsewhere within seconds.
 */
import { readFileSync, realpathSync } from 'node:fs'
import Router from '@koa/router'
import Koa from 'koa'
import { z } from 'zod'
// In a project of your own: from '@jwe-auth-server/service'.
import {
  createHttpServer,
  createLogger,
  createServiceAuth,
  crossOrigin,
  errors,
  noRoute,
  parseBody,
  readBody,
  requestId,
  requestTarget,
  StartupError,
  unsentAnswers,
  type ClaimsState,
  type RequestState,
  type ServiceAuthOptions,
} from '../server/resource-server/index.ts'

/** At most 10,000 characters. */
const noteSchema = z.object({ text: z.string().min(1).max(10_000) })

/** Builds the app; it never listens and never reads the environment. */
export async function createNotesService(
  options: ServiceAuthOptions,
  corsOrigins: readonly string[] = [],
): Promise<Koa<RequestState>> {
  const auth = await createServiceAuth(options)
  // Logs it at once if the auth server is unavailable. Until it is back, answers are 503.
  await auth.ready()
  // Notes by person. Yours to replace: use a database.
  const notes = new Map<string, string[]>()

  const router = new Router<ClaimsState>({ sensitive: true, strict: true })
  router.get('/notes', (ctx) => {
    // The claims are verified: signed by the auth server, not expired, and bound to this request.
    ctx.body = { notes: notes.get(ctx.state.claims.sub) ?? [] }
  })
  router.post('/notes', (ctx) => {
    const { text } = parseBody(ctx, noteSchema)
    const { sub } = ctx.state.claims
    notes.set(sub, [...(notes.get(sub) ?? []), text])
    ctx.status = 201
    ctx.body = { text }
  })

  const app = new Koa<RequestState>()
  app.use(requestId(options.logger))
  // The origins of pages that may call this service, like the auth server's CORS_ORIGINS.
  app.use(crossOrigin(corsOrigins))
  app.use(errors())
  app.use(requestTarget())
  // The key that clients encrypt tokens to. This is the only route without a token.
  app.use(auth.jwks())
  // Before bearer(), because the token may be bound to these bytes.
  app.use(readBody())
  app.use(auth.bearer())
  app.use(async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store')
    await next()
  })
  app.use(router.routes())
  app.use(noRoute())
  app.on('error', unsentAnswers(options.logger))
  return app
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

async function main(): Promise<void> {
  const { PORT = '4000', ISSUER = 'http://localhost:3000' } = process.env
  // Every token is bound to this URL. Behind a proxy, it is the public one.
  const { SERVICE_URL: url = `http://localhost:${PORT}` } = process.env
  const origins = process.env['CORS_ORIGINS']?.split(',') ?? []
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

// Runs only if this file is the program, not if it is imported.
const [, program] = process.argv
if (program !== undefined && realpathSync(program) === import.meta.filename) {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    process.stderr.write(`The service cannot start: ${error.problems.join(' ')}\n`)
    process.exitCode = 1
  }
}
