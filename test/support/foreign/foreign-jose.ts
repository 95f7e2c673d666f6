/** JOSE in other languages, from Debian packages that share no code with the server or jose. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { JWK } from 'jose'
import type { KeyType } from '../../../protocol/algorithms.ts'
import { findProgram } from '../describe-installed.ts'

export interface ForeignJose {
  /** A private key. */
  generate(type: KeyType): Promise<JWK>
  /** The plaintext of a JWE. Rejects if it cannot be decrypted. */
  open(jwe: string, key: JWK): Promise<string>
  /** The payload of a JWS. Rejects if the signature is wrong. */
  verify(jws: string, key: JWK): Promise<string>
  seal(header: Readonly<Record<string, unknown>>, plaintext: string, key: JWK): Promise<string>
  /** The `mac` of a key-bound token. */
  prove?(proof: ForeignProof): Promise<string>
  close(): Promise<void>
}

/** The inputs of a proof. */
interface ForeignProof {
  /** The client's private key. */
  readonly key: JWK
  /** The recipient's public encryption key, with its `kid`. */
  readonly recipient: JWK
  /** The `client_id`. */
  readonly client: string
  /** The JWS. */
  readonly token: string
  /** The members of `req` that it covers. */
  readonly req: object
}

/** Debian's own Python, because another one does not have Debian's packages. */
const PYTHON = '/usr/bin/python3'

export const FOREIGN = {
  jwcrypto: {
    isInstalled: spawnSync(PYTHON, ['-c', 'import jwcrypto']).status === 0,
    debian: 'python3-jwcrypto',
    /** Matches the algorithms and curves that it does not support. */
    lacks: /^Ed25519$/,
    /** Whether it makes the proofs of key-bound tokens, for which it needs HKDF. */
    proves: true,
    start: startJwcrypto,
  },
  'the jose command': {
    isInstalled: findProgram('jose') !== undefined,
    debian: 'jose',
    lacks: /^(?:EdDSA|Ed25519|X25519|RSA-OAEP-256)$/,
    proves: false,
    start: startJoseCommand,
  },
} as const

/** One process for all operations. */
function startJwcrypto(): Promise<ForeignJose> {
  const script = join(import.meta.dirname, 'serve-jwcrypto.py')
  const python = spawn(PYTHON, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = new Promise((resolve) => python.once('close', resolve))
  const answers = createInterface(python.stdout)[Symbol.asyncIterator]()
  const call = async <Result>(operation: string, args: object): Promise<Result> => {
    python.stdin.write(`${JSON.stringify([operation, args])}\n`)
    const { result, error } = JSON.parse((await answers.next()).value as string)
    if (error !== undefined) throw new Error(error as string)
    return result as Result
  }
  return Promise.resolve({
    generate: (type) => call('generate', type),
    open: (token, key) => call('open', { token, key }),
    verify: (token, key) => call('verify', { token, key }),
    seal: (header, plaintext, key) =>
      call('seal', { header: JSON.stringify(header), plaintext, key }),
    prove: (proof) => call('prove', proof),
    async close() {
      python.stdin.end()
      await closed
    },
  })
}

/** One process of some milliseconds for each operation. Keys go through a file. */
async function startJoseCommand(): Promise<ForeignJose> {
  const folder = await mkdtemp(join(tmpdir(), 'jose-'))
  const keyFile = join(folder, 'key.jwk')
  const call = (args: readonly string[], input = '') =>
    new Promise<string>((resolve, reject) => {
      const child = execFile('jose', args, (error, stdout) => {
        if (error === null) resolve(stdout)
        else reject(new Error('The jose command failed.', { cause: error }))
      })
      // A command that ends without reading its input closes the pipe.
      child.stdin?.on('error', () => undefined).end(input)
    })
  const withKey = async (key: JWK, args: readonly string[], input: string) => {
    await writeFile(keyFile, JSON.stringify(key))
    return call([...args, '--key', keyFile], input)
  }
  return {
    generate: async (type) =>
      JSON.parse(await call(['jwk', 'gen', '--input', JSON.stringify(type)])) as JWK,
    open: (jwe, key) => withKey(key, ['jwe', 'dec', '--input', '-'], jwe),
    verify: (jws, key) => withKey(key, ['jws', 'ver', '--input', '-', '--detach', '-'], jws),
    seal: (header, plaintext, key) => {
      const template = JSON.stringify({ protected: header })
      return withKey(
        key,
        ['jwe', 'enc', '--compact', '--input', template, '--detached', '-'],
        plaintext,
      )
    },
    close: () => rm(folder, { recursive: true }),
  }
}
