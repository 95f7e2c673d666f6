import { defineFeature } from '../../server/feature.ts'
import { requireScope } from '../../server/http/require-scope.ts'

export const SCOPED_PATH = '/administration'

/** A route that needs the scope `admin`. */
export const scopedRoute = defineFeature({
  create: () => ({
    routes: ({ signedIn }) => {
      signedIn('GET', SCOPED_PATH, requireScope('admin'), (ctx) => {
        ctx.body = {}
      })
    },
  }),
})
