import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'

/** Whether the server and the load generator can each have a core. */
export const isPinned =
  availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

/** Moves this process and its threads to their own core. */
export function pinToLoadCore() {
  if (isPinned) spawnSync('taskset', ['-a', '-p', '-c', '1', String(process.pid)])
}

/** Starts a program on the servers' core. It must listen on $PORT and print "Ready at". */
export async function startProgram(script, environment, { pinned = true } = {}) {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', script]
  if (pinned && isPinned) command.unshift('taskset', '-c', '0')
  const child = spawn(command[0], command.slice(1), {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => String(data).includes('Ready at') && resolve())
    child.once('exit', () => reject(new Error(`${script} did not start: ${errors}`)))
  })
  return {
    cpu: () => cpuTime(child.pid),
    memory: () => memory(child.pid),
    async stop() {
      child.kill('SIGTERM')
      await new Promise((resolve) => child.once('exit', resolve))
    },
  }
}

/** The CPU time that a process has used, in milliseconds; `undefined` without /proc. */
function cpuTime(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')
    // utime and stime, in ticks of 10 ms: proc(5).
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return undefined
  }
}

/** The resident memory of a process in MiB; `undefined` without /proc. */
function memory(pid) {
  try {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
