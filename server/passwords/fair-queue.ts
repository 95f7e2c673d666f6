import { UnavailableError } from '../errors/unavailable-error.ts'

/**
 * The number of pieces of work after which all counts are halved: one or two minutes on a busy
 * server.
 */
const HALVED_AFTER = 4096

/**
 * The requester: an account if one of its known clients or sessions asks, otherwise a network
 * address (see limits/client-address.ts).
 */
export type Requester = { readonly account: string } | { readonly address: string }

/**
 * Does the work of many requesters, a few pieces at once.
 *
 * Accounts and addresses wait in two lanes, which take turns. In each lane, the requester with the
 * least recent work comes first. When a lane is full, work of the requester with the most recent
 * work is refused.
 *
 * So an account with many known clients, or an address, delays only itself. Somebody with many
 * accounts needs thousands of them to compete with an account that rarely signs in. A limit per
 * address would not be enough, because a known client behind an attacker's address must get in too.
 *
 * @param atOnce How many pieces of work run at the same time.
 * @param capacity How many pieces may wait in each lane.
 */
export function createFairQueue(atOnce: number, capacity: number) {
  const accounts = new Lane(capacity)
  const addresses = new Lane(capacity)
  let next = accounts
  let running = 0

  function startNext(): void {
    if (running >= atOnce) return
    const other = next === accounts ? addresses : accounts
    const job = next.take() ?? other.take()
    if (job === undefined) return
    next = other
    running += 1
    void job.start().finally(() => {
      running -= 1
      startNext()
    })
  }

  return {
    /** How many pieces of work wait. */
    get waiting(): number {
      return accounts.length + addresses.length
    },

    /**
     * @throws UnavailableError if too much work is waiting, and this requester has had the most work
     *   done.
     */
    run: <T>(requester: Requester, work: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const isAccount = 'account' in requester
        const lane = isAccount ? accounts : addresses
        lane.add({
          key: isAccount ? requester.account : requester.address,
          start: () => work().then(resolve, reject),
          refuse() {
            reject(new UnavailableError('too many passwords wait to be hashed', 1))
          },
        })
        startNext()
      }),
  }
}

interface Job {
  readonly key: string
  /** Never rejects. */
  start(): Promise<void>
  refuse(): void
}

class Lane {
  readonly #capacity: number
  /** The oldest comes first. */
  readonly #jobs: Job[] = []
  /** How much work of each key is waiting or was done recently. */
  readonly #counts = new Map<string, number>()
  #taken = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get length(): number {
    return this.#jobs.length
  }

  add(job: Job): void {
    this.#count(job.key, 1)
    this.#jobs.push(job)
    if (this.#jobs.length <= this.#capacity) return
    const most = Math.max(...this.#jobs.map(({ key }) => this.#countOf(key)))
    const refused = this.#remove(this.#jobs.findLastIndex(({ key }) => this.#countOf(key) === most))
    if (refused === undefined) return
    this.#count(refused.key, -1)
    refused.refuse()
  }

  take(): Job | undefined {
    const least = Math.min(...this.#jobs.map(({ key }) => this.#countOf(key)))
    const job = this.#remove(this.#jobs.findIndex(({ key }) => this.#countOf(key) === least))
    if (job !== undefined) this.#taken += 1
    if (this.#taken >= HALVED_AFTER) this.#halve()
    return job
  }

  #remove(index: number): Job | undefined {
    return index < 0 ? undefined : this.#jobs.splice(index, 1)[0]
  }

  #countOf(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  #count(key: string, change: number): void {
    const count = this.#countOf(key) + change
    // Otherwise, any number of requesters could fill the memory with refused work.
    if (count > 0) this.#counts.set(key, count)
    else this.#counts.delete(key)
  }

  #halve(): void {
    this.#taken = 0
    for (const [key, count] of this.#counts) {
      if (count <= 1) this.#counts.delete(key)
      else this.#counts.set(key, count / 2)
    }
  }
}
