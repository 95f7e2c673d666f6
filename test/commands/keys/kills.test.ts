/** Kills commands at random moments. KILLS is their number; the same SEED gives the same moments. */
import { expect, test } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { generateKeys, rotateKeys } from '../../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../../server/keystore/folder.ts'
import { loadKeys, type KeySet } from '../../../server/keystore/key-set.ts'
import { bundled, PROJECT_ROOT } from '../../support/bundle.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import { DEFAULTS, emptyFolder, problemsOf } from '../../keystore/fixtures.ts'

const KILLS = Number(process.env['KILLS'] ?? 6)
const SEED = Number(process.env['SEED'] ?? 20_261_122)
/** A new folder after so many kills, because rotations accumulate previous keys. */
const KILLS_PER_FOLDER = 8

const random = mulberry32(SEED)
const COMMANDS = ['rotate', 'passphrase', 'generate'] as const
type Command = (typeof COMMANDS)[number]

interface Trial {
  readonly folder: KeyFolder & { passphrase: string }
  /** Every kid that was ever current. */
  readonly accepted: Set<string>
}

function start(command: Command, path: string, passphrase: string, fresh: string): ChildProcess {
  return spawn(process.execPath, [bundled('test/commands/keys/keys-program.ts'), command], {
    cwd: PROJECT_ROOT,
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      KEYS_DIR: path,
      PRIVATE_KEY_PASSPHRASE: passphrase,
      NEW_PRIVATE_KEY_PASSPHRASE: fresh,
      DATABASE_URL: 'file::memory:',
    },
  })
}

/** How long a command takes on this machine, milliseconds. */
interface Duration {
  readonly whole: number
  /** From taking the lock to the end. */
  readonly changing: number
}

async function locked(child: ChildProcess, path: string): Promise<void> {
  while (child.exitCode === null && !existsSync(join(path, '.lock'))) await delay(1)
}

async function measure(child: ChildProcess, path: string): Promise<Duration> {
  const ended = once(child, 'exit')
  const start = performance.now()
  await locked(child, path)
  const lock = performance.now()
  await ended
  return { whole: performance.now() - start, changing: performance.now() - lock }
}

/** Kills half of them at any time, and half while the folder is being changed. */
async function kill(child: ChildProcess, path: string, duration: Duration): Promise<string> {
  const ended = once(child, 'exit')
  if (random() < 0.5) {
    await Promise.race([delay(random() * duration.whole * 1.1), ended])
  } else {
    const wait = random() * duration.changing
    await locked(child, path)
    await Promise.race([delay(wait), ended])
  }
  child.kill('SIGKILL')
  await ended
  return child.signalCode ?? `exit ${child.exitCode}`
}

const currentKids = ({ sig, enc }: KeySet) => [sig.current.kid, enc.current.kid]
const acceptedKids = ({ sig, enc }: KeySet) =>
  [sig, enc].flatMap(({ current, previous }) => [current, ...previous].map(({ kid }) => kid))
const leftOvers = async (path: string) =>
  (await readdir(path)).filter((name) => name.startsWith('.'))

/** The one passphrase that opens every key of the folder, and its keys. */
async function open(folder: KeyFolder, ...passphrases: string[]) {
  const opened: { passphrase: string; set: KeySet }[] = []
  for (const passphrase of passphrases) {
    const set = await loadKeys({ ...folder, passphrase }).catch(() => undefined)
    if (set !== undefined) opened.push({ passphrase, set })
  }
  expect(opened).toHaveLength(1)
  return opened[0]!
}

async function newTrial(passphrase: string): Promise<Trial> {
  const folder = {
    path: await emptyFolder(),
    passphrase,
    algorithms: DEFAULTS,
    scryptCost: CHEAP_SCRYPT,
  }
  return { folder, accepted: new Set() }
}

test(
  `after each of ${KILLS} kills the folder has the keys from before or from after`,
  async () => {
    const outcomes: Record<string, number> = {}
    let trial = await newTrial('first')
    await generateKeys(trial.folder)

    const path = trial.folder.path
    const duration = await measure(start('rotate', path, 'first', 'other'), path)

    for (let n = 0; n < KILLS; n++) {
      const command = COMMANDS[n % COMMANDS.length]!
      const isGenerating = command === 'generate'
      if (n % KILLS_PER_FOLDER === KILLS_PER_FOLDER - 1) {
        trial = await newTrial('first')
        await generateKeys(trial.folder)
      }
      const { folder, accepted } = isGenerating ? await newTrial('first') : trial
      const passphrase = folder.passphrase
      const fresh = `passphrase ${n}`
      const before = isGenerating ? undefined : await loadKeys(folder)
      for (const kid of before === undefined ? [] : currentKids(before)) accepted.add(kid)

      const outcome = await kill(
        start(command, folder.path, passphrase, fresh),
        folder.path,
        duration,
      )

      let happened = false
      if (isGenerating && (await readdir(folder.path)).every((name) => /^\.(st|lo)/.test(name))) {
        expect((await problemsOf(loadKeys(folder)))[0]).toMatch(/^There are no keys/)
        await generateKeys(folder)
      } else {
        const after = await open(folder, passphrase, ...(command === 'passphrase' ? [fresh] : []))
        folder.passphrase = after.passphrase
        happened =
          before === undefined ||
          after.passphrase !== passphrase ||
          after.set.sig.current.kid !== before.sig.current.kid
        if (before !== undefined) {
          // Both uses, or neither.
          const isRotated = command === 'rotate' && happened
          expect(currentKids(after.set)).toEqual(
            isRotated ? [before.sig.next?.kid, before.enc.next?.kid] : currentKids(before),
          )
          expect(acceptedKids(after.set)).toEqual(expect.arrayContaining([...accepted]))
        }
        expect([after.set.sig.next, after.set.enc.next]).not.toContain(undefined)
      }
      const key = `${command}, ${outcome}: ${happened ? 'after' : 'before'}`
      outcomes[key] = (outcomes[key] ?? 0) + 1

      // The next command works, and removes the leftovers.
      const last = await loadKeys(folder)
      await rotateKeys(folder, Date.now(), 3_600_000)
      const next = await loadKeys(folder)
      expect(currentKids(next)).toEqual([last.sig.next?.kid, last.enc.next?.kid])
      expect(acceptedKids(next)).toEqual(expect.arrayContaining([...accepted]))
      expect(await leftOvers(folder.path)).toEqual([])
    }
    if (process.env['KILLS'] !== undefined) {
      process.stderr.write(`${KILLS} kills, seed ${SEED}: ${JSON.stringify(outcomes, null, 2)}\n`)
    }
  },
  30_000 + KILLS * 10_000,
)

/** Random numbers from 0 to 1, determined by the seed. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
