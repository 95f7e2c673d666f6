/** Timers that a test moves, while files, sockets and keys take their own time. */
import { setTimeout as delay } from 'node:timers/promises'
import { jest } from '@jest/globals'

const OTHERS = [
  ...(['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
  ...(['setImmediate', 'clearImmediate'] as const),
]

/** From now on, intervals pass by `jest.advanceTimersByTime` alone. */
export function fakeIntervals(): void {
  jest.useFakeTimers({ doNotFake: [...OTHERS, 'setTimeout', 'clearTimeout'] })
}

/** From now on, timeouts pass by `pass`, `hurry` and `jest.advanceTimersByTime` alone. */
export function fakeTimeouts(): void {
  jest.useFakeTimers({ doNotFake: [...OTHERS, 'setInterval', 'clearInterval'] })
}

/** Waits, in real time, for something to become true. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5)
}

/** Moves fake time on, milliseconds, once as many timeouts as that are waiting. */
export async function pass(time: number, timeouts: number): Promise<void> {
  await until(() => jest.getTimerCount() === timeouts)
  await jest.advanceTimersByTimeAsync(time)
}

/** Moves fake time on until `work` is done; resolves to the milliseconds that it took. */
export async function hurry(work: Promise<unknown>): Promise<number> {
  const state = { isDone: false }
  const end = () => {
    state.isDone = true
  }
  void work.then(end, end)
  let time = 0
  for (; !state.isDone; time += 500) {
    await jest.advanceTimersByTimeAsync(500)
    await delay(5)
  }
  return time
}
