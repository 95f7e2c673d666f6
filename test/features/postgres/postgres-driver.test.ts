import { expect, jest, test } from '@jest/globals'
import type { Pool } from 'pg'
import { PooledDriver } from '../../../server/features/postgres/postgres-driver.ts'

/** A driver whose server cancels some statements, and what its connection was released with. */
function driverCancelling(...cancelled: string[]) {
  const release = jest.fn()
  const query = ({ text }: { text: string }) => {
    if (!cancelled.includes(text)) {
      return Promise.resolve({ command: text.toUpperCase(), rowCount: null, rows: [] })
    }
    const error = new Error('canceling statement due to statement timeout')
    return Promise.reject(Object.assign(error, { severity: 'ERROR', code: '57014' }))
  }
  const pool = { connect: () => Promise.resolve({ query, release }) } as unknown as Pool
  return { driver: new PooledDriver(pool, { now: 1000 }), release }
}

test.each([
  [[], false],
  [['rollback'], true],
])(
  'if the server cancels %j, a rolled back connection is given up: %s',
  async (cancelled, isGivenUp) => {
    const { driver, release } = driverCancelling(...cancelled)
    const connection = await driver.acquireConnection()
    await driver.beginTransaction(connection)
    await driver.rollbackTransaction(connection)
    await driver.releaseConnection(connection)
    // Another request must not go on in this transaction.
    expect(release).toHaveBeenCalledWith(isGivenUp)
  },
)
