/** Version, trace id, parent id, flags, and what only a later version may add. */
const TRACEPARENT =
  /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}($|-[^,]*$)/

/**
 * Parses a `traceparent` header (W3C Trace Context §3.2) into the id of the whole trace and that of
 * the caller's part of it: its span. They have a fixed length and only lower-case hexadecimal
 * digits, so they are harmless in a log.
 *
 * @returns `undefined` if the header is missing or malformed, or there are several.
 */
export function parseTraceparent(header: string) {
  const [, version, trace_id, parent_id, rest] = TRACEPARENT.exec(header) ?? []
  if (trace_id === undefined || parent_id === undefined) return undefined
  // Version 00 ends after the flags. A later version may go on (§4.1).
  if (version === '00' && rest !== '') return undefined
  return { trace_id, parent_id }
}
