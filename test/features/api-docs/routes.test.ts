import { expect, test } from '@jest/globals'
import { Validator } from '@seriousme/openapi-schema-validator'
import { compose } from '../../../server/composition.ts'
import type { Feature, FeatureParts } from '../../../server/feature.ts'
import { describeApi } from '../../../server/features/api-docs/document.ts'
import { apiDocs } from '../../../server/features/api-docs/index.ts'
import { features } from '../../../server/features.ts'
import { createEphemeralKeystore } from '../../../server/keystore/keystore.ts'
import { createLogger } from '../../../server/log/logger.ts'
import { createRouter } from '../../../server/routes.ts'
import { createFeatures } from '../../../server/start.ts'
import { apiDocument } from '../../support/api-document.ts'
import { testConfig } from '../../support/config.ts'
import { openTestDatabase } from '../../support/database.ts'
import { isInDocs } from './pages.ts'
import { ALL_ON } from './variables.ts'

const validator = new Validator()

/** The document of a server with these features, and the routes that its router really has. */
async function apiOf(list: readonly Feature[], production: boolean) {
  const config = testConfig({ production }, ALL_ON, list)
  const keystore = await createEphemeralKeystore(config.algorithms)
  const database = await openTestDatabase()
  try {
    const core = compose({ config, keystore, database, logger: createLogger('silent') })
    const parts = await createFeatures(core, list)
    let document: object = {}
    const reader: FeatureParts = {
      routes(table) {
        document = describeApi(table.routes, config.publicUrl, '1.2.3')
      },
    }
    const router = createRouter(core, [...parts, reader])
    for (const { stop } of parts) await stop?.()
    const real = router.stack.flatMap(({ methods, path }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
    )
    return { ...apiDocument(document), real }
  } finally {
    await database.destroy()
  }
}

test.each<[string, readonly Feature[], boolean]>([
  ['with all features', features, false],
  ['in production', features, true],
  ['with only this feature', [apiDocs], false],
  ...features.map((out, index): [string, readonly Feature[], boolean] => [
    `without feature ${index}`,
    features.filter((feature) => feature !== out),
    false,
  ]),
])(
  "%s, the document is valid and lists exactly the server's routes",
  async (_, list, production) => {
    const { document, routes, real } = await apiOf(list, production)
    const { valid, errors } = await validator.validate({ ...document })
    expect([valid, errors]).toEqual([true, undefined])
    const documented = routes.map((route) => route.replaceAll(/\{(\w+)\}/g, ':$1'))
    expect(documented.sort()).toEqual(real.sort())
    expect(real.length).toBeGreaterThan(18)
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item))
    const described = routes.filter((_, index) => operations[index]?.summary !== undefined)
    expect(routes.filter((route) => isInDocs(route) && !described.includes(route))).toEqual([])
    const ids = operations.map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  },
)
