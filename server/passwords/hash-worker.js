// @ts-check
// The program of a thread that hashes passwords: see hash-threads.ts. It is JavaScript because Node 20
// starts a thread from nothing else.
import { readlinkSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import process from 'node:process'
import { parentPort } from 'node:worker_threads'
import { hashSync, verifySync } from '@node-rs/argon2'

/**
 * In units of nice(2). While requests with tokens keep every core busy, hashing still gets a tenth of
 * one. With 19, the most, it would get a hundredth, and a sign-in would take seconds.
 */
const LOWER_BY = 10

const priorityProblem = lowerPriority()
parentPort?.on('message', (/** @type {import('./hash-threads.ts').Job} */ job) => {
  parentPort?.postMessage({ ...answer(job), priorityProblem })
})

/** @param {import('./hash-threads.ts').Job} job */
function answer(job) {
  try {
    if ('parameters' in job) return { result: hashSync(job.password, job.parameters) }
    return { result: verifySync(job.passwordHash, job.password) }
  } catch (error) {
    return { error }
  }
}

/**
 * Lowers the priority of this thread, but not of the server. Only Linux can: setpriority(2) takes the
 * id of a thread there, and /proc/thread-self is a link to it, such as "12/task/34" (proc(5)).
 *
 * @returns What is in the way, if something is.
 */
function lowerPriority() {
  try {
    const [pid, , thread] = readlinkSync('/proc/thread-self').split('/')
    // In the /proc of another PID namespace, the id would be somebody else's.
    if (Number(pid) !== process.pid) return '/proc belongs to another PID namespace'
    setPriority(Number(thread), Math.min(getPriority() + LOWER_BY, 19))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
