import { defineFeature } from '../../feature.ts'
import { requireScope } from '../../http/require-scope.ts'
import { adminRoutes } from './routes.ts'

/** Routes for administrators: an example of routes that need a scope. */
export const admin = defineFeature({
  create: (core) => ({
    routes: ({ signedIn }) => {
      const { list, endSessions } = adminRoutes(core)
      const isAdmin = requireScope('admin')
      signedIn('GET', '/admin/accounts', isAdmin, list)
      signedIn('DELETE', '/admin/accounts/:id/sessions', isAdmin, endSessions)
    },
  }),
})
