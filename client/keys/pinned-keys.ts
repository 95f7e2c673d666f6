import type { ServerKey } from './server-keys.ts'

/**
 * The keys of a published set that may be used: all of them, or only the pinned ones.
 *
 * @param pins Thumbprints, as the keys' `kid`.
 * @returns `undefined` if the current key of a use is not pinned. Older pinned keys do not help: a
 *   refresh would use up its token, and the new tokens would be refused, because the current key
 *   signs them.
 */
export function pinnedOf(
  keys: readonly ServerKey[],
  pins: readonly string[] | undefined,
): readonly ServerKey[] | undefined {
  if (pins === undefined) return keys
  const isPinned = ({ kid }: ServerKey) => pins.includes(kid)
  const isCurrent = (key: ServerKey) => keys.find(({ use }) => use === key.use) === key
  return keys.filter(isCurrent).every(isPinned) ? keys.filter(isPinned) : undefined
}
