/**
 * For another Koa service that accepts this server's access tokens: see `createServiceAuth`, and
 * example/notes-service.ts for a complete service.
 *
 * @module
 */
export * from './verifier.ts'
export {
  createServiceAuth,
  type BearerOptions,
  type ClaimsState,
  type ServiceAuth,
} from './resource-server.ts'
export { requireScope } from '../http/require-scope.ts'
export type { AppContext, AppMiddleware, Handler, RequestState } from '../http/context.ts'
export { HttpError, type ErrorCode } from '../http/http-error.ts'
export { createHttpServer, type HttpServer } from '../listener/http-server.ts'
export { accessLog, requestId } from '../http/request-log.ts'
export { parseBody, readBody } from '../http/body.ts'
export { crossOrigin, securityHeaders } from '../http/response-headers.ts'
export { errors } from '../http/error-handler.ts'
export { unsentAnswers } from '../listener/unsent-answers.ts'
export { noRoute } from '../http/no-route.ts'
export { requestTarget } from '../http/request-head.ts'
