/** A JSON object from outside, before it is checked. */
export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** The members with these names; `undefined` unless each is a non-empty string. */
export function texts<Name extends string>(
  value: unknown,
  ...names: readonly Name[]
): Readonly<Record<Name, string>> | undefined {
  if (!isObject(value) || !names.every((name) => isText(value[name]))) return undefined
  return Object.fromEntries(names.map((name) => [name, value[name]])) as Record<Name, string>
}

/** Whole seconds since the epoch (RFC 7519 §2, NumericDate). */
export const isTime = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

/** Parses a JSON object from text or UTF-8 bytes; `undefined` for anything else. */
export function parseObject(source: string | Uint8Array): Json | undefined {
  const text = typeof source === 'string' ? source : decodeUtf8(source)
  const value: unknown = text && unlessBad(() => JSON.parse(text) as unknown)
  return isObject(value) ? value : undefined
}

/** Decodes UTF-8 bytes; `undefined` if they are not valid UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): string | undefined =>
  unlessBad(() => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))

/** The result of JSON.parse or a decoder; `undefined` for its SyntaxError or TypeError. */
function unlessBad<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!/^(Syntax|Type)Error$/.test((error as Error).name)) throw error
    return undefined
  }
}
