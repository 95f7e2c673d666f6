/** For `jest.useFakeTimers({ doNotFake })`: a test moves the intervals, and files and sockets take their own time. */
export const ALL_BUT_INTERVALS = [
  ...(['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
  ...(['setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout'] as const),
]
