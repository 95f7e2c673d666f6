/** The few things that tests need of a browser, alike for each engine. */

/** A browser. One profile at a time. */
export interface Engine {
  newProfile(): Promise<Profile>
  close(): Promise<unknown>
}

/** Pages that share their storage with each other, and with nothing else. */
export interface Profile {
  openTab(url: string): Promise<Tab>
  close(): Promise<unknown>
}

export interface Tab {
  /**
   * Runs a function in the page, which knows nothing but its argument.
   *
   * @param argument Anything that JSON can express, like the result.
   */
  evaluate<R, A = undefined>(run: (argument: A) => R | Promise<R>, argument?: A): Promise<R>
  reload(): Promise<unknown>
}

/** An expression for a promise of the result as JSON, `{ value }`. */
export const expressionOf = (run: (argument: never) => unknown, argument: unknown): string =>
  `Promise.resolve(${JSON.stringify(argument)}).then(${run.toString()})` +
  '.then((value) => JSON.stringify({ value }))'

/** The result, typed like that of the function in the page. */
export const resultOf = (json: string) => (JSON.parse(json) as { value: never }).value
