/** Where a database is: the absolute path of a SQLite file, `:memory:`, or a PostgreSQL URL. */

export const isPostgresUrl = (location: string): boolean => /^postgres(?:ql)?:/.test(location)

/** A location without user, password and parameters, for people and the log. */
export function describeDatabase(location: string): string {
  if (!isPostgresUrl(location)) return location
  const { host, pathname } = new URL(location)
  return `postgres://${host}${pathname}`
}
