/** Runs the programs as users do: spawns and signals them, and talks to them over a raw socket. */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Readable } from 'node:stream'
import { bundled, bundledText, PROJECT_ROOT } from './bundle.ts'

/** Milliseconds. Longer than anything takes on a busy machine, but shorter than a test's time limit. */
const PATIENCE = 50_000

/** The text that a stream has produced so far. */
export class Transcript {
  text = ''
  /** Resolves to the whole text when the stream has ended, even by an error. */
  readonly ended: Promise<string>
  readonly #stream: Readable
  #hasEnded = false

  constructor(stream: Readable) {
    this.#stream = stream
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => (this.text += chunk))
    stream.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      stream.once('close', () => {
        this.#hasEnded = true
        resolve(this.text)
      })
    })
  }

  /** Waits for the text to match. Rejects if the stream ends first, or after a time limit. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(PATIENCE)
    for (;;) {
      const match = pattern.exec(this.text)
      if (match) return match
      if (this.#hasEnded) throw new Error(`ended without ${pattern}: ${this.text}`)
      await Promise.race([once(this.#stream, 'data', { signal }), this.ended])
    }
  }
}

export interface Program {
  readonly pid: number
  readonly stdout: Transcript
  readonly stderr: Transcript
  /** Resolves to the exit code, or to the name of the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>
  /** The log: the complete lines of stdout, parsed. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
  logs(): any[]
  signal(name: NodeJS.Signals): void
  /** Resolves to the URL of a server that has logged that it is ready. */
  ready(): Promise<string>
}

const running = new Set<Program>()

/**
 * Runs a program of the project. Its environment contains only `env` and PATH.
 *
 * @param input The whole of stdin.
 */
export const run = (
  script: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
  input = '',
): Program => start(bundled(script), env, args, input)

/** Runs a program that is in no file. Its imports are relative to the project. */
export const runText = (text: string): Program => start(bundledText(text), {}, [], '')

function start(
  file: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  input: string,
): Program {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], {
    cwd: PROJECT_ROOT,
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'pipe',
  })
  // A program that ends without reading its input closes the pipe.
  child.stdin.on('error', () => undefined).end(input)
  const stdout = new Transcript(child.stdout)
  const program: Program = {
    // Without a pid it could not be started, and `exit` rejects.
    pid: child.pid ?? NaN,
    stdout,
    stderr: new Transcript(child.stderr),
    // "close" follows the end of the streams, so all output has been read.
    exit: new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        running.delete(program)
        resolve(code ?? signal ?? NaN)
      })
    }),
    logs: () =>
      stdout.text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown),
    signal: (name) => void child.kill(name),
    async ready() {
      const [, url] = await stdout.until(/"msg":"Ready at (\S+)\. [^\n]*\n/)
      return url!
    },
  }
  running.add(program)
  return program
}

/** Kills every program that is still running. For afterEach. */
export async function killAll(): Promise<void> {
  await Promise.all(
    [...running].map((program) => {
      program.signal('SIGKILL')
      return program.exit
    }),
  )
}

/**
 * A port on which nothing listened a moment ago. It is below the ephemeral ports, so no connection or
 * server of another test takes it in the meantime.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(10_000, 32_768)
  const server = createServer()
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return freePort()
  }
  server.close()
  await once(server, 'close')
  return port
}

export interface RawConnection extends Transcript {
  send(data: string | Uint8Array): void
  close(): void
}

/** Opens a connection that sends exactly the given text. Rejects if the connection is refused. */
export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const connection = Object.assign(new Transcript(socket), {
    send: (data: string | Uint8Array) => void socket.write(data),
    close: () => void socket.destroy(),
  })
  await once(socket, 'connect')
  return connection
}

/** The raw answer to one GET on a new connection. */
export async function getRaw(url: string, path: string): Promise<string> {
  const connection = await openConnection(url)
  connection.send(`GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`)
  return connection.ended
}
