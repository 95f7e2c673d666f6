/** The ids of the trace that a request belongs to, as members of its log line. */
export interface TraceIds {
  /** Of the whole trace. */
  readonly trace_id: string
  /** Of the caller's part of it: its span. */
  readonly parent_id: string
}

/** Version, trace id, parent id, flags, and what only a later version may add. */
const TRACEPARENT =
  /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}($|-[^,]*$)/

/**
 * Parses a `traceparent` header (W3C Trace Context §3.2). The ids have a fixed length and only
 * lower-case hexadecimal digits, so they are harmless in a log.
 *
 * @returns `undefined` if the header is missing or malformed, or there are several.
 */
export function parseTraceparent(header: string): TraceIds | undefined {
  if (header === '') return undefined
  const [, version, trace_id, parent_id, rest] = TRACEPARENT.exec(header) ?? []
  if (trace_id === undefined || parent_id === undefined) return undefined
  // Version 00 ends after the flags. A later version may go on (§4.1).
  if (version === '00' && rest !== '') return undefined
  return { trace_id, parent_id }
}
