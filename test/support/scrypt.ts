import type { ScryptCost } from '../../pkcs8/scrypt.ts'

/** For key files in tests whose subject is not the key derivation: 50 ms less for each file. */
export const CHEAP_SCRYPT: ScryptCost = { cost: 2, blockSize: 8, parallelization: 1 }
