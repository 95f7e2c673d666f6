/** One instruction of a Dockerfile, with `NAME=value` flags apart. */
export interface Instruction {
  readonly name: string
  readonly flags: Readonly<Record<string, string>>
  /** The words of the exec form, else the whole text in one. */
  readonly args: readonly string[]
  readonly isExec: boolean
}

export interface Stage {
  readonly from: string
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

/**
 * Parses the part of the Dockerfile language that ours uses: no ARG, here-documents or directives.
 *
 * @throws Error if an instruction comes before the first FROM.
 */
export function parseDockerfile(text: string): Stage[] {
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = []
  const lines = text.replace(/^\s*#.*\n/gm, '').replace(/\\\n/g, ' ')
  for (const line of lines.split('\n')) {
    if (line.trim() === '') continue
    const instruction = parseInstruction(line.trim())
    if (instruction.name === 'FROM') {
      const [from = '', , name] = instruction.args.join(' ').split(/\s+/)
      stages.push({ from, name, instructions: [] })
    } else {
      const stage = stages.at(-1)
      if (stage === undefined) throw new Error(`${instruction.name} comes before FROM.`)
      stage.instructions.push(instruction)
    }
  }
  return stages
}

function parseInstruction(line: string): Instruction {
  const [, name = '', flagText = '', rest = ''] = /^(\w+)((?:\s+--\S+)*)\s+(.*)$/.exec(line) ?? []
  const flags = Object.fromEntries(
    [...flagText.matchAll(/--([\w-]+)=(\S+)/g)].map(([, flag, value]) => [flag, value]),
  ) as Record<string, string>
  // HEALTHCHECK has another instruction in it.
  const command = name.toUpperCase() === 'HEALTHCHECK' ? rest.replace(/^CMD\s+/i, '') : rest
  const isExec = command.startsWith('[')
  const args = isExec ? (JSON.parse(command) as string[]) : [command]
  return { name: name.toUpperCase(), flags, args, isExec }
}

/**
 * Reads a .dockerignore. As in Docker, the last pattern that matches a path or one of its folders
 * decides.
 *
 * @returns Whether a path, relative to the project and with `/`, is left out of the build.
 */
export function parseIgnore(text: string): (path: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isKept = line.startsWith('!')
      return { isKept, pattern: toPattern(isKept ? line.slice(1) : line) }
    })
  return (path) => {
    const parts = path.split('/')
    const paths = parts.map((_, index) => parts.slice(0, index + 1).join('/'))
    const last = rules.findLast(({ pattern }) => paths.some((prefix) => pattern.test(prefix)))
    return last !== undefined && !last.isKept
  }
}

function toPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*|\?|[.+^${}()|[\]\\]/g, (found) => {
    if (found === '**/') return '(?:.*/)?'
    if (found === '*') return '[^/]*'
    return found === '?' ? '[^/]' : `\\${found}`
  })
  return new RegExp(`^${source}$`)
}
