/**
 * For another service, on Koa, that takes this server's access tokens: see `createServiceAuth`, and
 * example/notes-service.ts for a whole one.
 *
 * @module
 */
export { createServiceAuth, type ServiceAuth } from './service/service-auth.ts'
export type { ClaimsState, ServiceAuthOptions } from './service/options.ts'
export { requireScope } from './service/require-scope.ts'
export type { Fetch } from './service/published-keys.ts'
export type { AppContext, AppMiddleware, Handler, RequestState } from './context.ts'
export { HttpError, type ErrorCode } from './errors.ts'
export { createHttpServer, type HttpServer } from './http-server.ts'
export type { KeyPair } from './keystore/key-pair.ts'
export { createLogger, type Logger } from './logger.ts'
export { accessLog } from './middleware/access-log.ts'
export { parseBody, readBody } from './middleware/body.ts'
export { crossOrigin } from './middleware/cross-origin.ts'
export { errors } from './middleware/errors.ts'
export { noRoute } from './middleware/no-route.ts'
export { requestId } from './middleware/request-id.ts'
export { requestTarget } from './middleware/request-target.ts'
export { securityHeaders } from './middleware/security-headers.ts'
export { unsentAnswers } from './middleware/unsent-answers.ts'
export { StartupError } from './startup-error.ts'
export type { AccessTokenClaims } from './token/kinds.ts'
export { createReplayCache, type ReplayCache } from './token/replay-cache.ts'
