/** The common parts of the peers: the keys from the bench, and the port. */
import { createPrivateKey, createPublicKey } from 'node:crypto'

const { signing, encryption } = JSON.parse(process.env.BENCH_KEYS)

export const signingKey = createPublicKey({ key: signing, format: 'jwk' })
export const decryptionKey = createPrivateKey({ key: encryption, format: 'jwk' })
export const encryptionKey = createPublicKey(decryptionKey)
export const issuer = process.env.BENCH_ISSUER
export const audience = 'bench'

/** @param server Anything with `listen(port, host, callback)`: a Koa app or an HTTP server. */
export function listen(server) {
  const port = Number(process.env.PORT)
  server.listen(port, '127.0.0.1', () => console.log(`Ready at http://127.0.0.1:${port}`))
}
