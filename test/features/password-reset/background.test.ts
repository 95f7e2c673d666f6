import { expect, test } from '@jest/globals'
import { createBackground } from '../../../server/features/password-reset/background.ts'

/** Work that ends when `end` is called. */
function work(log: string[], name: string) {
  let end: () => void = () => undefined
  const promise = new Promise<void>((resolve) => (end = resolve))
  return {
    end,
    run: async () => {
      log.push(`${name} begins`)
      await promise
      log.push(`${name} ends`)
    },
  }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('queued tasks run one at a time, in order, after the caller continues', async () => {
  const log: string[] = []
  const background = createBackground()
  const [a, b] = [work(log, 'a'), work(log, 'b')]
  background.run(a.run)
  background.run(b.run)
  log.push('answered')
  await turn()
  expect(log).toEqual(['answered', 'a begins'])
  b.end()
  await turn()
  expect(log).toEqual(['answered', 'a begins'])
  a.end()
  await background.idle()
  expect(log).toEqual(['answered', 'a begins', 'a ends', 'b begins', 'b ends'])
})

test('unfinished tasks are counted', async () => {
  const background = createBackground()
  const [a, b, c] = [work([], 'a'), work([], 'b'), work([], 'c')]
  expect(background.size).toBe(0)
  for (const { run } of [a, b, c]) background.run(run)
  await turn()
  expect(background.size).toBe(3)
  for (const { end } of [a, b, c]) end()
  await background.idle()
  expect(background.size).toBe(0)
})

test('tracked tasks do not delay queued ones, and idle waits for them', async () => {
  const log: string[] = []
  const background = createBackground()
  const [a, b] = [work(log, 'a'), work(log, 'b')]
  background.track(a.run())
  background.run(b.run)
  b.end()
  await turn()
  expect(log).toEqual(['a begins', 'b begins', 'b ends'])
  expect(background.size).toBe(1)
  let isIdle = false
  const idle = background.idle().then(() => (isIdle = true))
  await turn()
  expect(isIdle).toBe(false)
  a.end()
  await idle
  expect(log.at(-1)).toBe('a ends')
})

test('idle waits for tasks that its tasks add', async () => {
  const log: string[] = []
  const background = createBackground()
  const [a, b, c] = [work(log, 'a'), work(log, 'b'), work(log, 'c')]
  background.run(async () => {
    await a.run()
    background.track(
      b.run().then(() => {
        background.run(c.run)
      }),
    )
  })
  let isIdle = false
  const idle = background.idle().then(() => (isIdle = true))
  for (const { end } of [a, b]) {
    end()
    await turn()
    expect(isIdle).toBe(false)
  }
  c.end()
  await idle
  expect(log.at(-1)).toBe('c ends')
})

test('without tasks idle resolves at once', async () => {
  await expect(createBackground().idle()).resolves.toBeUndefined()
})
