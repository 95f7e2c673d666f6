import { hash, randomBytes } from 'node:crypto'

/** 16 bytes of a SHA-256: 32-bit integers. */
const WORDS = 4
/** The fewest slots for each entry. With fewer, a search would visit many. */
const SPARENESS = 1.5

/** What a table stores for a text: 16 bytes of a salted hash, as 32-bit integers. */
export type Digest = readonly [number, number, number, number]

/**
 * Creates the function that makes the digests for a table, or for several. They are salted, so that
 * nobody can choose texts that share a slot.
 */
export function createDigest(): (text: string) => Digest {
  const salt = randomBytes(16).toString('base64url')
  return (text) => {
    // One character a byte: Node makes a string faster than a buffer.
    const bytes = hash('sha256', salt + text, 'binary')
    // An empty slot begins with 0, a used one with an odd number.
    return [integerAt(bytes, 0) | 1, integerAt(bytes, 4), integerAt(bytes, 8), integerAt(bytes, 12)]
  }
}

const integerAt = (bytes: string, at: number): number =>
  bytes.charCodeAt(at) |
  (bytes.charCodeAt(at + 1) << 8) |
  (bytes.charCodeAt(at + 2) << 16) |
  (bytes.charCodeAt(at + 3) << 24)

/** A set of texts, by their digests, in a table of fixed size. */
export type HashTable = ReturnType<typeof createHashTable>

/**
 * Open addressing with linear probing.
 *
 * @param capacity The most texts. Each takes 24 to 48 bytes, all reserved at once, but the system
 *   provides each page of memory only when it is used.
 */
export function createHashTable(capacity: number) {
  const slots = 2 ** Math.ceil(Math.log2(capacity * SPARENESS + 1))
  const table = new Int32Array(slots * WORDS)
  let size = 0

  /** The position of a digest in the table, or of the empty slot where it belongs. */
  function find([first, second, third, fourth]: Digest): number {
    for (let slot = second & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * WORDS
      if (table[at] === 0) return at
      if (
        table[at] === first &&
        table[at + 1] === second &&
        table[at + 2] === third &&
        table[at + 3] === fourth
      ) {
        return at
      }
    }
  }

  return {
    has: (digest: Digest): boolean => table[find(digest)] !== 0,
    /** Adds a digest that is not in the table yet. @throws RangeError when the table is full. */
    add(digest: Digest): void {
      if (size >= capacity) throw new RangeError('The hash table is full.')
      table.set(digest, find(digest))
      size += 1
    },
    clear(): void {
      table.fill(0)
      size = 0
    },
  }
}
