/** The resources of a process, from Linux (proc(5)). */
import { readdir, readFile } from 'node:fs/promises'

export interface Holdings {
  /** Resident memory, in MiB. */
  readonly memory: number
  /** Open files, sockets and pipes. */
  readonly files: number
  readonly threads: number
}

/** @throws Error of `fs` if the process has ended. */
export async function holdingsOf(pid: number): Promise<Holdings> {
  const [status, files, threads] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readdir(`/proc/${pid}/fd`),
    readdir(`/proc/${pid}/task`),
  ])
  const [, kibibytes] = /^VmRSS:\s+(\d+)/m.exec(status) ?? []
  return { memory: Number(kibibytes) / 1024, files: files.length, threads: threads.length }
}
