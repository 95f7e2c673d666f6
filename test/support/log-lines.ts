import type { TestServer } from './server.ts'

interface LogLine {
  readonly level: string
  readonly msg: string
  readonly request_id?: string
  /** Why a token was refused. */
  readonly reason?: string
  readonly err?: { readonly type: string; readonly message: string; readonly stack: string }
}

/** The lines that a server has logged; with `requestId`, only those of that request. */
export function logLines(server: TestServer, requestId?: string): LogLine[] {
  return server.logs
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => requestId === undefined || line.request_id === requestId)
}
