import type { ParameterizedContext, Next } from 'koa'
import type { Logger } from '../log/logger.ts'

/** What the middleware leaves for the handlers. */
export interface RequestState {
  requestId: string
  /** Names the request id on every line. */
  log: Logger
  /** The bytes of the request's body; empty where there was none. */
  bodyBytes: Buffer
  /** The pattern of the route that matched, for the log: a path may hold anything, a pattern nothing. */
  route?: string
  /** What a handler adds to the request's log line. */
  logged?: Record<string, unknown>
}

/** The same behind the bearer middleware. */
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
