/** What many clients did at once, and whether any answer contradicts one that came before it began. */

export type Kind =
  'login' | 'use' | 'refresh' | 'logout' | 'endOne' | 'endOthers' | 'revoke' | 'password'

/** One request, as the client that sent it saw it. */
export interface Operation {
  readonly kind: Kind
  readonly account: string
  /** The session that it came with; for a login the one that it gave. */
  readonly session: string | undefined
  /** The session that it is to end: `endOne` and `revoke`. */
  readonly target?: string
  /** The password that a login was tried with, or that a change replaced. */
  readonly password?: string
  /** Milliseconds, of one clock: before the request was sent, after its answer was read. */
  readonly start: number
  readonly end: number
  readonly status: number
  readonly error?: string | undefined
}

export const isAccepted = ({ status }: Operation): boolean => status >= 200 && status < 300

/** Everything in a history that must not be, a sentence each; none for a good one. */
export function violations(history: readonly Operation[]): string[] {
  const found = history
    .filter(({ status }) => status >= 500)
    .map((operation) => `${describe(operation)}: a fault of the server`)
  for (const ending of history.filter(isAccepted)) {
    for (const later of history) {
      if (isAccepted(later) && later.start > ending.end && excludes(ending, later, history)) {
        found.push(`${describe(later)} was accepted after ${describe(ending)}`)
      }
    }
  }
  for (const refused of history) {
    if (refused.session === undefined || refused.kind === 'login' || isAccepted(refused)) continue
    // Somebody else's session, a password that was changed in between: refused, and signed in still.
    if (refused.status !== 401 && refused.error !== 'invalid_grant') continue
    if (refused.kind === 'password' && refused.status !== 401) continue
    const { session } = refused
    const hasCause = history.some(
      (cause) => cause !== refused && cause.start < refused.end && mayEnd(cause, session, history),
    )
    if (!hasCause) found.push(`${describe(refused)} was refused without a cause`)
  }
  return found
}

/** Whether an acknowledged `ending` forbids that `later`, which began after it, is accepted. */
function excludes(ending: Operation, later: Operation, history: readonly Operation[]): boolean {
  if (later.kind === 'login') {
    // No password comes back: each change sets one that nobody had.
    const isChange = ending.kind === 'password' && ending.account === later.account
    return isChange && ending.password === later.password
  }
  if (later.session === undefined) return false
  const signedIn = history.find(
    ({ kind, session }) => kind === 'login' && session === later.session,
  )
  if (signedIn === undefined || !mayEnd(ending, later.session, history)) return false
  // A sign-in that was under way may have come after the ending, unless it was by the old password.
  const isByOldPassword = ending.kind === 'password' && ending.password === signedIn.password
  return signedIn.end < ending.start || isByOldPassword
}

/** Whether `ending`, if it takes effect, ends a session that is there. */
function mayEnd(ending: Operation, session: string, history: readonly Operation[]): boolean {
  switch (ending.kind) {
    case 'logout':
      return ending.session === session
    case 'endOne':
    case 'revoke':
      return ending.target === session
    case 'endOthers':
    case 'password':
      return (
        ending.session !== session &&
        history.some(
          (login) =>
            login.kind === 'login' && login.session === session && login.account === ending.account,
        )
      )
    case 'login':
    case 'use':
    case 'refresh':
      return false
  }
}

const describe = ({ kind, session, target, status, start, end }: Operation): string =>
  `${kind} by ${session ?? 'nobody'}${target === undefined ? '' : ` of ${target}`} (${status}, ${start.toFixed(1)} to ${end.toFixed(1)})`
