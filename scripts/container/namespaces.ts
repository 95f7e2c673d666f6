/** Runs commands as a container engine would, in namespaces of their own. Needs root and util-linux. */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface User {
  readonly uid: number
  readonly gid: number
}
export const ROOT: User = { uid: 0, gid: 0 }
/** The user `node` of the official images. */
export const NODE: User = { uid: 1000, gid: 1000 }

/** Programs and libraries of this machine that take the place of a base image. */
export interface Base {
  /** The `node` program. */
  readonly node: string
  /** The folder of npm. */
  readonly npm: string
  readonly npmCache: string
}

export interface Container {
  /** The folder that becomes `/`. */
  readonly root: string
  readonly base: Base
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: User
  /** Path in the container → folder outside. If there are any, only they and /tmp are writable. */
  readonly volumes?: Readonly<Record<string, string>>
}

/** $1: root, $2: node, $3: npm, $4: its cache; then pairs of volumes, `--`, and the command. */
const SETUP = `set -e
root=$1 node=$2 npm=$3 cache=$4
shift 4
mount --make-rprivate /
mount --rbind "$root" "$root"
for folder in usr bin sbin lib lib64 dev etc/ssl; do
  [ -e "/$folder" ] || continue
  mkdir -p "$root/$folder"
  mount --rbind "/$folder" "$root/$folder"
done
mkdir -p "$root/proc" "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/usr/local"
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib/node_modules/npm" "$root/tmp/npm"
cp "$node" "$root/usr/local/bin/node"
mount --bind "$npm" "$root/usr/local/lib/node_modules/npm"
mount --bind "$cache" "$root/tmp/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
volumes=
while [ "$1" != -- ]; do
  mount --bind "$2" "$root/$1"
  volumes=yes
  shift 2
done
shift
[ -z "$volumes" ] || mount -o remount,bind,ro "$root"
exec "$@"`

/** Starts a command as PID 1 of a container. The network is that of this machine. */
export function startContainer(
  { root, base, workdir, env, user, volumes = {} }: Container,
  command: readonly string[],
): ChildProcess {
  const environment = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...env,
  }
  return spawn('unshare', [
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--',
    'sh',
    '-c',
    SETUP,
    'sh',
    root,
    base.node,
    base.npm,
    base.npmCache,
    ...Object.entries(volumes).flat(),
    '--',
    'chroot',
    `--userspec=${user.uid}:${user.gid}`,
    '--groups=',
    root,
    'env',
    '--ignore-environment',
    `--chdir=${workdir}`,
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...command,
  ])
}

/** Starts a command inside a running container, as a health check does. */
export function enterContainer(
  container: ChildProcess,
  { workdir, env, user }: Container,
  command: readonly string[],
): ChildProcess {
  return spawn('nsenter', [
    `--target=${firstProcess(container)}`,
    '--mount',
    '--pid',
    '--root',
    `--setgid=${user.gid}`,
    `--setuid=${user.uid}`,
    '--',
    '/usr/bin/env',
    '--ignore-environment',
    `--chdir=${workdir}`,
    'PATH=/usr/local/bin:/usr/bin:/bin',
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...command,
  ])
}

/** The pid on the host of a container's PID 1. */
export function firstProcess({ pid = 0 }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
}

/** Everything that a command prints, and its exit code, or the signal that ended it. */
export async function finish(
  child: ChildProcess,
  seconds = 300,
): Promise<{ code: number | string; output: string }> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => (output += String(chunk)))
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 'unknown')
    })
  })
  const timer = new AbortController()
  const late = delay(seconds * 1000, 'timeout', { signal: timer.signal }).catch(() => 'timeout')
  const code = await Promise.race([ended, late])
  timer.abort()
  if (code === 'timeout') child.kill('SIGKILL')
  return { code, output }
}
