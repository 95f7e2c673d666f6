import { StartupError } from '../errors/startup-error.ts'

/** Takes lines for a stream. */
export const writeTo = (stream: NodeJS.WriteStream) => (line: string) =>
  void stream.write(`${line}\n`)

/**
 * Runs a command with the arguments of this process, whose exit code it sets. What the operator has to
 * put right goes to stderr.
 *
 * @param command Returns the exit code.
 */
export async function runCommand(
  command: (args: readonly string[]) => Promise<number>,
): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader such as `head` may leave early.
    if (error.code !== 'EPIPE') throw error
  })
  try {
    process.exitCode = await command(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    error.problems.forEach(writeTo(process.stderr))
    process.exitCode = 1
  }
}
