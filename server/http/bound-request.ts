import { audit } from '../log/audit.ts'
import type { IncomingRequest } from '../token/request-binding.ts'
import type { AppContext } from './context.ts'

/** What a token can be bound to of a request. A replay is audited. */
export const requestOf = ({ method, path, state }: AppContext): IncomingRequest => ({
  method,
  path,
  body: state.bodyBytes,
  onReplay({ sub, sid, client_id }) {
    audit(state.log, 'request_replayed', { account_id: sub, session_id: sid, client_id })
  },
})
