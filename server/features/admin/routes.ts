import { z } from 'zod'
import { accountSchema, presentAccount } from '../../accounts/account-fields.ts'
import type { Database } from '../../database/open.ts'
import type { Account } from '../../database/schema.ts'
import { auditEnded } from '../../log/audit.ts'
import type { SessionState } from '../../sessions/authenticate.ts'
import type { AppContext, Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { HttpError } from '../../http/http-error.ts'
import type { Core } from '../../composition.ts'
import { endSessionsOf } from '../../sessions/end-sessions.ts'
import { parseObject } from '../../token/compact.ts'

const MAX_PAGE = 100
const querySchema = z.object({
  limit: z.coerce
    .number(`must be a number from 1 to ${MAX_PAGE}`)
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MAX_PAGE, `must be at most ${MAX_PAGE}`)
    .default(50),
  // Our cursors are under 100 characters.
  cursor: z.string('must be given only once').max(256, 'is not valid').optional(),
})
const listAnswer = z.object({
  accounts: z.array(accountSchema),
  next_cursor: z.string().nullable(),
})
const cursorSchema = z.object({ createdAt: z.int(), id: z.string() })

/** An example of routes for which signing in is not enough. Yours to replace. */
export function adminRoutes({ accounts, database }: Core) {
  /** Lists all accounts, oldest first, in pages. `next_cursor` leads to the next page; null on the last. */
  const list: Handler<SessionState> = async (ctx) => {
    const { limit, cursor } = parseQuery(ctx)
    const rows = await page(database, limit + 1, cursor === undefined ? undefined : decode(cursor))
    const shown = rows.slice(0, limit)
    const last = shown.at(-1)
    ctx.body = {
      accounts: shown.map(presentAccount),
      next_cursor: rows.length > limit && last !== undefined ? encode(last) : null,
    }
  }

  /** Signs an account out everywhere. */
  const endSessions: Handler<SessionState> = async (ctx) => {
    const id = ctx.params['id'] ?? ''
    if ((await accounts.find(id)) === undefined) {
      throw new HttpError('not_found', 'There is no such account.')
    }
    auditEnded(ctx.state.log, id, await endSessionsOf(database, id))
    ctx.status = 204
  }

  return {
    list: documented(list, {
      summary: 'Lists all accounts, oldest first, in pages.',
      query: querySchema,
      200: listAnswer,
    }),
    endSessions: documented(endSessions, {
      summary: 'Signs an account out everywhere.',
      204: null,
      404: ['not_found'],
    }),
  }
}

/** The account after which a page begins. */
type PageStart = z.infer<typeof cursorSchema>

/** One page of accounts, oldest first. */
function page(database: Database, limit: number, after: PageStart | undefined): Promise<Account[]> {
  return database
    .selectFrom('accounts')
    .selectAll()
    .$if(after !== undefined, (query) =>
      query.where((where) =>
        where.eb(
          where.refTuple('created_at', 'id'),
          '>',
          where.tuple(after?.createdAt ?? 0, after?.id ?? ''),
        ),
      ),
    )
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute()
}

function parseQuery(ctx: AppContext): z.infer<typeof querySchema> {
  const parsed = querySchema.safeParse(ctx.query)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new HttpError(
    'invalid_request',
    `${issue?.path.join('.') ?? 'The query'} ${issue?.message ?? 'is not valid'}.`,
  )
}

const encode = ({ created_at, id }: { created_at: number; id: string }): string =>
  Buffer.from(JSON.stringify({ createdAt: created_at, id })).toString('base64url')

function decode(cursor: string): PageStart {
  const parsed = cursorSchema.safeParse(parseObject(Buffer.from(cursor, 'base64url')))
  if (!parsed.success) throw new HttpError('invalid_request', 'cursor is not valid.')
  return parsed.data
}
