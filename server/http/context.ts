import type { ParameterizedContext, Next } from 'koa'
import type { Logger } from '../log/logger.ts'

/** What the middleware puts on `ctx.state` for the handlers. */
export interface RequestState {
  readonly requestId: string
  /** Adds the request id to every line. */
  readonly log: Logger
  /** The bytes of the request's body. Empty if there is none. */
  bodyBytes: Buffer
  /** The pattern of the matched route, for the log. Unlike a path, it contains no user input. */
  route?: string
  /** Members that a handler adds to the request's log line. */
  logged?: Record<string, unknown>
}

/** The state of a request that has passed the bearer middleware. */
export interface ScopedState extends RequestState {
  /** What the access token allows (RFC 6749 §3.3). */
  scope: string
}

interface RouteParameters {
  params: Record<string, string>
}

export type AppContext<State = RequestState> = ParameterizedContext<State, RouteParameters>
export type AppMiddleware = (ctx: AppContext, next: Next) => Promise<void> | void

/** Answers one endpoint. */
export type Handler<State = RequestState> = (ctx: AppContext<State>) => Promise<void> | void
