import { defineFeature } from '../../feature.ts'
import { ownSessionRoutes } from './routes.ts'

/** Shows people where they are signed in, and lets them end their sessions from elsewhere. */
export const ownSessions = defineFeature({
  create: (core) => ({
    routes: ({ signedIn }) => {
      const { list, endOne, endOthers } = ownSessionRoutes(core)
      signedIn('GET', '/account/sessions', list)
      signedIn('DELETE', '/account/sessions', endOthers)
      signedIn('DELETE', '/account/sessions/:session_id', endOne)
    },
  }),
})
