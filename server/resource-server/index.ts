/**
 * For another Koa service that accepts this server's access tokens: see `createServiceAuth`, and
 * example/notes-service.ts for a complete service.
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
export { accessLog, requestId } from '../http/request-log.ts'
export { parseBody, readBody } from '../http/body.ts'
export { crossOrigin, securityHeaders } from '../http/response-headers.ts'
export { errors } from '../http/error-handler.ts'
export { noRoute } from '../http/no-route.ts'
export { requestTarget } from '../http/request-target.ts'
export { unsentAnswers } from '../http/unsent-answers.ts'
export { StartupError } from '../errors/startup-error.ts'
export type { AccessTokenClaims } from '../../protocol/tokens.ts'
export { createReplayCache, type ReplayCache } from '../limits/replay-cache.ts'
