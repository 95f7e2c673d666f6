import { expect, test } from '@jest/globals'
import { ownSessions } from '../../../server/features/own-sessions/index.ts'
import { TestClient } from '../../support/client.ts'
import { UNLIMITED } from '../../support/config.ts'
import { isAccepted, violations } from '../../support/history.ts'
import { record } from '../../support/record-history.ts'
import { startTestServer } from '../../support/server.ts'

test('many concurrent operations, with sessions ended from elsewhere, have a consistent history', async () => {
  const server = await startTestServer({
    features: [ownSessions],
    config: { rateLimits: UNLIMITED },
  })
  try {
    const client = await TestClient.registered(server.url)
    const seeds = Array.from({ length: Number(process.env['SEEDS'] ?? 1) }, (_, i) => i + 1)
    for (const seed of seeds) {
      const history = await record(client, seed, 300)
      expect(violations(history)).toEqual([])
      const kinds = history.filter(isAccepted).map(({ kind }) => kind)
      expect(kinds).toEqual(expect.arrayContaining(['endOne', 'endOthers']))
    }
  } finally {
    await server.stop()
  }
}, 300_000)
