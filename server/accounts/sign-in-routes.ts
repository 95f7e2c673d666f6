import { z } from 'zod'
import { presentAccount } from './accounts.ts'
import { audit, auditEnded } from '../log/audit.ts'
import type { AppContext, Handler, SessionState } from '../http/context.ts'
import { challenge, HttpError, tokenRefused } from '../http/http-error.ts'
import { addressKey } from '../limits/client-address.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'
import { parseBody } from '../http/body.ts'
import type { Core } from '../core.ts'
import { endOwnSession } from '../sessions/own-sessions.ts'
import { emailLookup, opaque, password } from '../http/fields.ts'
import { knownClient, unknownClient } from '../clients/known-client.ts'

// Any text is looked up as an address: a malformed one is an unknown one.
const loginSchema = z.object({ email: emailLookup, password, client_id: opaque })

export function signInRoutes(core: Core) {
  const { accounts, clients, database, rateLimits, sessions, signIn } = core

  /**
   * A login as its body describes it. One that `signIn` never sees, because the body or the client is
   * wrong, counts for its address here.
   */
  async function readLogin(ctx: AppContext, address: string) {
    try {
      const { client_id, ...credentials } = parseBody(ctx, loginSchema)
      return { ...credentials, address, client: await knownClient(clients, client_id) }
    } catch (error) {
      if (error instanceof HttpError) await rateLimits.consume('login', 'address', address)
      throw error
    }
  }

  /** Signs in. An unknown address and a wrong password are one case, in words and in time. */
  const login: Handler = async (ctx) => {
    const source = addressKey(ctx.ip)
    const attempt = await readLogin(ctx, source)
    const { email, client } = attempt
    const client_id = client.id
    let account
    try {
      account = await signIn.check(attempt)
    } catch (error) {
      if (error instanceof TooManyTries && error.limit === 'wrong_passwords') {
        audit(ctx.state.log, 'login_locked', { client_id, source })
      }
      throw error
    }
    // A password that was changed while it was being checked is a wrong one.
    const started = account && (await sessions.start(account, client))
    if (started?.outcome === 'client_removed') throw unknownClient()
    if (account === undefined || started?.outcome !== 'started') {
      const known = account ?? (await accounts.findByEmail(email))
      audit(ctx.state.log, 'login_failed', { account_id: known?.id, client_id, source })
      throw new HttpError('invalid_grant', 'The e-mail address or the password is wrong.', {
        status: 401,
        headers: { 'WWW-Authenticate': challenge() },
      })
    }
    const { signedIn, ended } = started
    audit(ctx.state.log, 'login', {
      account_id: account.id,
      session_id: signedIn.session_id,
      client_id,
    })
    auditEnded(ctx.state.log, account.id, ended)
    ctx.body = { account: presentAccount(account), ...signedIn }
  }

  /** Ends the session that the request came with. */
  const logout: Handler<SessionState> = async (ctx) => {
    const { id, account, clientId, generation } = ctx.state.session
    if (!(await endOwnSession(database, account.id, id, generation))) throw tokenRefused()
    audit(ctx.state.log, 'logout', {
      account_id: account.id,
      session_id: id,
      client_id: clientId,
    })
    ctx.status = 204
  }

  return { login, logout }
}
