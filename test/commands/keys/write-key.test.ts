import { expect, test } from '@jest/globals'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { parsePrivateKey } from '../../../server/keystore/pem.ts'
import { passphraseWarning, toPem } from '../../../server/commands/keys/write-key.ts'
import { CHEAP_SCRYPT as scryptCost } from '../../support/scrypt.ts'
import { ecKey } from '../../keystore/fixtures.ts'

test("a key is written with the folder's passphrase, if it has one", async () => {
  const key = ecKey()
  const plain = await toPem(key, { passphrase: undefined })
  expect(plain).toMatch(/^-----BEGIN PRIVATE KEY/)
  expect((await parsePrivateKey(plain, undefined)).equals(key)).toBe(true)
  const encrypted = await toPem(key, { passphrase: 'x', scryptCost })
  expect(encrypted).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY/)
  expect((await parsePrivateKey(encrypted, 'x')).equals(key)).toBe(true)
})

test('a passphrase longer than OpenSSL reads is refused', async () => {
  const fits = '\u20ac'.repeat(341)
  await toPem(ecKey(), { passphrase: fits, scryptCost })
  await expect(toPem(ecKey(), { passphrase: `${fits}12`, scryptCost })).rejects.toThrow(
    StartupError,
  )
})

test.each([
  [undefined, false],
  ['eleven char', true],
  ['twelve chars', false],
  // Characters, not code units.
  ['\u{1f511}'.repeat(11), true],
  ['\u{1f511}'.repeat(12), false],
])('passphraseWarning(%j) warns: %s', (passphrase, isWarned) => {
  const warning = passphraseWarning(passphrase)
  expect(warning === undefined).toBe(!isWarned)
  expect(warning ?? '').not.toContain(passphrase ?? 'undefined')
})
