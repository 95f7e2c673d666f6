/**
 * Whether an object in a JSON text has two members of the same name, at any depth. RFC 8259 §4 does
 * not say which one counts, so a proxy may have read a different value than this server.
 *
 * `JSON.parse` keeps only the last one, so a text with repeated names has more members than its
 * value. This takes linear time and does not recurse.
 *
 * @param json Valid JSON.
 * @param value The result of `JSON.parse`.
 */
export function hasRepeatedMembers(json: string, value: unknown): boolean {
  return countInText(json) > countInValue(value)
}

/** Counts the colons outside strings: there is exactly one for each member. */
function countInText(json: string): number {
  let count = 0
  let isInString = false
  for (let index = 0; index < json.length; index++) {
    const character = json[index]
    // Backslashes occur only in strings; an escaped quote does not end one.
    if (character === '\\') index++
    else if (character === '"') isInString = !isInString
    else if (character === ':' && !isInString) count++
  }
  return count
}

function countInValue(value: unknown): number {
  let count = 0
  const pending = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    if (typeof next !== 'object' || next === null) continue
    const values: unknown[] = Object.values(next)
    if (!Array.isArray(next)) count += values.length
    for (const inner of values) pending.push(inner)
  }
  return count
}
