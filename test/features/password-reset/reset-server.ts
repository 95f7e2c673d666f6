import { compactDecrypt } from 'jose'
import {
  createBackground,
  type Background,
} from '../../../server/features/password-reset/background.ts'
import { createPasswordReset } from '../../../server/features/password-reset/index.ts'
import type { TestClient } from '../../support/client.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../../support/server.ts'
import { createTestMailer } from './test-mailer.ts'

export interface ResetServer extends TestServer {
  readonly mailer: ReturnType<typeof createTestMailer>
  readonly background: Background
}

/** No rate limit at all. */
export const UNLIMITED = { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' } as const

/** A server with this feature, whose mail a test can read. Resets are not limited by default. */
export async function startResetServer(options: TestServerOptions = {}): Promise<ResetServer> {
  const [mailer, background] = [createTestMailer(), createBackground()]
  const server = await startTestServer({
    ...options,
    variables: { RATE_LIMIT_RESET: 'off', ...options.variables },
    features: [createPasswordReset({ mailer, background }), ...(options.features ?? [])],
  })
  return { ...server, mailer, background }
}

/** The token of the last message, after it was sent. */
export async function mailedToken(
  { mailer, background }: Pick<ResetServer, 'mailer' | 'background'>,
  to: string,
): Promise<string> {
  await background.idle()
  const message = mailer.sent.at(-1)
  const token = message?.text.split('\n').find((line) => line.startsWith('eyJ'))
  if (message?.to !== to || token === undefined) throw new Error('no token was mailed there')
  return token
}

/** Requests a reset and returns the mailed token. */
export async function resetTokenFor(server: ResetServer, client: TestClient, email: string) {
  const { status } = await client.send('POST', '/account/password-reset', { email })
  if (status !== 202) throw new Error(`asking for a reset gave ${status}`)
  return mailedToken(server, email)
}

/** The JWS in a reset token. It is encrypted to the server. */
export async function openReset({ keystore }: TestServer, token: string): Promise<string> {
  const { plaintext } = await compactDecrypt(token, keystore.encryptionKey.privateKey)
  return new TextDecoder().decode(plaintext)
}
