import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals'
import { join } from 'node:path'
import type { Feature } from '../../../server/feature.ts'
import { emptyFolder } from '../../keystore/fixtures.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { createClock, type TestClock } from '../../support/clock.ts'
import { killAll, run } from '../../support/process.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

export const ISSUER = 'https://auth.test'

interface Outcome {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

interface Surroundings {
  /** What comes on stdin. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs `npm run call`. */
export async function runCall(
  args: readonly string[],
  { input = '', env = {} }: Surroundings = {},
): Promise<Outcome> {
  const program = run('example/call/index.ts', env, args, input)
  const code = await program.exit
  return { code, stdout: await program.stdout.ended, stderr: await program.stderr.ended }
}

export interface Scene {
  server: TestServer
  clock: TestClock
  /** A new folder for each test, not yet created. */
  folder: string
  /** Runs `npm run call` with that server and that folder. */
  call(args: readonly string[], surroundings?: Surroundings): Promise<Outcome>
  /** Signs up a new person and returns the address. */
  signUp(surroundings?: Surroundings): Promise<string>
}

/** Starts a server for the tests of a file. */
export function useScene(features: readonly Feature[] = []): Scene {
  const scene = {
    call: (args, surroundings) => {
      const { server, folder } = scene
      const there = ['--server', server.url, '--issuer', ISSUER, '--folder', folder]
      return runCall([...args, ...there], surroundings)
    },
    async signUp(surroundings) {
      const email = someEmail()
      const args = ['sign-up', email]
      const { code, stderr } = await scene.call(args, { input: GOOD_PASSWORD, ...surroundings })
      if (code !== 0) throw new Error(stderr)
      return email
    },
  } as Scene
  beforeAll(async () => {
    scene.clock = createClock(Math.floor(Date.now() / 1000) * 1000)
    scene.server = await startTestServer({
      features,
      clock: scene.clock,
      config: { issuer: ISSUER },
    })
  })
  afterAll(() => scene.server.stop())
  beforeEach(async () => {
    scene.folder = join(await emptyFolder(), 'client')
  })
  afterEach(killAll)
  return scene
}

/** Collects what is written to it, as a terminal or as a file. */
export function createOutput(isTTY: boolean) {
  return {
    text: '',
    isTTY,
    columns: 80,
    hasColors: () => true,
    write(text: string | Uint8Array) {
      this.text += typeof text === 'string' ? text : new TextDecoder().decode(text)
    },
  }
}

/** Text without its styles. */
export const plain = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- that is what a style is
  text.replace(/\u001b\[\d+m/g, '')
