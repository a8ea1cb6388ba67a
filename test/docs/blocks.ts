/** Blocks of code in a Markdown text, and how each is run: as a reader would, in a folder of its own. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'

/** One fenced block. */
export interface Block {
  /** What stands after the fence: `js`, `ts`, `sh`, … */
  readonly language: string
  readonly text: string
  /** Line of the opening fence, from 1. */
  readonly line: number
  /** Why it is not run, from `<!-- not run: reason -->` on the line before it (blank lines apart). */
  readonly notRun: string | undefined
}

/** Languages that are shown, not run. */
const shown = new Set(['text', 'json', 'ndjson', 'http'])

/** Command lines that set the project up; running them here would run the tests in the tests. */
const setUp = /^npm (install|ci|test|run)\b/

/** All fenced blocks of the text, in order. */
export function findBlocks(markdown: string): Block[] {
  const blocks: Block[] = []
  const lines = markdown.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const opening = /^( *)(`{3,})(\S*)/.exec(lines[i] ?? '')
    if (opening === null) continue
    const [, indent = '', fence = '', language = ''] = opening
    const first = i + 1
    do i++
    while (i < lines.length && !(lines[i] ?? '').trimStart().startsWith(fence))
    const text = lines
      .slice(first, i)
      .map(line => (line.startsWith(indent) ? line.slice(indent.length) : line))
    blocks.push({ language, text: text.join('\n'), line: first, notRun: reasonBefore(lines, first - 1) })
  }
  return blocks
}

function reasonBefore(lines: readonly string[], fenceAt: number): string | undefined {
  let at = fenceAt - 1
  while (at >= 0 && (lines[at] ?? '').trim() === '') at--
  return /^\s*<!-- not run: (\S.*?) -->\s*$/.exec(lines[at] ?? '')?.[1]
}

/** What became of a block. */
export interface Result {
  readonly outcome: 'ran' | 'shown' | 'failed'
  /** What it printed, or what was wrong. */
  readonly output: string
  /** Lines that were left out on purpose. */
  readonly skipped: readonly string[]
}

/** Makes a folder in which `sillok` is installed: a link to the project. */
export function installInto(folder: string, projectRoot: string): void {
  mkdirSync(path.join(folder, 'node_modules', '.bin'), { recursive: true })
  symlinkSync(path.resolve(projectRoot), path.join(folder, 'node_modules', 'sillok'))
  // A library of schemas, which the reader has.
  symlinkSync(path.resolve(projectRoot, 'node_modules', 'zod'), path.join(folder, 'node_modules', 'zod'))
}

/** Runs a block in the folder. Blocks of one folder see what the earlier ones left there. */
export function runBlock(block: Block, folder: string, projectRoot: string): Result {
  if (shown.has(block.language)) return { outcome: 'shown', output: '', skipped: [] }
  if (block.language === 'sh') return runShell(block, folder, projectRoot)
  if (block.language === 'js') return runScript(block.text, block, folder)
  if (block.language === 'ts') return runTypeScript(block, folder, projectRoot)
  return {
    outcome: 'failed',
    output: `a block in ${block.language || 'no language'} is not run`,
    skipped: [],
  }
}

/** The command lines of a shell block: without comments and prompts, continued lines joined. */
export function commandLines(text: string): string[] {
  return text
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map(line => line.replace(/^\s*\$ /, '').replace(/(^|\s)# .*$/, ''))
    .map(line => line.trim())
    .filter(line => line !== '')
}

function runShell(block: Block, folder: string, projectRoot: string): Result {
  const program = `"${process.execPath}" "${path.join(projectRoot, 'bin', 'sillok.js')}"`
  const skipped: string[] = []
  let output = ''
  for (const line of commandLines(block.text)) {
    if (setUp.test(line)) {
      skipped.push(line)
      continue
    }
    const own = /^(npx sillok|node bin\/sillok\.js)(?=\s|$)/
    if (!own.test(line)) return { outcome: 'failed', output: `neither run nor left out: ${line}`, skipped }
    const command = line.replaceAll(
      /(?<=^|\| *|&& *)(npx sillok|node bin\/sillok\.js)(?=\s|$)/g,
      () => program,
    )
    const done = spawn('sh', ['-e', '-c', command], folder)
    output += `$ ${line}\n${done.output}`
    if (done.failed) return { outcome: 'failed', output, skipped }
  }
  return { outcome: 'ran', output, skipped }
}

function runScript(text: string, block: Block, folder: string): Result {
  const file = path.join(folder, `block-${block.line}.mjs`)
  writeFileSync(file, text)
  const { failed, output } = spawn(process.execPath, [file], folder)
  return { outcome: failed ? 'failed' : 'ran', output, skipped: [] }
}

/** Declarations that were parsed for an earlier block: all blocks are compiled with the same options. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** The compiler's door to the files; those outside of the folder do not change, and are parsed once. */
function hostFor(folder: string, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const parse = host.getSourceFile.bind(host)
  host.getSourceFile = (file, ...rest) => {
    if (file.startsWith(`${folder}${path.sep}`)) return parse(file, ...rest)
    if (!parsed.has(file)) parsed.set(file, parse(file, ...rest))
    return parsed.get(file)
  }
  return host
}

/** Checks the types as a strict project would, then runs what comes out. */
function runTypeScript(block: Block, folder: string, projectRoot: string): Result {
  const file = path.join(folder, `block-${block.line}.mts`)
  writeFileSync(file, block.text)
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [path.join(projectRoot, 'node_modules', '@types')],
  }
  const program = ts.createProgram([file], options, hostFor(folder, options))
  let script = ''
  const emitted = program.emit(program.getSourceFile(file), (_name, text) => {
    script = text
  })
  const problems = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics]
  if (problems.length === 0) return runScript(script, block, folder)
  const host = {
    getCanonicalFileName: (name: string) => name,
    getCurrentDirectory: () => folder,
    getNewLine: () => '\n',
  }
  return { outcome: 'failed', output: ts.formatDiagnostics(problems, host), skipped: [] }
}

function spawn(
  program: string,
  words: readonly string[],
  folder: string,
): { failed: boolean; output: string } {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  // The hooks of the test runner are for the tests, not for what a reader runs.
  delete env['NODE_OPTIONS']
  const done = spawnSync(program, words, { cwd: folder, env, encoding: 'utf8', timeout: 60_000 })
  const end = done.error === undefined ? '' : `${done.error.message}\n`
  return { failed: done.status !== 0, output: `${done.stdout}${done.stderr}${end}` }
}
