import { z } from 'zod'

const answerSchema = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({ severity: z.string(), range: z.string(), via: z.array(z.unknown()) }),
  ),
})
/** Problems of this project, such as a missing or unreadable lock file. They have a code. */
const faultSchema = z.object({ error: z.object({ code: z.string(), summary: z.string() }) })
/** The registry gave npm no report. */
const noAnswerSchema = z.object({ message: z.string() })
const advisorySchema = z.object({ title: z.string(), url: z.string() })

/**
 * Judges what `npm audit --json` printed.
 *
 * @returns `ok: false` for a vulnerability of any severity, and for output that is not from npm.
 */
export function judgeAudit(output: string): { ok: boolean; lines: string[] } {
  const report = parseJson(output)
  const answer = answerSchema.safeParse(report).data
  if (answer !== undefined) {
    const lines = Object.entries(answer.vulnerabilities).map(
      ([name, { severity, range, via }]) => `${name} ${range}: ${severity}. ${reasons(via)}`,
    )
    if (lines.length > 0) return { ok: false, lines }
    return { ok: true, lines: ['Audit: no known vulnerability in a production dependency.'] }
  }
  const fault = faultSchema.safeParse(report).data
  if (fault !== undefined) {
    return { ok: false, lines: [`npm audit failed: ${fault.error.code}. ${fault.error.summary}`] }
  }
  const noAnswer = noAnswerSchema.safeParse(report).data
  if (noAnswer !== undefined) {
    return {
      ok: true,
      lines: [`Audit: NOT DONE. The registry did not answer: ${noAnswer.message}`],
    }
  }
  return { ok: false, lines: ['npm audit printed something other than a report.'] }
}

/** The titles of the advisories, or the dependencies that cause the vulnerability. */
function reasons(via: readonly unknown[]): string {
  return via
    .map((reason) => {
      const advisory = advisorySchema.safeParse(reason).data
      return advisory === undefined
        ? `Through ${String(reason)}.`
        : `${advisory.title}: ${advisory.url}`
    })
    .join(' ')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
