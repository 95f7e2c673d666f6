/** Builds the stages of a Dockerfile into folders, without a container engine. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { parseDockerfile, parseIgnore, type Instruction } from './dockerfile.ts'
import { finish, NODE, ROOT, startContainer, type Base, type Container } from './namespaces.ts'

export interface Image extends Container {
  /** The commands of the last stage. */
  readonly command: Instruction
  readonly healthCheck: Instruction
  /** The images of a registry that the stages are built on. */
  readonly bases: ReadonlySet<string>
}

/** What the official images have that programs look up. */
const USERS = { 'etc/passwd': 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n' }
const FILES = { ...USERS, 'etc/group': 'root:x:0:\nnode:x:1000:\n' }
/** So that `npm ci` gets its packages. */
const FROM_HOST = ['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf']

interface Options {
  /** The text of the Dockerfile, and that of the .dockerignore. */
  readonly dockerfile: string
  readonly ignore: string
  /** The project's folder. */
  readonly context: string
  /** Where the stages' folders are made. */
  readonly scratch: string
  readonly base: Base
  readonly print: (line: string) => void
}

/**
 * Runs every instruction, each RUN as the user that it would have.
 *
 * @throws Error if one fails, or is not known here.
 */
export async function buildImage(options: Options): Promise<Image> {
  const { scratch, base } = options
  const stages = parseDockerfile(options.dockerfile)
  const built = new Map<string, Image>()
  const bases = new Set<string>()
  for (const [index, { from, name = String(index), instructions }] of stages.entries()) {
    const root = join(scratch, name)
    const parent = built.get(from)
    if (parent === undefined) bases.add(from)
    if (parent === undefined) makeRoot(root)
    else copy(parent.root, root)
    let image = { workdir: '/', env: {}, user: ROOT, ...parent, root, base, bases } as Image
    for (const instruction of instructions) image = await apply(image, instruction, built, options)
    built.set(name, image)
  }
  const last = [...built.values()].at(-1)
  if (last === undefined) throw new Error('The Dockerfile has no FROM.')
  return last
}

function makeRoot(root: string): void {
  mkdirSync(join(root, 'etc'), { recursive: true })
  for (const [path, text] of Object.entries(FILES)) writeFileSync(join(root, path), text)
  for (const path of FROM_HOST) cpSync(path, join(root, path), { dereference: true })
}

async function apply(
  image: Image,
  instruction: Instruction,
  built: ReadonlyMap<string, Image>,
  options: Options,
): Promise<Image> {
  const { name, args, isExec } = instruction
  const [text = ''] = args
  switch (name) {
    case 'WORKDIR':
      mkdirSync(join(image.root, text), { recursive: true })
      return { ...image, workdir: text }
    case 'ENV':
      return { ...image, env: { ...image.env, ...parseEnvironment(text) } }
    case 'USER':
      return { ...image, user: text === 'node' ? NODE : ROOT }
    case 'COPY':
      copyInto(image, instruction, built, options)
      return image
    case 'RUN': {
      const startedAt = performance.now()
      const command = isExec ? args : ['sh', '-c', text]
      const env = { ...image.env, HOME: '/tmp', npm_config_cache: '/tmp/npm' }
      // A registry behind a proxy may have a certificate that only this machine trusts.
      const { NODE_EXTRA_CA_CERTS: ca } = process.env
      const trust = ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: ca }
      const online = { ...env, ...trust, npm_config_prefer_offline: 'true' }
      const { code, output } = await finish(startContainer({ ...image, env: online }, command))
      if (code !== 0) throw new Error(`RUN ${args.join(' ')} ended with ${code}:\n${output}`)
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
      options.print(`RUN ${args.join(' ')} (${seconds} s)`)
      return image
    }
    case 'CMD':
      return { ...image, command: instruction }
    case 'HEALTHCHECK':
      return { ...image, healthCheck: instruction }
    case 'EXPOSE':
      return image
    default:
      throw new Error(`The test does not know ${name}. Teach it in build-image.ts.`)
  }
}

/** `A=1 B=2`, without quotes. */
const parseEnvironment = (text: string): Record<string, string> =>
  Object.fromEntries(text.split(/\s+/).map((pair) => pair.split('=') as [string, string]))

function copyInto(
  image: Image,
  { args, flags }: Instruction,
  built: ReadonlyMap<string, Image>,
  { context, ignore }: Options,
): void {
  const { from, ...unknown } = flags
  if (Object.keys(unknown).length > 0)
    throw new Error('The test knows only the flag --from of COPY.')
  const words = args.join(' ').split(/\s+/)
  const to = words.pop() ?? ''
  const source = from === undefined ? context : built.get(from)?.root
  if (source === undefined) throw new Error(`There is no stage ${from}.`)
  const isIgnored = from === undefined ? parseIgnore(ignore) : () => false
  for (const word of words) {
    const path = join(source, word)
    const isFolder = statSync(path).isDirectory()
    const target = join(image.root, image.workdir, to, isFolder ? '' : basename(word))
    if (from !== undefined) {
      copy(path, target)
      continue
    }
    for (const file of isFolder ? filesBelow(path, context, isIgnored) : [path]) {
      const copied = isFolder ? join(target, relative(path, file)) : target
      if (isIgnored(relative(context, file))) throw new Error(`COPY ${word}: .dockerignore has it.`)
      mkdirSync(dirname(copied), { recursive: true })
      cpSync(file, copied)
    }
  }
}

function filesBelow(
  folder: string,
  context: string,
  isIgnored: (path: string) => boolean,
): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !isIgnored(relative(context, join(folder, entry.name))))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesBelow(path, context, isIgnored) : [path]
    })
}

/** The contents of a folder, or a file, with owners and modes. */
function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  const { status, stderr } = spawnSync('cp', ['--archive', '--no-target-directory', from, to])
  if (status !== 0) throw new Error(String(stderr))
}
