import { describe, expect, test } from '@jest/globals'
import { judgeAudit } from '../../scripts/audit-report.ts'

const judge = (report: unknown) => judgeAudit(JSON.stringify(report))

const vulnerable = {
  auditReportVersion: 2,
  vulnerabilities: {
    koa: {
      severity: 'low',
      range: '<3.0.1',
      via: [{ title: 'An open redirect', url: 'https://advisories.test/1' }],
    },
    '@koa/router': { severity: 'low', range: '*', via: ['koa'] },
  },
}

describe('an audit', () => {
  test('without a vulnerability passes', () => {
    const { ok, lines } = judge({ auditReportVersion: 2, vulnerabilities: {} })
    expect(ok).toBe(true)
    expect(lines).toEqual([expect.stringContaining('no known vulnerability')])
  })

  test('with a vulnerability of any severity fails, and names package and advisory', () => {
    const { ok, lines } = judge(vulnerable)
    expect(ok).toBe(false)
    expect(lines).toEqual([
      'koa <3.0.1: low. An open redirect: https://advisories.test/1',
      '@koa/router *: low. Through koa.',
    ])
  })

  test.each([
    { message: '405 Method Not Allowed', statusCode: 405, error: { summary: '', detail: '' } },
    { message: 'connect ECONNREFUSED 127.0.0.1:9', error: { summary: '', detail: '' } },
  ])('that the registry does not answer passes and says so: $message', (report) => {
    const { ok, lines } = judge(report)
    expect(ok).toBe(true)
    expect(lines).toEqual([expect.stringContaining(`NOT DONE`)])
    expect(lines[0]).toContain(report.message)
  })

  test('that fails for a reason of this project fails', () => {
    const { ok, lines } = judge({ error: { code: 'ENOLOCK', summary: 'No lock file.' } })
    expect(ok).toBe(false)
    expect(lines).toEqual([expect.stringContaining('ENOLOCK')])
  })

  test.each(['', 'npm: command not found', '[]', '{}'])(
    'with an unreadable report fails: %j',
    (output) => {
      expect(judgeAudit(output).ok).toBe(false)
    },
  )
})
