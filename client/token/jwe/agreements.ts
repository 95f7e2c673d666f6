import { agreeOn, type Agreement, type Recipient } from './seal-jwe.ts'

/** Milliseconds for which an agreement is used. The server remembers it for ten minutes. */
const LIFETIME = 5 * 60_000
/** Tokens that one agreement may seal: the most that the contract allows (docs/http-api.md). */
const MAX_TOKENS = 1000

interface Entry {
  readonly agreement: Promise<Agreement | undefined>
  /** Milliseconds since the epoch. */
  readonly since: number
  tokens: number
}

/**
 * The agreements of the last minutes: the tokens of one session to one recipient share an ephemeral
 * key, which saves both sides a key agreement for each (RFC 7518 §4.6). Each token still has its own
 * content encryption key and IV.
 */
export class Agreements {
  readonly #clock: () => number
  readonly #entries = new Map<string, Entry>()

  /** @param clock Milliseconds since the epoch. */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  /**
   * The agreement for one more token. Concurrent calls share it, even while it is being made. A rotated
   * key is another recipient, with an agreement of its own.
   *
   * @param sessionId The token's session: agreements would otherwise link the sessions of a client.
   * @returns `undefined` for an algorithm that wraps no key.
   * @throws DOMException for a key that ECDH-ES cannot use. The next call tries again.
   */
  take(recipient: Recipient, sessionId: string): Promise<Agreement | undefined> {
    const id = JSON.stringify([sessionId, recipient.kid, recipient.alg])
    const entry = this.#find(id) ?? this.#make(id, recipient)
    entry.tokens += 1
    return entry.agreement
  }

  /** The entry with this id, after dropping entries that may no longer be used. */
  #find(id: string): Entry | undefined {
    for (const [each, { since, tokens }] of this.#entries) {
      const age = this.#clock() - since
      // A time in the future means that the clock was wrong, so the age is unknown.
      const isUsable = age >= 0 && age < LIFETIME && tokens < MAX_TOKENS
      if (!isUsable) this.#entries.delete(each)
    }
    return this.#entries.get(id)
  }

  #make(id: string, recipient: Recipient): Entry {
    const agreement = agreeOn(recipient)
    const entry = { agreement, since: this.#clock(), tokens: 0 }
    this.#entries.set(id, entry)
    agreement.catch(() => this.#entries.get(id) === entry && this.#entries.delete(id))
    return entry
  }
}
