/** Records what concurrent clients did, and finds answers that contradict earlier answers. */

export type Kind =
  'login' | 'use' | 'refresh' | 'logout' | 'endOne' | 'endOthers' | 'revoke' | 'password'

/** One request, as its client saw it. */
export interface Operation {
  readonly kind: Kind
  readonly account: string
  /** The session of the request; for a login, the new session. */
  readonly session: string | undefined
  /** The generation of the request's token; for a `revoke`, of the revoked token. 0 by default. */
  readonly generation?: number
  /** The session to end, for `endOne` and `revoke`. */
  readonly target?: string
  /** The password of a login, or the password that a change replaced. */
  readonly password?: string
  /** For a `refresh`: the refresh token that it used up, and its successor. */
  readonly token?: string
  readonly gives?: string | undefined
  /** Milliseconds on one clock, before the request was sent and after its answer was read. */
  readonly start: number
  readonly end: number
  readonly status: number
  readonly error?: string | undefined
}

export const isAccepted = ({ status }: Operation): boolean => status >= 200 && status < 300

/** Whether an operation may have taken effect or not: its answer was lost, or the database was away. */
const isUncertain = ({ status }: Operation): boolean => status === 502 || status === 503

/**
 * Describes every violation in a history, one sentence each.
 *
 * @param isCalm Whether nothing was killed, frozen or cut, so that every request has an answer.
 */
export function violations(history: readonly Operation[], isCalm = true): string[] {
  const mayHappen = (operation: Operation) =>
    isAccepted(operation) || (!isCalm && isUncertain(operation))
  const found = history
    .filter((operation) => operation.status >= 500 && (isCalm || !isUncertain(operation)))
    .map((operation) => `${describe(operation)}: a fault of the server`)
  for (const ending of history.filter(isAccepted)) {
    for (const later of history) {
      if (isAccepted(later) && later.start > ending.end && excludes(ending, later, history)) {
        found.push(`${describe(later)} was accepted after ${describe(ending)}`)
      }
    }
  }
  for (const one of history) {
    for (const other of history) {
      if (one.gives === undefined || other.gives === undefined || one.token !== other.token)
        continue
      if (one.gives < other.gives) {
        found.push(`${describe(one)} and ${describe(other)} gave two successors of one token`)
      }
    }
  }
  for (const refused of history) {
    if (refused.session === undefined || refused.kind === 'login' || isAccepted(refused)) continue
    // Refusals such as another account's session or an outdated password do not mean a sign-out.
    if (refused.status !== 401 && refused.error !== 'invalid_grant') continue
    if (refused.kind === 'password' && refused.status !== 401) continue
    const hasCause = history.some(
      (cause) =>
        mayHappen(cause) &&
        cause.start < refused.end &&
        (mayEnd(cause, refused, history) || mayOvertake(cause, refused, history)),
    )
    if (!hasCause) found.push(`${describe(refused)} was refused without a cause`)
  }
  return found
}

/** Whether an acknowledged `ending` means that `later`, which began after it, must be refused. */
function excludes(ending: Operation, later: Operation, history: readonly Operation[]): boolean {
  if (later.kind === 'login') {
    // Each change sets a password that was never used before.
    const isChange = ending.kind === 'password' && ending.account === later.account
    return isChange && ending.password === later.password
  }
  if (mayOvertake(ending, later, history)) return true
  if (!mayEnd(ending, later, history)) return false
  const signedIn = signInOf(later, history)
  // A concurrent sign-in may have followed the ending, unless it used the old password.
  const isByOldPassword = ending.kind === 'password' && ending.password === signedIn?.password
  return signedIn !== undefined && (signedIn.end < ending.start || isByOldPassword)
}

/** Whether `ending`, if it takes effect, kills the token of an operation. */
function mayEnd(
  ending: Operation,
  { session, generation = 0 }: Operation,
  history: readonly Operation[],
): boolean {
  if (session === undefined) return false
  const isOfTheAccount = () =>
    history.some(
      (login) =>
        login.kind === 'login' && login.session === session && login.account === ending.account,
    )
  switch (ending.kind) {
    case 'logout':
      return ending.session === session
    case 'endOne':
      return ending.target === session
    case 'revoke':
      // A token of an earlier generation revokes nothing.
      return ending.target === session && generation <= (ending.generation ?? 0)
    case 'endOthers':
      return ending.session !== session && isOfTheAccount()
    case 'password':
      return ending.session === session ? generation <= (ending.generation ?? 0) : isOfTheAccount()
    case 'login':
    case 'use':
    case 'refresh':
      return false
  }
}

/** Whether `use` uses up the successor of the refresh token in `renewal`. */
function mayOvertake(use: Operation, renewal: Operation, history: readonly Operation[]): boolean {
  if (use.token === undefined || renewal.token === undefined) return false
  return history.some(({ token, gives }) => token === renewal.token && gives === use.token)
}

const signInOf = ({ session }: Operation, history: readonly Operation[]) =>
  history.find((login) => login.kind === 'login' && login.session === session)

const describe = ({ kind, session, target, status, start, end }: Operation): string =>
  `${kind} by ${session ?? 'nobody'}${target === undefined ? '' : ` of ${target}`} (${status}, ${start.toFixed(1)} to ${end.toFixed(1)})`
