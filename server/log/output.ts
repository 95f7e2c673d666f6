import { pino, symbols, type DestinationStream } from 'pino'

/** The `msg` of an access line: see http/request-log.ts. */
export const ACCESS_LINE = 'request'

/** Bytes of access lines that are written together. */
const BUFFERED = 4096
/** Milliseconds that an access line waits at most. */
const LATEST = 1000

/**
 * Standard output. A system call for each request would cost more than its line is worth, so access
 * lines wait for others, a second at most. Everything else is written at once, and whatever waits
 * with it: audit events, errors, and what is logged last.
 */
export function createOutput(descriptor: string | number = 1): DestinationStream {
  const file = pino.destination({
    dest: descriptor,
    sync: true,
    minLength: BUFFERED,
    periodicFlush: LATEST,
  })
  const output = {
    // Has pino say what a line is.
    [symbols.needsMetadataGsym]: true as const,
    lastMsg: undefined as string | undefined,
    write(line: string) {
      file.write(line)
      if (output.lastMsg !== ACCESS_LINE) output.flush()
    },
    /** For `logger.flush()`, when the process ends. */
    flush() {
      file.flushSync()
    },
  }
  return output
}
