import type { ParameterizedContext, Next } from 'koa'
import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import type { Logger } from '../log/logger.ts'
import type { LoggedOutcomes } from '../log/observers.ts'
import type { ValidToken } from '../token/validate.ts'

/** What the middleware puts on `ctx.state` for the handlers. */
export interface RequestState {
  readonly requestId: string
  /** Adds the request id to every line. */
  readonly log: Logger
  /** The bytes of the request's body, set by `readBody`. Empty if there is none. */
  bodyBytes: Buffer
  /** The access token, once it has been accepted. */
  token?: ValidToken<AccessTokenClaims>
  /** Set by a feature that is told about a body before its handler acts on it: see route-table.ts. */
  bodyRules?: {
    /** Called after the limits, before the first effect. Throws if the body was used before. */
    readonly accept?: () => Promise<void>
    /** Called if the body holds a password or somebody's token. Throws if it must be sealed. */
    readonly acceptSecret?: () => void
  }
  /**
   * The pattern of the matched route, set by route-table.ts for the log. Unlike a path, it contains no user
   * input.
   */
  route?: string
  /** Members that a handler adds to the request's log line. */
  logged?: LoggedOutcomes
}

/** The state of a request whose access token has been accepted. */
export interface ScopedState extends RequestState {
  /** What the access token allows (RFC 6749 §3.3). */
  scope: string
}

export type AppContext<State = RequestState> = ParameterizedContext<
  State,
  { params: Record<string, string> }
>
export type AppMiddleware = (ctx: AppContext, next: Next) => Promise<void> | void

/** Answers one endpoint. */
export type Handler<State = RequestState> = (ctx: AppContext<State>) => Promise<void> | void
