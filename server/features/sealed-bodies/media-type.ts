import { JOSE } from '../../../protocol/sealed-bodies.ts'
import type { AppContext } from '../../http/context.ts'

/** Whether a request has a sealed body. */
export const isSealed = ({ request, state }: AppContext): boolean =>
  state.bodyBytes.length > 0 && request.type.trim().toLowerCase() === JOSE

/** Whether a sealed answer is asked for (RFC 9110 §12.5.1). JSON is the default. */
export const isSealedAnswerWanted = (ctx: AppContext): boolean =>
  ctx.accepts('application/json', JOSE) === JOSE
