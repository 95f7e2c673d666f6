import { expect, test } from '@jest/globals'
import { join } from 'node:path'
import { OpenedKeys, readKey } from '../../server/keystore/read-key.ts'
import { ecKey, emptyFolder, fill, pkcs8 } from './fixtures.ts'

test('a bug is not reported as a fault of the file', async () => {
  const folder = await emptyFolder()
  await fill(folder, { 'sig.key': pkcs8(ecKey()) })
  const fault = new RangeError('out of memory')
  const opened = Object.assign(new OpenedKeys(), { open: () => Promise.reject(fault) })
  await expect(readKey(join(folder, 'sig.key'), undefined, opened)).rejects.toBe(fault)
})
