/** An error to show to the user as one sentence. */
export class CallError extends Error {
  /** 1 if the call failed, 2 if the arguments are wrong. */
  readonly exitCode: number

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
