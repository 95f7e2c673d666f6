import type { AppContext, Handler, RequestState } from './context.ts'
import { descriptionOf, documented } from './documented.ts'

/**
 * Lets a feature refuse a body that was used before. Called after the limits, so that nobody can use
 * bodies up faster than they allow, and before the first effect.
 *
 * @throws HttpError, UnavailableError, TooManyTries.
 */
export async function acceptBody({ state }: AppContext): Promise<void> {
  await state.bodyRules?.accept?.()
}

/**
 * Marks a handler whose body holds a password or somebody's token: a feature can insist that such a
 * body is sealed.
 *
 * @example
 * open('POST', '/account', limit('signUp'), secretBody(signIn.signUp))
 */
export function secretBody<State extends RequestState>(handler: Handler<State>): Handler<State> {
  async function secretBody(ctx: AppContext<State>): Promise<void> {
    ctx.state.bodyRules?.acceptSecret?.()
    await handler(ctx)
  }
  return documented(secretBody, { ...descriptionOf(handler), hasSecret: true })
}
