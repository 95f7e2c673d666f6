import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import { askSecret } from '../../server/commands/prompt.ts'
import { CallError } from './call-error.ts'

/**
 * Asks for the password without echoing it. Reads the first line of stdin if stdin is not a terminal.
 *
 * @param isNew Whether to ask twice, because nobody sees what they type.
 * @throws CallError if there is none, or the two differ. StartupError if the person cancels.
 */
export async function readPassword(email: string, isNew: boolean): Promise<string> {
  const password = process.stdin.isTTY
    ? await askSecret(`Password of ${email}`, '')
    : await firstLine()
  if (password === '') {
    throw new CallError('The password is missing. Type it, or send it as a line to stdin.', 2)
  }
  if (isNew && process.stdin.isTTY && (await askSecret('Once more', '')) !== password) {
    throw new CallError('The two passwords differ. Nothing was changed.')
  }
  return password
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) {
    // If the writer keeps stdin open, the program must not wait for more.
    process.stdin.destroy()
    return line
  }
  return ''
}

/**
 * The body of a request as it will be sent.
 *
 * @param argument JSON, or `-` for stdin.
 * @throws CallError if it is not JSON.
 */
export async function readBody(argument: string | undefined): Promise<string | undefined> {
  if (argument === undefined) return undefined
  const body = argument === '-' ? await text(process.stdin) : argument
  try {
    JSON.parse(body)
    return body
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new CallError(
      argument === '-'
        ? 'What came on stdin is not JSON.'
        : `The body is not JSON. Put it in single quotes: '{"name":"Ada"}'.`,
      2,
    )
  }
}
