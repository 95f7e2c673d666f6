import { AuthError } from './errors.ts'

/** @param reason What is wrong, in the same words as the server's log. It quotes nothing from the token. */
export const invalid = (reason: string, cause?: unknown): AuthError =>
  new AuthError('token_invalid', `The token is not valid: ${reason}.`, { cause })

/**
 * Whether Web Crypto refuses what it was given: a malformed key, or a ciphertext that does not decrypt.
 * Any other error says nothing about a token, and must not end a session.
 */
export const isRefusal = (error: unknown): boolean =>
  ['DataError', 'OperationError'].includes((error as Error).name)

/** For the `catch` of a call to Web Crypto: turns its refusal into `token_invalid`. */
export const invalidIfRefused =
  (reason: string) =>
  (cause: unknown): never => {
    throw isRefusal(cause) ? invalid(reason, cause) : cause
  }
