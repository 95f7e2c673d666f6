/** Prints a line of figures next to the test's output. */
export const report = (line: string): void => void process.stderr.write(`  ${line}\n`)

/** A whole number in readable form, such as 20,000. */
export const count = (number: number): string => number.toLocaleString('en-US')

/** How often each value occurs, the most frequent first: `400: 318, 401: 2`. */
export function tally(values: Iterable<string | number>): string {
  const counts = new Map<string | number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([value, often]) => `${value}: ${count(often)}`)
    .join(', ')
}

/** The q-th quantile of some numbers. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
}
