import { afterEach, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createHashThreads, type HashThreads } from '../../server/passwords/hash-threads.ts'
import { createLogger } from '../../server/log/logger.ts'

const CHEAP = { memoryCost: 8, timeCost: 1, parallelism: 1 }

let threads: HashThreads
let warnings: string[]
afterEach(() => threads.stop())

/** @param program What a thread runs for each job, instead of argon2. */
function create(program?: string): HashThreads {
  warnings = []
  const logger = createLogger('warn', { write: (line) => void warnings.push(line) })
  const answering = `
    import { parentPort, threadId } from 'node:worker_threads'
    parentPort.on('message', ({ password }) => { ${program ?? ''} })`
  const url = new URL(`data:text/javascript,${encodeURIComponent(answering)}`)
  threads = program === undefined ? createHashThreads(logger) : createHashThreads(logger, url)
  return threads
}

/** The nice value of each thread of this process: proc_pid_stat(5), field 19. */
const priorities = () =>
  readdirSync('/proc/self/task').map((id) => {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })

test('hashes and verifies', async () => {
  const { hash, verify } = create()
  const passwordHash = await hash('pässword', CHEAP)
  expect(passwordHash).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
  expect(await verify(passwordHash, 'pässword')).toBe(true)
  expect(await verify(passwordHash, 'password')).toBe(false)
})

test('a thread has a lower priority than the process, or a warning is logged', async () => {
  await create().hash('password', CHEAP)
  if (process.platform === 'linux') {
    const lower = Math.min(getPriority() + 10, 19)
    expect(priorities().filter((priority) => priority === lower)).toHaveLength(1)
    expect(warnings).toEqual([])
  } else {
    expect(warnings).toHaveLength(1)
  }
})

test('logs once if the priority of threads cannot be lowered', async () => {
  const { verify } = create(`parentPort.postMessage({ result: true, priorityProblem: 'EACCES' })`)
  await Promise.all([verify('', 'one'), verify('', 'at once')])
  expect(await verify('', 'later')).toBe(true)
  expect(warnings).toHaveLength(1)
  expect(JSON.parse(warnings[0]!)).toMatchObject({ level: 'warn', reason: 'EACCES' })
})

test('starts one thread for each simultaneous hash, and reuses the threads', async () => {
  const { verify } = create('parentPort.postMessage({ result: threadId })')
  const [first, second] = await Promise.all([verify('', ''), verify('', '')])
  expect(second).not.toBe(first)
  for (let n = 0; n < 3; n++) expect([first, second]).toContain(await verify('', ''))
})

test('an error of argon2 is passed on, and later hashes succeed', async () => {
  const { hash, verify } = create()
  const error: unknown = await verify('no hash', 'password').catch((thrown: unknown) => thrown)
  expect(error).toHaveProperty('message')
  expect(error).not.toMatchObject({ name: 'UnavailableError' })
  await expect(hash('password', CHEAP)).resolves.toMatch(/^\$argon2id/)
})

test.each([
  ['exits', 'process.exit(3)', 'The thread has ended with code 3.'],
  ['throws', `throw new Error('out of memory')`, 'out of memory'],
])('a thread that %s makes its hash unavailable, and is replaced', async (_, fault, message) => {
  const { verify } = create(
    `if (password === 'fatal') ${fault}; else parentPort.postMessage({ result: true })`,
  )
  const working = verify('', 'another thread')
  await expect(verify('', 'fatal')).rejects.toMatchObject({
    name: 'UnavailableError',
    retryAfter: 1,
    cause: { message },
  })
  expect(await working).toBe(true)
  for (const password of ['one', 'two']) expect(await verify('', password)).toBe(true)
})

test('replaces threads that exit between two hashes', async () => {
  const { verify } = create('parentPort.postMessage({ result: threadId }); process.exit()')
  const answers = new Set<unknown>()
  // A job may fail because its thread exits, but no job waits for a thread that has exited.
  while (answers.size < 30) {
    answers.add(await verify('', '').catch((error: unknown) => error))
    // Later jobs come after the exit has been noticed.
    for (let turn = 0; answers.size > 15 && turn < 300; turn++) await nextTurn()
  }
  expect([...answers].filter((answer) => typeof answer === 'number').length).toBeGreaterThan(1)
})

test('hash is unavailable if the threads cannot start', async () => {
  const { hash } = create(') no JavaScript (')
  await expect(hash('password', CHEAP)).rejects.toMatchObject({
    name: 'UnavailableError',
    cause: { name: 'SyntaxError' },
  })
})

test('stop makes current and later hashes unavailable', async () => {
  const { verify } = create('/* no answer */')
  const waiting = expect(verify('', '')).rejects.toMatchObject({ name: 'UnavailableError' })
  await threads.stop()
  await waiting
  await expect(verify('', '')).rejects.toMatchObject({ name: 'UnavailableError' })
})
