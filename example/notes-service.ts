/**
 * Another service: notes, for people who are signed in at the auth server. Start the auth server
 * (`npm start`), then run `npm run example`, which is serve-notes.ts. A client that lists this service
 * in its `services` calls it with `client.fetch('http://localhost:4000/notes')`.
 */
import Router from '@koa/router'
import Koa from 'koa'
import { z } from 'zod'
// In a project of your own: from '@jwe-auth-server/service'.
import {
  createServiceAuth,
  crossOrigin,
  errors,
  noRoute,
  parseBody,
  readBody,
  requestId,
  requestTarget,
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
