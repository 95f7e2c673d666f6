import { expect, jest, test } from '@jest/globals'
import { createMetrics, metrics } from '../../../server/features/metrics/index.ts'
import { startTestServer } from '../../support/server.ts'

const loaded = jest.fn(() => {
  throw new Error('prom-client was loaded.')
})
jest.unstable_mockModule('prom-client', loaded)

test.each([{}, { METRICS_PORT: '' }])(
  'without METRICS_PORT prom-client is not loaded: %j',
  async (variables) => {
    const server = await startTestServer({ features: [metrics], variables })
    await server.stop()
    expect(loaded).not.toHaveBeenCalled()
    expect(server.logs.join('')).not.toContain('Metrics')
  },
)

test('with a port prom-client is loaded', async () => {
  await expect(startTestServer({ features: [createMetrics({ port: 0 })] })).rejects.toThrow(
    'prom-client was loaded.',
  )
})
