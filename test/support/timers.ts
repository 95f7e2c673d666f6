/** Fake timers, while files, sockets and cryptography run in real time. */
import { setTimeout as delay } from 'node:timers/promises'
import { jest } from '@jest/globals'

const OTHERS = [
  ...(['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
  ...(['setImmediate', 'clearImmediate'] as const),
]

/** From now on, only `jest.advanceTimersByTime` makes intervals elapse. */
export function fakeIntervals(): void {
  jest.useFakeTimers({ doNotFake: [...OTHERS, 'setTimeout', 'clearTimeout'] })
}

/** From now on, only `pass`, `hurry` and `jest.advanceTimersByTime` make timeouts elapse. */
export function fakeTimeouts(): void {
  jest.useFakeTimers({ doNotFake: [...OTHERS, 'setInterval', 'clearInterval'] })
}

/** Waits in real time until a condition is true. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5)
}

/** Advances fake time by `time` milliseconds, once exactly `timeouts` timeouts are waiting. */
export async function pass(time: number, timeouts: number): Promise<void> {
  await until(() => jest.getTimerCount() === timeouts)
  await jest.advanceTimersByTimeAsync(time)
}

/**
 * Advances fake time until `work` settles, and resolves to the elapsed milliseconds. Time stands
 * still while no timeout is waiting.
 */
export async function hurry(work: Promise<unknown>): Promise<number> {
  const state = { isDone: false }
  const end = () => {
    state.isDone = true
  }
  void work.then(end, end)
  let time = 0
  while (!state.isDone) {
    if (jest.getTimerCount() > 0) {
      await jest.advanceTimersByTimeAsync(500)
      time += 500
    }
    await delay(5)
  }
  return time
}
