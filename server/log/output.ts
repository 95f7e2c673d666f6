import { pino, symbols, type DestinationStream } from 'pino'

/** The `msg` of a line of the access log: see http/request-log.ts. */
export const ACCESS_LINE = 'request'

/** Bytes of access lines that are collected before they are written. */
const BUFFERED = 12_288
/** The longest that an access line waits, in milliseconds. */
const LATEST = 1000

/**
 * Standard output, with access lines buffered for up to a second: a system call for every request
 * would be too expensive. Any other line, such as an audit event or an error, is written at once,
 * together with the buffered lines.
 */
export function createOutput(descriptor: string | number = 1): DestinationStream {
  const file = pino.destination({
    dest: descriptor,
    sync: true,
    minLength: BUFFERED,
    periodicFlush: LATEST,
  })
  const output = {
    // Makes pino set `lastMsg`.
    [symbols.needsMetadataGsym]: true as const,
    lastMsg: undefined as string | undefined,
    write(line: string) {
      file.write(line)
      if (output.lastMsg !== ACCESS_LINE) output.flush()
    },
    /** Called by `logger.flush()` before the process ends. */
    flush() {
      file.flushSync()
    },
  }
  return output
}
