import { createPasswordHasher } from '../../server/accounts/password-hash.ts'

/** For tests whose subject is not the hash: the least that argon2 allows, about 0.1 ms. */
export const createCheapHasher = () =>
  createPasswordHasher({ memoryCost: 8, timeCost: 1, parallelism: 1 })
