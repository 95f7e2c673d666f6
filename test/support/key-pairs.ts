import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { AS_DER } from '../../server/keystore/generate-key.ts'

/** Key pairs for tests that make thousands: Node 20 can hang while it exports a generated KeyObject. */
export const ecPair = (namedCurve: string) =>
  imported(generateKeyPairSync('ec', { namedCurve, ...AS_DER }))

export const x25519Pair = () => imported(generateKeyPairSync('x25519', AS_DER))

const imported = (pair: { publicKey: Buffer; privateKey: Buffer }) => ({
  publicKey: createPublicKey({ key: pair.publicKey, format: 'der', type: 'spki' }),
  privateKey: createPrivateKey({ key: pair.privateKey, format: 'der', type: 'pkcs8' }),
})
