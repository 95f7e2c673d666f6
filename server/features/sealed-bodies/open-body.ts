import { hash } from 'node:crypto'
import { z } from 'zod'
import type { Binding } from '../../../protocol/binding.ts'
import { MAX_BODY } from '../../../protocol/limits.ts'
import type { Core } from '../../composition.ts'
import { invalid, TokenError } from '../../errors/token-error.ts'
import type { AppContext } from '../../http/context.ts'
import { tokenRefused } from '../../http/bearer-challenge.ts'
import { HttpError } from '../../http/http-error.ts'
import { hasRepeatedMembers } from '../../http/repeated-members.ts'
import { checkBinding } from '../../token/request-binding.ts'
import { parseObject } from '../../token/compact.ts'
import { decrypt } from '../../token/decrypt.ts'

/** What a sealed body needs besides what every binding and every JWE need. */
const headerSchema = z.object({
  kid: z.string(),
  req: z.object({ ath: z.string().optional(), mac: z.undefined().optional() }),
})

/** Every refusal gets the same answer, so that somebody who captured a body learns nothing about it. */
export const bodyRefused = (): HttpError =>
  new HttpError('invalid_request', 'The sealed body is not valid for this request.')

export interface SealedBody {
  readonly json: Record<string, unknown>
  readonly binding: Binding
  /** The SHA-256 of the access token that it belongs to; `undefined` without one. */
  readonly ath: string | undefined
}

/**
 * Creates a function that opens the sealed body of a request: a JWE to the server, bound to the
 * request and, if there is one, to its access token. It does not check that the body is sent once.
 */
export function createOpenBody(core: Core) {
  const { bindingsNotBefore: notBefore, clock, config, keystore, refusedTokens } = core
  const encs = [config.algorithms.encryptionEnc]
  const options = { cty: 'json', maxLength: MAX_BODY }

  async function open({ method, path, state }: AppContext): Promise<SealedBody> {
    const jwe = state.bodyBytes.toString('latin1')
    const { plaintext, header } = await decrypt(
      jwe,
      (kid) => keystore.decryptionKey(kid),
      encs,
      options,
    )
    const known = headerSchema.safeParse(header).data
    if (known === undefined) throw invalid('req')
    const url = config.publicUrl + path
    // Without a body, because a body cannot contain its own digest.
    const request = { method, url, body: undefined, now: clock(), notBefore }
    const binding = checkBinding(header['req'], request)
    // Otherwise, somebody could send it with a token of their own.
    const { ath } = known.req
    const ownToken = state.token && hash('sha256', state.token.jws, 'base64url')
    if (ath !== ownToken) throw invalid('req')
    const json = parseObject(Buffer.from(plaintext))
    if (json === undefined || hasRepeatedMembers(plaintext, json)) throw invalid('plaintext')
    // RFC 6750 §2: the token would be in two places.
    if (state.token !== undefined && Object.hasOwn(json, 'access_token')) throw invalid('plaintext')
    return { json, binding, ath }
  }

  /**
   * @throws HttpError 400; 415 for a GET; 401 if the access token is not bound, because another body could be sent
   *   with it. UnavailableError if the keys cannot be read.
   */
  return async function openBody(ctx: AppContext): Promise<SealedBody> {
    const { log, token } = ctx.state
    if (['GET', 'HEAD'].includes(ctx.method)) {
      // Most GET routes have no rate limit, so strangers could fill the replay memory through them.
      throw new HttpError('unsupported_media_type', 'This request does not take a sealed body.')
    }
    if (token !== undefined && !Object.hasOwn(token.header, 'req')) {
      refusedTokens.count('req_missing')
      throw tokenRefused()
    }
    try {
      return await open(ctx)
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      log.debug({ reason: error.reason }, 'sealed body refused')
      throw bodyRefused()
    }
  }
}
