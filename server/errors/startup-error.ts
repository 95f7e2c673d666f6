/**
 * Problems that the operator must fix before the server can start. Each one says what is wrong and
 * what to do. All known problems are reported together.
 */
export class StartupError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'StartupError'
    this.problems = problems
  }
}

/**
 * Runs startup steps together and returns their results.
 *
 * @throws StartupError with the problems of all steps that fail.
 */
export async function together<T extends readonly Promise<unknown>[]>(
  ...steps: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(steps)
  const failures = settled
    .filter((result) => result.status === 'rejected')
    .map((result): unknown => result.reason)
  const unexpected = failures.find((failure) => !(failure instanceof StartupError))
  if (unexpected !== undefined) throw unexpected as Error
  if (failures.length > 0) {
    throw new StartupError(failures.flatMap((failure) => (failure as StartupError).problems))
  }
  return settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as never
}
