import { expect, test } from '@jest/globals'
import { createClosers } from '../server/closers.ts'

test('closes the last first, one after the other, and each once', async () => {
  const closers = createClosers()
  const closed: string[] = []
  closers.add(() => void closed.push('first'))
  closers.add(async () => {
    await Promise.resolve()
    closed.push('last')
  })
  await closers.close()
  await closers.close()
  expect(closed).toEqual(['last', 'first'])
})

test('closes the rest after one that fails, and throws the first error', async () => {
  const closers = createClosers()
  const closed: string[] = []
  closers.add(() => void closed.push('first'))
  closers.add(() => {
    throw new Error('second')
  })
  closers.add(() => Promise.reject(new Error('third')))
  await expect(closers.close()).rejects.toThrow('third')
  expect(closed).toEqual(['first'])
})
