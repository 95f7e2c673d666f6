import type { ScryptCost } from '../../pkcs8/scrypt.ts'

/** The cheapest key derivation, for tests of other things. Saves 50 ms for each key file. */
export const CHEAP_SCRYPT: ScryptCost = { cost: 2, blockSize: 8, parallelization: 1 }
