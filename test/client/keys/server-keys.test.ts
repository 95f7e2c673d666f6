import { expect, test } from '@jest/globals'
import { readKeySet } from '../../../client/keys/server-keys.ts'

test.each([null, 'keys', 1, [], {}, { keys: {} }, { keys: 'x' }, { keys: [null, 1, [], {}] }])(
  'readKeySet finds no keys in %j',
  async (body) => {
    expect(await readKeySet(body)).toEqual([])
  },
)
