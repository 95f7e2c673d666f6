import { JOSE } from '../../../protocol/sealed-bodies.ts'
import type { Client } from '../../clients/clients.ts'
import type { Core } from '../../composition.ts'
import type { Next } from 'koa'
import type { AppContext, AppMiddleware } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { errors } from '../../http/error-handler.ts'
import { HttpError } from '../../http/http-error.ts'
import type { ReplayCache } from '../../limits/replay-cache.ts'
import { createAcceptOnce } from './accept-once.ts'
import { isSealed, isSealedAnswerWanted } from './media-type.ts'
import { createOpenBody } from './open-body.ts'
import { createSealAnswer } from './seal-answer.ts'

/** With `required`, only sealed answers have this member. */
const DATABASE_KEY = 'database_key'
/** The route that answers in JOSE whatever is asked for. */
const ALWAYS_SEALED = '/clients/:client_id/configuration'

/**
 * Opens sealed bodies, and seals the answers for which a client asks, errors included.
 *
 * @param policy Whether secrets may travel unsealed.
 * @param replayCache Remembers sealed bodies.
 */
export function createSealing(
  core: Core,
  policy: 'optional' | 'required',
  replayCache: ReplayCache,
): AppMiddleware {
  const { clients } = core
  const openBody = createOpenBody(core)
  const acceptOnce = createAcceptOnce(core, replayCache)
  const sealAnswer = createSealAnswer(core)
  const writeErrors = errors()

  /** Puts the JSON in the place of the sealed body. Returns the body's `jti`. */
  async function open(ctx: AppContext): Promise<string> {
    const body = await openBody(ctx)
    ctx.request.body = body.json
    ctx.state.bodyRules = { accept: () => acceptOnce(ctx, body) }
    return body.binding.jti
  }

  async function sealing(ctx: AppContext, next: Next): Promise<void> {
    const isBodySealed = isSealed(ctx)
    const isWanted = isSealedAnswerWanted(ctx)
    if (!isBodySealed && !isWanted && policy === 'optional') {
      await next()
      return
    }
    if (!isBodySealed && policy === 'required') {
      ctx.state.bodyRules = { acceptSecret: refuseUnsealed }
    }

    const { token } = ctx.state
    let req = jtiOf(token?.header['req'])
    let client: Client | undefined
    // Before the handler: if this fails, nothing has been done.
    async function prepare(): Promise<void> {
      if (isWanted && token !== undefined) client = await clients.find(token.claims.client_id)
      if (isBodySealed) req = await open(ctx)
      if (isWanted && req === undefined && ctx.state.route !== ALWAYS_SEALED) throw notTied()
      const clientId = clientIdIn(ctx.request.body)
      if (isWanted && token === undefined && clientId !== undefined) {
        client = await clients.find(clientId)
      }
    }
    // Errors are written here, so that they are sealed too.
    await writeErrors(ctx, async () => {
      await prepare()
      await next()
    })
    if (!isJson(ctx)) return
    if (isWanted && client !== undefined && req !== undefined) sealAnswer(ctx, client, req)
    else if (policy === 'required') removeDatabaseKey(ctx)
  }
  return documented(sealing, {
    jsonType: JOSE,
    ...(policy === 'required' ? { withheld: DATABASE_KEY } : {}),
  })
}

function removeDatabaseKey(ctx: AppContext): void {
  const body = ctx.body as object
  // JSON leaves out what is undefined.
  if (Object.hasOwn(body, DATABASE_KEY)) ctx.body = { ...body, [DATABASE_KEY]: undefined }
}

/** Whether the answer has a JSON body. */
const isJson = ({ body, response }: AppContext): boolean =>
  typeof body === 'object' && response.is('json') === 'json'

/** The `jti` of an object, such as a binding that has been checked. */
const jtiOf = (req: unknown): string | undefined => (req as { jti?: string } | undefined)?.jti

function clientIdIn(body: unknown): string | undefined {
  const { client_id: id } = (body ?? {}) as { client_id?: unknown }
  return typeof id === 'string' ? id : undefined
}

function refuseUnsealed(): never {
  throw new HttpError('sealed_body_required', 'The body must be sealed: it contains a secret.')
}

/** Without a `jti`, a sealed answer could be an old one. */
const notTied = (): HttpError =>
  new HttpError('invalid_request', 'A sealed answer needs a sealed body or a bound token.')
