/**
 * For another service, on Koa, that takes this server's access tokens: see `createServiceAuth`, and
 * example/notes-service.ts for a whole one.
 *
 * @module
 */
export { createServiceAuth, type ServiceAuth } from './resource-server.ts'
export type { ClaimsState, ServiceAuthOptions } from './service-options.ts'
export { requireScope } from '../http/require-scope.ts'
export type { Fetch } from './published-keys.ts'
export type { AppContext, AppMiddleware, Handler, RequestState } from '../http/context.ts'
export { HttpError, type ErrorCode } from '../http/http-error.ts'
export { createHttpServer, type HttpServer } from '../http/http-server.ts'
export type { KeyPair } from '../keystore/key-pair.ts'
export { createLogger, type Logger } from '../log/logger.ts'
export { accessLog } from '../http/access-log.ts'
export { parseBody, readBody } from '../http/body.ts'
export { crossOrigin } from '../http/cross-origin.ts'
export { errors } from '../http/error-handler.ts'
export { noRoute } from '../http/no-route.ts'
export { requestId } from '../http/request-id.ts'
export { requestTarget } from '../http/request-target.ts'
export { securityHeaders } from '../http/security-headers.ts'
export { unsentAnswers } from '../http/unsent-answers.ts'
export { StartupError } from '../errors/startup-error.ts'
export type { AccessTokenClaims } from '../../protocol/tokens.ts'
export { createReplayCache, type ReplayCache } from '../limits/replay-cache.ts'
