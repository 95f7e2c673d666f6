import { hasCode, type AuthClient, type AuthError, type Session } from '../../client/index.ts'
import { createPaint, type Output } from '../terminal.ts'
import { showAnswer } from './answer.ts'
import { HELP, parseArguments, type Command } from './arguments.ts'
import { CallError } from './call-error.ts'
import { readBody, readPassword } from './input.ts'
import { openClient } from './open-client.ts'
import { printable, readableJson } from './readable-json.ts'
import { createTrace } from './trace.ts'

/** Milliseconds. Nothing that the server does takes longer. */
const TIMEOUT = 60_000

type SignIn = Extract<Command, { readonly email: string }>
type Sending = Extract<Command, { readonly method: string }>

/**
 * Runs one `npm run call` command.
 *
 * @returns The exit code: 0 for success, 1 if the server refuses.
 * @throws CallError, AuthError or StartupError saying what went wrong.
 */
export async function callCommand(
  args: readonly string[],
  stdout: Output,
  stderr: Output,
): Promise<number> {
  const { command, options } = parseArguments(args)
  const say = (line: string) => void stderr.write(`${printable(line)}\n`)
  const succeed = (line: string) => {
    stderr.write(`${createPaint(stderr)('green', '✓')} ${printable(line)}\n`)
    return 0
  }
  const trace = options.verbose === true ? createTrace(stderr, () => auth.accessToken()) : undefined
  let auth: AuthClient

  switch (command.name) {
    case 'help':
      stdout.write(`${HELP}\n`)
      return 0
    case 'sign-out':
      auth = await openClient(options, false, say, trace?.fetch)
      await signOut(auth)
      return succeed('Signed out.')
    case 'request': {
      const body = await readBody(command.body)
      auth = await openClient(options, false, say, trace?.fetch)
      return showAnswer(await send(auth, command, body), stdout, stderr)
    }
    case 'sign-up':
    case 'sign-in': {
      const password = await readPassword(command.email, command.name === 'sign-up')
      auth = await openClient(options, true, say, trace?.fetch)
      const { account, sessionId } = await signIn(auth, command, password)
      await trace?.showToken()
      const exitCode = succeed(`Signed in as ${account?.email ?? command.email}.`)
      stdout.write(`${readableJson({ account, session_id: sessionId }, createPaint(stdout))}\n`)
      return exitCode
    }
  }
}

function signIn(auth: AuthClient, command: SignIn, password: string): Promise<Session> {
  const { email } = command
  if (command.name === 'sign-in') return auth.signIn({ email, password })
  const { displayName: name } = command
  return auth.signUp({ email, password, ...(name === undefined ? {} : { name }) })
}

/** @throws CallError if the server could not be told; AuthError if nobody is signed in. */
async function signOut(auth: AuthClient): Promise<void> {
  const absence = await auth.accessToken().then(
    () => undefined,
    (error: unknown) => (hasCode(error, 'not_signed_in') ? (error as AuthError) : undefined),
  )
  // Also removes what is left of a session that cannot be used.
  if (await auth.signOut()) return
  throw (
    absence ??
    new CallError(
      'Signed out here. The server could not be told, so it keeps the session until that expires.',
    )
  )
}

async function send(
  auth: AuthClient,
  { method, target }: Sending,
  body: string | undefined,
): Promise<Response> {
  const signal = AbortSignal.timeout(TIMEOUT)
  const content = body === undefined ? {} : { headers: JSON_TYPE, body }
  try {
    return await auth.fetch(target, { method, signal, ...content })
  } catch (error) {
    throw signal.aborted ? new CallError(`No answer came within ${TIMEOUT / 1000} s.`) : error
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
