/** What came from outside, before it is checked. */
export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** The members of these names, if each is a text and none is empty. */
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

/** The JSON object in a text or its UTF-8 bytes, or `undefined` for anything else. */
export function parseObject(source: string | Uint8Array): Json | undefined {
  try {
    const text =
      typeof source === 'string'
        ? source
        : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source)
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
