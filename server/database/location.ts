/** Where a database is: the absolute path of a SQLite file, `:memory:`, or the URL of another one. */
const URL_SCHEME = /^[a-z][a-z0-9+.-]*(?=:\/\/)/

/** The scheme of a database's URL; `undefined` for SQLite. */
export const schemeOf = (location: string): string | undefined => URL_SCHEME.exec(location)?.[0]

/** A location without user, password and parameters, for people and the log. */
export function describeDatabase(location: string): string {
  if (schemeOf(location) === undefined) return location
  const { protocol, host, pathname } = new URL(location)
  return `${protocol}//${host}${pathname}`
}
