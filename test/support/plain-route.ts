import { defineFeature } from '../../server/feature.ts'

export const PLAIN_PATH = '/plain'

/** A route of one's own, for whoever is signed in: `GET` and `DELETE`. */
export const plainRoute = defineFeature({
  create: () => ({
    routes: ({ signedIn }) => {
      for (const method of ['GET', 'DELETE'] as const) {
        signedIn(method, PLAIN_PATH, (ctx) => {
          ctx.body = {}
        })
      }
    },
  }),
})
