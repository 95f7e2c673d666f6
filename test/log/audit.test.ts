import { expect, test } from '@jest/globals'
import { audit } from '../../server/log/audit.ts'
import { createLogger } from '../../server/log/logger.ts'

/** What two audit events and another line leave in a log of this level. */
function logged(level: string) {
  const lines: string[] = []
  const logger = createLogger(level, { write: (line) => void lines.push(line) })
  const log = logger.child({ request_id: 'r1' })
  audit(log, 'login_failed', { client_id: 'c', source: '192.0.2.1' })
  audit(log, 'logout', { account_id: 'a' })
  log.info('not an event')
  return lines.map((line) => JSON.parse(line) as unknown)
}
const time = expect.any(String)
const EVENTS = [
  {
    level: 'warn',
    time,
    request_id: 'r1',
    audit: 'login_failed',
    msg: 'login_failed',
    client_id: 'c',
    source: '192.0.2.1',
  },
  { level: 'info', time, request_id: 'r1', audit: 'logout', msg: 'logout', account_id: 'a' },
]

test.each(['warn', 'error', 'fatal'])('at level %s only audit events are written', (level) => {
  expect(logged(level)).toEqual(EVENTS)
})

test.each(['trace', 'debug', 'info'])(
  'at level %s audit events are written like other lines',
  (level) => {
    expect(logged(level)).toEqual([...EVENTS, expect.objectContaining({ msg: 'not an event' })])
  },
)

test('a silent logger writes no audit event', () => {
  expect(logged('silent')).toEqual([])
})
