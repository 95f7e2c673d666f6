import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { UnavailableError } from '../errors/unavailable-error.ts'
import type { Logger } from '../log/logger.ts'
import type { Argon2, HashParameters } from './password-hash.ts'

const PROGRAM = new URL('hash-worker.js', import.meta.url)

/** A task for a thread: make a new hash, or compare a password with a hash. */
export type Job =
  | { readonly password: string; readonly parameters: HashParameters }
  | { readonly password: string; readonly passwordHash: string }

type Answer = ({ readonly result: string | boolean } | { readonly error: unknown }) & {
  /** Why the thread could not lower its priority, if it could not. */
  readonly priorityProblem: string | undefined
}

export interface HashThreads extends Argon2 {
  /** Ends the threads. Current and later tasks are refused. */
  stop(): Promise<void>
}

/**
 * Runs Argon2 in threads of a lower priority. So hashing gets the CPU time that requests with
 * tokens leave, and does not occupy libuv's threads, which those requests need too.
 *
 * Starts a thread when none is idle. So there are as many threads as simultaneous hashes, which the
 * caller limits, and a dead thread is replaced. If threads cannot have their own priority, this is
 * logged once.
 *
 * Its functions throw an UnavailableError if the thread dies, which says nothing about the
 * password.
 */
export function createHashThreads(logger: Logger, program = PROGRAM): HashThreads {
  const threads = new Set<Worker>()
  const idle = new Set<Worker>()
  let isStopped = false
  let hasWarned = false

  function start(): Worker {
    const thread = new Worker(program, { name: 'password hashing' })
    threads.add(thread)
    // Without a listener, Node would throw the error.
    thread.on('error', () => undefined)
    thread.on('exit', () => {
      threads.delete(thread)
      idle.delete(thread)
    })
    return thread
  }

  async function run(job: Job) {
    if (isStopped) throw new UnavailableError('the server has stopped', 1)
    const [thread = start()] = idle
    idle.delete(thread)
    const answer = await ask(thread, job).catch((cause: unknown) => {
      throw new UnavailableError('a thread that hashed a password has died', 1, { cause })
    })
    // It may end right after its answer.
    if (threads.has(thread)) idle.add(thread)
    const { priorityProblem } = answer
    if (priorityProblem !== undefined && !hasWarned) {
      hasWarned = true
      logger.warn(
        { reason: priorityProblem },
        'Passwords are hashed at normal priority, which may delay other requests, because this system cannot lower the priority of a thread.',
      )
    }
    if ('error' in answer) throw answer.error
    return answer.result
  }

  return {
    hash: async (password, parameters) => (await run({ password, parameters })) as string,
    verify: async (passwordHash, password) => (await run({ passwordHash, password })) as boolean,
    async stop() {
      isStopped = true
      await Promise.all([...threads].map((thread) => thread.terminate()))
    },
  }
}

/** @throws the error that ended the thread before it answered. */
async function ask(thread: Worker, job: Job): Promise<Answer> {
  const answered = new AbortController()
  const { signal } = answered
  try {
    thread.postMessage(job)
    // Both reject if there is an error.
    return await Promise.race([
      once(thread, 'message', { signal }).then(([answer]) => answer as Answer),
      once(thread, 'exit', { signal }).then(([code]) => {
        throw new Error(`The thread has ended with code ${code}.`)
      }),
    ])
  } finally {
    answered.abort()
  }
}
