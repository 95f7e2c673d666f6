/** Key folders, and keys in every form that an operator may bring. */
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from '@jest/globals'
import type { Algorithms } from '../../protocol/algorithms.ts'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import type { KeyRing, KeySet } from '../../server/keystore/key-set.ts'
import type { Terminal } from '../../server/commands/keys/keys-command.ts'
import { StartupError } from '../../server/errors/startup-error.ts'

export const DEFAULTS: Algorithms = {
  signingAlg: 'ES256',
  encryptionAlg: 'ECDH-ES+A128KW',
  encryptionEnc: 'A128GCM',
  encryptionCrv: 'P-256',
}
export const RSA_ENCRYPTION: Algorithms = {
  signingAlg: 'ES256',
  encryptionAlg: 'RSA-OAEP-256',
  encryptionEnc: 'A128GCM',
}
/** Another kind of key for both uses. */
export const MODERN: Algorithms = {
  signingAlg: 'EdDSA',
  encryptionAlg: 'ECDH-ES+A128KW',
  encryptionEnc: 'A128GCM',
  encryptionCrv: 'X25519',
}
export const PASSPHRASE = 'long pass phrase, \u043f\u0430\u0440\u043e\u043b\u044c \u{1f511}'

const folders: string[] = []
afterAll(async () => {
  await Promise.all(folders.map((path) => rm(path, { recursive: true, force: true })))
})

/** An empty folder that is removed after the tests of the file. */
export async function emptyFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'jwe-auth-keys-'))
  folders.push(path)
  return path
}

let deadProcess: number | undefined
/** The id of a process that has ended. */
export const deadPid = (): number =>
  (deadProcess ??= spawnSync(process.execPath, ['--eval', '']).pid)

/** Writes files that only their owner can read, as key files should be. */
export async function fill(path: string, files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(path, name), content, { mode: 0o600 })
  }
}

export const ecKey = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve }).privateKey
export const rsaKey = (modulusLength = 2048) =>
  generateKeyPairSync('rsa', { modulusLength }).privateKey

export const pkcs8 = (key: KeyObject, passphrase?: string) =>
  key
    .export({
      ...({ type: 'pkcs8', format: 'pem' } as const),
      ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString()

/** A key and those before and after it. */
export const ring = (current: KeyPair, others: Partial<KeyRing> = {}): KeyRing => ({
  current,
  next: undefined,
  previous: [],
  currentSince: 0,
  ...others,
})

/** A key set that was not read from a folder. */
export const keySet = (sig: KeyRing | KeyPair, enc: KeyRing | KeyPair): KeySet => ({
  sig: 'current' in sig ? sig : ring(sig),
  enc: 'current' in enc ? enc : ring(enc),
  retired: [],
  removed: [],
})

/** Somebody at a terminal who gives `answers` in turn, and what they saw. */
export function person(...answers: string[]) {
  const printed: string[] = []
  const noted: string[] = []
  const asked: [question: string, variable: string][] = []
  const terminal: Terminal = {
    print: (line) => void printed.push(line),
    note: (line) => void noted.push(line),
    askSecret(question, variable) {
      asked.push([question, variable])
      const answer = answers.shift()
      if (answer === undefined) {
        return Promise.reject(
          new StartupError([`There is no terminal to ask on. Set ${variable}.`]),
        )
      }
      return Promise.resolve(answer)
    },
  }
  return { printed, noted, asked, terminal }
}

/** The problems of the StartupError that `work` ends with. Anything else fails the test. */
export async function problemsOf(work: Promise<unknown>): Promise<readonly string[]> {
  const error = await work.then(
    () => new Error('It went well.'),
    (error: unknown) => error,
  )
  if (!(error instanceof StartupError)) throw error as Error
  return error.problems
}

export const FORMS = ['pkcs8', 'traditional'] as const
export type Form = (typeof FORMS)[number]

/**
 * A private key as the openssl program writes it: PKCS#8, or the older form of its type (SEC1,
 * PKCS#1), encrypted under a passphrase.
 */
export function opensslPem(key: KeyObject, form: Form, passphrase?: string): string {
  if (!HAS_OPENSSL) return nodePem(key, form, passphrase)
  const out = passphrase === undefined ? [] : ['-passout', `pass:${passphrase}`]
  const traditional = passphrase === undefined ? [] : ['-aes256', ...out]
  const args = {
    pkcs8: ['pkcs8', '-topk8', ...(passphrase === undefined ? ['-nocrypt'] : out)],
    traditional:
      key.asymmetricKeyType === 'rsa'
        ? ['rsa', '-traditional', ...traditional]
        : ['ec', ...traditional],
  }[form]
  const stdio: ['pipe', 'pipe', 'ignore'] = ['pipe', 'pipe', 'ignore']
  return execFileSync('openssl', args, { input: pkcs8(key), stdio }).toString()
}

function nodePem(key: KeyObject, form: Form, passphrase?: string): string {
  const older = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1'
  return key
    .export({
      type: form === 'pkcs8' ? 'pkcs8' : older,
      format: 'pem',
      ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString()
}

const HAS_OPENSSL = hasOpenssl()

function hasOpenssl(): boolean {
  try {
    const version = execFileSync('openssl', ['version'], { stdio: ['ignore', 'pipe', 'ignore'] })
    if (/^OpenSSL [3-9]/.test(version.toString())) return true
  } catch {
    // Reported below, like an older version.
  }
  process.stderr.write('There is no openssl 3: these keys are written by node:crypto instead.\n')
  return false
}
