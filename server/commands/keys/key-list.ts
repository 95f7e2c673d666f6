import { basename } from 'node:path'
import { readFolder, type KeyFolder } from '../../keystore/folder.ts'
import type { KeyState } from '../../keystore/stored-key.ts'
import { curveName } from '../../keystore/key-type.ts'
import type { KeyUse } from '../../../protocol/algorithms.ts'
import { toTable } from '../table.ts'

/** A key as `npm run keys -- list` shows it. Times are RFC 3339. */
export interface KeyDescription {
  readonly kid: string
  readonly use: KeyUse
  readonly alg: string
  /** `null` for RSA. */
  readonly crv: string | null
  readonly state: KeyState
  readonly created: string
  /** When a previous key may be removed; `null` for other keys. */
  readonly retires: string | null
  readonly encrypted: boolean
  readonly file: string
  readonly warnings: readonly string[]
}

const ORDER: readonly KeyState[] = ['current', 'next', 'previous']

/** Describes every key of a folder, ordered by use and state. */
export async function describeKeys(folder: KeyFolder): Promise<KeyDescription[]> {
  const { keys } = await readFolder(folder)
  return keys
    .map((key) => ({
      kid: key.kid,
      use: key.use,
      alg: key.alg,
      crv: curveName(key.key) ?? null,
      state: key.state,
      created: new Date(key.createdAt).toISOString(),
      retires: key.record?.retires ?? null,
      encrypted: key.encrypted,
      file: key.path,
      warnings: key.warnings,
    }))
    .sort(
      (a, b) =>
        b.use.localeCompare(a.use) ||
        ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
        b.created.localeCompare(a.created),
    )
}

/** Formats the keys as a table for people, with warnings below it. */
export function keyTable(keys: readonly KeyDescription[]): string[] {
  if (keys.length === 0) return ['There are no keys.']
  const rows = [
    ['kid', 'use', 'algorithm', 'curve', 'state', 'created', 'retires', 'file'],
    ...keys.map(({ kid, use, alg, crv, state, created, retires, file }) => [
      kid,
      use,
      alg,
      crv ?? '-',
      state,
      created.slice(0, 16).replace('T', ' '),
      retires?.slice(0, 16).replace('T', ' ') ?? '-',
      basename(file),
    ]),
  ]
  return [
    ...toTable(rows),
    ...keys.flatMap(({ warnings }) => warnings.map((warning) => `Warning: ${warning}`)),
  ]
}

/**
 * Warns of curves on which every encryption key is about to retire: a client proves that it holds its
 * key with one of the server's on the same curve.
 */
export function curveWarnings(keys: readonly KeyDescription[]): string[] {
  const encryption = keys.filter(({ use }) => use === 'enc')
  const inUse = new Set(encryption.map(({ state, crv }) => (state === 'previous' ? '' : crv)))
  const retirements = new Map<string, string>()
  for (const { crv, retires } of encryption) {
    if (crv === null || retires === null || inUse.has(crv)) continue
    const latest = retirements.get(crv) ?? ''
    retirements.set(crv, retires > latest ? retires : latest)
  }
  return [...retirements].map(
    ([crv, retires]) =>
      `Warning: clients with key-bound tokens on ${crv} have to sign in again, with a new key, once the last encryption key on that curve retires (${retires}).`,
  )
}
