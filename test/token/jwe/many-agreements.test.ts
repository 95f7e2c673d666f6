/**
 * Node 20 can hang for good while it exports a generated key as a JWK, once in some thousand keys: see
 * keystore/generate-key.ts. So this makes many, in a process that can be killed.
 */
import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')
/** How many keys on each curve; AGREEMENTS sets it. */
const COUNT = Number(process.env['AGREEMENTS'] ?? 2000)

const PROGRAM = `
import { generateKeyPairSync } from 'node:crypto'
import { agreeOn } from './server/token/jwe/seal-jwe.ts'

const [crv, count] = process.argv.slice(-2)
const { publicKey } =
  crv === 'X25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('ec', { namedCurve: crv })
const recipient = { kid: 'key', alg: 'ECDH-ES+A128KW', publicKey: publicKey.export({ format: 'jwk' }) }
let made = 0
for (; made < Number(count); made++) agreeOn(recipient)
console.log(made)
`

test.each(['P-256', 'X25519'])(
  `a process makes ${COUNT} key agreements on %s`,
  (crv) => {
    const program = ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM]
    const options = { cwd: ROOT, encoding: 'utf8', timeout: 110_000 } as const
    const printed = execFileSync(process.execPath, [...program, crv, String(COUNT)], options)
    expect(Number(printed)).toBe(COUNT)
  },
  120_000,
)
