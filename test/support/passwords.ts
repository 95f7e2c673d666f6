import { createPasswordHasher, type PasswordHasher } from '../../server/passwords/password-hash.ts'

/** A hasher at the lowest cost that argon2 allows, about 0.1 ms, for tests of other things. */
export const createCheapHasher = () =>
  createPasswordHasher({ parameters: { memoryCost: 8, timeCost: 1, parallelism: 1 } })

type Work = 'hash' | 'verify'

export interface HeldHasher extends PasswordHasher {
  /** Makes the next operation of a kind wait after it is done, until it is released. */
  hold(work: Work): {
    /** Resolves when the operation is waiting. */
    readonly reached: Promise<unknown>
    readonly release: () => void
  }
}

/** A cheap hasher that a test can pause, to run other work while a hash is queued. */
export function createHeldHasher(): HeldHasher {
  const cheap = createCheapHasher()
  let next: { work: Work; reach: () => void; released: Promise<unknown> } | undefined
  async function pass(work: Work): Promise<void> {
    if (next?.work !== work) return
    const { reach, released } = next
    next = undefined
    reach()
    await released
  }
  return {
    ...cheap,
    async hash(password, requester) {
      const hash = await cheap.hash(password, requester)
      await pass('hash')
      return hash
    },
    async verify(hash, password, requester) {
      const isRight = await cheap.verify(hash, password, requester)
      await pass('verify')
      return isRight
    },
    hold(work) {
      let release: () => void = () => undefined
      const released = new Promise<void>((resolve) => (release = resolve))
      const reached = new Promise<void>((reach) => (next = { work, reach, released }))
      return { reached, release }
    },
  }
}
