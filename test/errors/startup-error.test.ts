import { expect, test } from '@jest/globals'
import { StartupError, together } from '../../server/errors/startup-error.ts'

const failing = (...problems: string[]) => Promise.reject(new StartupError(problems))

test('a StartupError lists its problems, one a line in its message', () => {
  const error = new StartupError(['First.', 'Second.'])
  expect(error).toMatchObject({
    name: 'StartupError',
    problems: ['First.', 'Second.'],
    message: 'First.\nSecond.',
  })
})

test('together() returns the results of all steps in their order', async () => {
  const slow = new Promise<string>((resolve) =>
    setTimeout(() => {
      resolve('slow')
    }, 20),
  )
  expect(await together(slow, Promise.resolve(2), Promise.resolve(undefined))).toEqual([
    'slow',
    2,
    undefined,
  ])
})

test('together() of no steps returns no results', async () => {
  expect(await together()).toEqual([])
})

test('the problems of all failing steps are reported together, in their order', async () => {
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => {
      reject(new StartupError(['Late.']))
    }, 20),
  )
  const error = await together(late, Promise.resolve(1), failing('A.', 'B.')).catch(
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(StartupError)
  expect((error as StartupError).problems).toEqual(['Late.', 'A.', 'B.'])
})

test('an unexpected error is thrown as it is, whatever else failed', async () => {
  const fault = new TypeError('a fault of ours')
  await expect(together(failing('A.'), Promise.reject(fault))).rejects.toBe(fault)
})

test('a failure waits for the other steps, so that none continues in the background', async () => {
  let done = false
  const slow = new Promise<void>((resolve) =>
    setTimeout(() => {
      done = true
      resolve()
    }, 50),
  )
  await expect(together(failing('A.'), slow)).rejects.toThrow('A.')
  expect(done).toBe(true)
})
