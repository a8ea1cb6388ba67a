/**
 * The rules of the project, as tests: layers, the outside world, sizes, headers, names, leftovers, the top
 * level, and the README against the code. Each rule is first tried on files that break it, so that it can
 * fail.
 */
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { type Code, errorTable } from '../src/base/errors.js'
import { limits } from '../src/base/limits.js'
import { exitCodeFor } from '../src/cli/failure.js'
import { listFiles, projectRoot } from './tidy/files.js'
import {
  checkBlindEvolve,
  checkCircles,
  checkDeadFiles,
  checkLayers,
  checkModules,
  drawHouse,
} from './tidy/graph.js'
import {
  checkErrorTable,
  checkHouse,
  checkLimits,
  checkTopLevel,
  checkVerbs,
  type ErrorRow,
} from './tidy/project.js'
import {
  checkBans,
  checkDocs,
  checkFileName,
  checkHeaders,
  checkLeftovers,
  checkNames,
  checkSizes,
} from './tidy/shape.js'
import { parseSource, readSources, type Source } from './tidy/source.js'

const all = readSources(['src', 'test', 'bench'])
const inSrc = all.filter(source => source.path.startsWith('src/'))

function plant(files: Readonly<Record<string, string>>): Source[] {
  return Object.entries(files).map(([file, text]) => parseSource(file, text))
}

/** Bad texts must each be complained about exactly so often; good ones never. */
function tries(
  t: Test,
  check: (sources: readonly Source[]) => string[],
  file: string,
  texts: { readonly bad: readonly string[]; readonly good: readonly string[] },
): void {
  for (const text of texts.bad) t.equal(check(plant({ [file]: text })).length, 1, `refuses ${file}: ${text}`)
  for (const text of texts.good) t.same(check(plant({ [file]: text })), [], `accepts ${file}: ${text}`)
}

t.test('a file imports its own folder and lower layers only', async t => {
  const bad: [string, string][] = [
    ['src/base/a.ts', "import '../env/b.js'"],
    ['src/codec/a.ts', "import type { B } from '../sim/b.js'"],
    ['src/wal/a.ts', "export * from '../segments/b.js'"],
    ['src/raft/a.ts', "import { b } from '../codec/b.js'"],
    ['src/machine/a.ts', "type B = import('../env/b.js').B"],
    ['src/machine/a.ts', "import { b } from '../state/b.js'"],
    ['src/client/a.ts', "await import('../server/b.js')"],
    ['src/store/a.ts', "import { b } from '../../test/b.js'"],
    ['src/testing/a.ts', "export { open } from '../index.js'"],
    ['src/testing/a.ts', "import { main } from '../cli/main.js'"],
    ['src/env/a.ts', "new Worker(new URL('../state/b.js', import.meta.url))"],
    ['src/misc/a.ts', ''],
  ]
  for (const [file, text] of bad) t.equal(checkLayers(plant({ [file]: text })).length, 1, `${file}: ${text}`)
  const good: [string, string][] = [
    ['src/base/a.ts', "import './b.js'"],
    ['src/raft/a.ts', "import '../base/b.js'"],
    ['src/machine/a.ts', "import '../codec/b.js'; import './deep/c.js'"],
    ['src/machine/deep/a.ts', "import '../../codec/b.js'; import '../c.js'"],
    ['src/replica/a.ts', "import '../raft/b.js'; import '../wal/b.js'"],
    ['src/index.ts', "export { open } from './store/open.js'"],
    ['test/unit/a.ts', "import '../../src/replica/b.js'"],
  ]
  for (const [file, text] of good) t.same(checkLayers(plant({ [file]: text })), [], `${file}: ${text}`)
  t.same(checkLayers(inSrc), [])
})

t.test('the outside world is imported where the table allows it', async t => {
  const bad: [string, string][] = [
    ['src/wal/a.ts', "import { open } from 'node:fs/promises'"],
    ['src/state/a.ts', "import type { Level } from 'level'"],
    ['src/store/a.ts', "import msgpackr from 'msgpackr'"],
    ['src/server/a.ts', "import { WebSocketServer } from 'ws'"],
    ['src/replica/a.ts', "import { setTimeout } from 'node:timers/promises'"],
    ['src/env/a.ts', "import yargs from 'yargs'"],
    ['src/base/a.ts', "import fs from 'fs'"],
    ['src/base/a.ts', "import { pad } from 'left-pad'"],
  ]
  for (const [file, text] of bad) t.equal(checkModules(plant({ [file]: text })).length, 1, `${file}: ${text}`)
  const good: [string, string][] = [
    [
      'src/env/a.ts',
      "import fs from 'node:fs'; import { Level } from 'level'; import { WebSocket } from 'ws'",
    ],
    ['src/cli/commands/a.ts', "import yargs from 'yargs'; import { readFile } from 'node:fs/promises'"],
    ['src/base/a.ts', "import { crc32 } from 'node:zlib'; import { createHash } from 'node:crypto'"],
    ['test/a.ts', "import 'anything'"],
  ]
  for (const [file, text] of good) t.same(checkModules(plant({ [file]: text })), [], `${file}: ${text}`)
  t.same(checkModules(inSrc), [])
})

t.test('no files import each other in a circle', async t => {
  const circle = plant({
    'src/base/a.ts': "import './b.js'",
    'src/base/b.ts': "import type { C } from './c.js'",
    'src/base/c.ts': "export * from './a.js'",
    'src/base/d.ts': "import './a.js'",
  })
  t.same(checkCircles(circle), ['circle: src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts'])
  t.equal(checkCircles(plant({ 'src/base/a.ts': "import './a.js'" })).length, 1)
  t.same(checkCircles(circle.filter(source => source.path !== 'src/base/c.ts')), [])
  t.same(checkCircles(inSrc), [])
})

t.test('every file is reached from an entry, a test or a benchmark', async t => {
  const files = plant({
    'src/index.ts': "export * from './base/a.js'",
    'src/base/a.ts': "new Worker(new URL('./worker.js', import.meta.url))",
    'src/base/worker.ts': '',
    'src/base/dead.ts': "import './deader.js'",
    'src/base/deader.ts': '',
    'src/base/tested.ts': '',
    'test/unit/tested.test.ts': "import '../../src/base/tested.js'",
  })
  const dead = checkDeadFiles(files, ['src/index.ts'])
  t.same(dead, ['src/base/dead.ts: nothing imports it', 'src/base/deader.ts: nothing imports it'])
  t.same(checkDeadFiles(all, entriesOfPackage()), [])
})

t.test('evolve is blind: it imports nothing that can read state', async t => {
  const bad: Record<string, string>[] = [
    { 'src/machine/evolve.ts': "import type { View } from './decide.js'" },
    { 'src/machine/evolve.ts': "import { get } from './view.js'" },
    { 'src/machine/evolve.ts': "import { get } from '../state/memtable.js'" },
    { 'src/machine/evolve.ts': "import './rows.js'", 'src/machine/rows.ts': "import './read-set.js'" },
  ]
  for (const files of bad) t.equal(checkBlindEvolve(plant(files)).length, 1, JSON.stringify(files))
  const good = {
    'src/machine/evolve.ts': "import { decodeFacts } from '../codec/facts.js'; import './rows.js'",
  }
  t.same(checkBlindEvolve(plant({ ...good, 'src/machine/decide.ts': "import './view.js'" })), [])
  t.same(checkBlindEvolve(inSrc), [])
})

t.test('time, chance, timers, network and the process enter through env only', async t => {
  tries(t, checkBans, 'src/wal/a.ts', {
    bad: [
      'const t = Date.now()',
      'const now = Date.now',
      'const t = new Date()',
      'const t = Date()',
      'const x = Math.random()',
      'setTimeout(() => {}, 5)',
      'globalThis.setInterval(f, 5)',
      'const later = setImmediate',
      'const f = { run: setTimeout }',
      'performance.now()',
      'const p = performance',
      'process.hrtime.bigint()',
      "import { randomBytes } from 'node:crypto'",
      "import crypto from 'node:crypto'",
      'crypto.randomUUID()',
      'AbortSignal.timeout(5)',
      'process.exit(1)',
      "console.error('x')",
      'a.localeCompare(b)',
      'new Intl.Collator()',
      "await fetch('http://x')",
    ],
    good: [
      'clock.after(5, f); const now = clock.monotonicMs()',
      'const d = new Date(wallMs)',
      'interface Timers { setTimeout(f: () => void): void; performance: number }',
      'timers.setTimeout(f)',
      'class A { setImmediate() {} }',
      "import { createHash } from 'node:crypto'",
      '// Date.now() is not used',
      "const text = 'Math.random()'",
      'function f(d: Date): Date { return d }',
      "process.on('exit', f); process.nextTick(f)",
    ],
  })
  tries(t, checkBans, 'src/env/a.ts', {
    bad: ['process.exit(1)', 'console.log(1)'],
    good: [
      'setTimeout(f, Date.now())',
      "import { randomBytes } from 'node:crypto'",
      'new Date()',
      'Math.random()',
    ],
  })
  tries(t, checkBans, 'src/cli/a.ts', {
    bad: ['Date.now()'],
    good: ['process.exit(1)', 'new Intl.Segmenter()'],
  })
  tries(t, checkBans, 'test/a.ts', { bad: [], good: ['setTimeout(f, 5)'] })
  t.same(checkBans(inSrc), [])
})

t.test('files, lines and functions stay small', async t => {
  const body = (count: number): string => `{\n${'  a()\n'.repeat(count - 2)}}`
  tries(t, checkSizes, 'src/base/a.ts', {
    bad: [
      'a()\n'.repeat(501),
      `const a = '${'x'.repeat(99)}'`,
      `// ${'x'.repeat(108)}`,
      `function f() ${body(61)}`,
      `class A {\n  m() ${body(61)}\n}`,
      `const f = () => ${body(61)}`,
    ],
    good: [
      'a()\n'.repeat(500),
      `const a = '${'x'.repeat(98)}'`,
      `/**\n * Doc\n */\nfunction f() ${body(60)}`,
      `function f() {\n${'  // why\n'.repeat(20)}${'  a()\n'.repeat(58)}}`,
    ],
  })
  tries(t, checkSizes, 'test/a.ts', { bad: ['a()\n'.repeat(501)], good: [`test(() => ${body(100)})`] })
  t.same(checkSizes(all), [])
})

t.test('every file says what it is, and every exported name what it promises', async t => {
  tries(t, checkHeaders, 'src/base/a.ts', {
    bad: ['', 'export {}', '// A file.', '/* A file. */', "import './b.js'\n/** Late. */", '/** */'],
    good: ['/** A file. */', '/**\n * A file.\n */\nexport {}'],
  })
  tries(t, checkDocs, 'src/base/a.ts', {
    bad: [
      'export const a = 1',
      'export function a() {}',
      'export class A {}',
      'export interface A {}',
      'export type A = 1',
      '/** Header. */\nimport b from "./b.js"\nexport const a = 1',
      '// Not a doc comment.\nexport const a = 1',
      'export default function () {}',
      'export enum A { b }',
    ],
    good: [
      '/** A. */\nexport const a = 1',
      '/** A. */\nexport async function a() {}',
      '/** A. */\nexport function a(b: 1): 1\nexport function a(b: 2): 2\nexport function a(b: number) {}',
      'const a = 1\nfunction b() {}',
      "export { a } from './b.js'",
    ],
  })
  t.same(checkHeaders(inSrc), [])
  t.same(checkDocs(inSrc), [])
})

t.test('names are words of the field, files kebab-case', async t => {
  tries(t, checkNames, 'src/base/a.ts', {
    bad: [
      'const data = 1',
      'function f(info: string) {}',
      'const { data } = x',
      'class Manager {}',
      'class A { helper = 1 }',
      'const utils = {}',
      'interface Shard {}',
      'const shardId = 1',
      'function isMaster() {}',
      'class A { #shards = 1 }',
    ],
    good: [
      'const dataFolder = 1',
      'interface A { data: string }',
      'const details = 1',
      'const remaster = 1',
      '',
    ],
  })
  const badNames = ['src/base/utils.ts', 'src/raft/logView.ts', 'src/env/peer-network.ts', 'src/Raft/log.ts']
  for (const file of badNames) t.equal(checkFileName(file).length, 1, file)
  for (const file of ['src/base/read-index.ts', 'test/unit/a2/read-index.test.ts'])
    t.same(checkFileName(file), [])
  t.same(checkNames(all), [])
})

t.test('nothing is left for later', async t => {
  const mark = ['TO', 'DO'].join('')
  const bad = [`// ${mark}: more`, '/* FIXME */', '// just for now', "throw new Error('not implemented')"]
  for (const text of bad) t.equal(checkLeftovers([{ path: 'src/base/a.ts', text }]).length, 1, text)
  t.same(checkLeftovers([{ path: 'src/base/a.ts', text: 'const methodology = 1 // forno w' }]), [])
  const scripts = listFiles(['bin', '.ci']).map(file => ({
    path: file,
    text: readFileSync(path.join(projectRoot, file), 'utf8'),
  }))
  t.same(checkLeftovers([...all, ...scripts]), [])
})

t.test('the top level holds what the project is made of, and nothing else', async t => {
  t.same(checkTopLevel(['src/a.ts', 'docs/a.md', 'notes.txt']), [
    'docs at the top level',
    'notes.txt at the top level',
  ])
  t.same(checkTopLevel(filesOfProject()), [])
})

t.test('ARCHITECTURE.md draws the folders as they import each other', async t => {
  const planted = plant({
    'src/base/a.ts': '',
    'src/wal/deep/b.ts': "import '../../base/a.js'; import './c.js'; import 'node:zlib'",
    'src/index.ts': "export * from './wal/deep/b.js'",
    'test/a.ts': "import '../src/wal/deep/b.js'",
  })
  const drawn = [
    '           base wal index.ts',
    '9 index.ts       x     .',
    '3 wal       x    .',
    '0 base      .',
  ]
  t.equal(drawHouse(planted), drawn.join('\n'))
  const page = `## The house as the import graph draws it\n\nText.\n\n\`\`\`\n${drawn.join('\n')}\n\`\`\`\n`
  t.same(checkHouse(page, drawHouse(planted)), [])
  const changed = drawHouse(plant({ 'src/base/a.ts': '', 'src/wal/b.ts': '', 'src/index.ts': '' }))
  t.match(checkHouse(page, changed), [changed], 'another graph is told as it should be drawn')
  t.equal(checkHouse('## Other\n', drawHouse(planted)).length, 1, 'no picture')
  const architecture = readFileSync(path.join(projectRoot, 'src/ARCHITECTURE.md'), 'utf8')
  const complaints = checkHouse(architecture, drawHouse(inSrc))
  if (complaints.length > 0) t.comment(complaints.join('\n'))
  t.same(complaints, [])
})

t.test('the README says what the code does: error codes, verbs, limits', async t => {
  const errors = { GONE_NOW: { outcome: 'unknown', retry: 'never', exit: 1 } }
  const table = (rows: string): string =>
    `# A\n\n## Errors\n\n| code | outcome |\n|---|---|\n${rows}\n\n## Z\n`
  t.same(checkErrorTable(table('| `GONE_NOW` | unknown | never | 1 | now |'), errors), [])
  t.equal(checkErrorTable(table(''), errors).length, 1, 'a missing code')
  t.equal(
    checkErrorTable(table('| `GONE_NOW` | not-applied | never | 1 |'), errors).length,
    1,
    'a wrong outcome',
  )
  t.equal(
    checkErrorTable(table('| `GONE_NOW` | unknown | never | 3 |'), errors).length,
    1,
    'a wrong exit code',
  )
  const unknown = table('| `GONE_NOW` | unknown | never | 1 |\n| `GHOST` | unknown | never | 1 |')
  t.equal(checkErrorTable(unknown, errors).length, 1, 'an unknown code')
  t.equal(
    checkErrorTable(`${table('| `GONE_NOW` | unknown | never | 1 |')} \`NO_SUCH\` \`NO_COLOR\``, errors)
      .length,
    1,
  )
  const verbs = '## Command line\n\n| `sillok get <key>` | reads |\n'
  t.same(checkVerbs(verbs, ['get']), [])
  t.equal(checkVerbs(verbs, ['get', 'put']).length, 1, 'a verb that is not documented')
  t.equal(checkVerbs(verbs, []).length, 1, 'a documented verb that is not there')
  const sized = { keyBytesMax: 1024, waitMsMax: 3_600_000, rowsMax: 65_536 }
  const told =
    '## Limits\n\n| limit | value |\n| `keyBytesMax` | 1 KiB |\n| `waitMsMax` | 1 h |\n' +
    '| `rowsMax` | 65,536 |\n'
  t.same(checkLimits(told, sized), [])
  t.equal(checkLimits(told, { ...sized, keyBytesMax: 2048 }).length, 1, 'a wrong value')
  t.equal(
    checkLimits(told, { keyBytesMax: 1024, waitMsMax: 3_600_000 }).length,
    1,
    'a limit that is not there',
  )
  t.equal(checkLimits('', sized).length, 1, 'no table')

  const readme = readFileSync(path.join(projectRoot, 'README.md'), 'utf8')
  const rows: Record<string, ErrorRow> = {}
  for (const code of Object.keys(errorTable) as Code[])
    rows[code] = { ...errorTable[code], exit: exitCodeFor(code) }
  t.same(checkErrorTable(readme, rows), [])
  t.same(checkVerbs(readme, verbsOfCommandLine()), [])
  t.same(checkLimits(readme, limits), [])
})

t.test('an error that nobody catches fails its test file', async t => {
  const preload = `--import=${new URL('./preload.js', import.meta.url).href}`
  const env = { ...process.env, TAP: '1' }
  const run = (text: string): SpawnSyncReturns<string> => {
    const script = `import t from 'tap'\nt.test('a', async () => { ${text} })\nt.test('b', async () => {})`
    const words = [preload, '--input-type=module', '-']
    return spawnSync(process.execPath, words, { cwd: projectRoot, env, input: script, encoding: 'utf8' })
  }
  const wait = 'await new Promise(done => setTimeout(done, 20))'
  const rejected = `void Promise.reject(new Error('planted')); ${wait}`
  const thrown = `setTimeout(() => { throw new Error('planted') }, 1); ${wait}`
  t.match(run(wait), { status: 0, stdout: /^ok 1 - a .*^ok 2 - b /ms })
  for (const text of [rejected, thrown]) t.match(run(text), { status: 1, stdout: /^ *not ok .*planted$/m })
})

function verbsOfCommandLine(): string[] {
  return readdirSync(path.join(projectRoot, 'src/cli/commands')).map(file => path.basename(file, '.ts'))
}

/**
 * The sources behind what package.json names: entries of the library, of the command line, and of the
 * scripts.
 */
function entriesOfPackage(): string[] {
  const manifest = readFileSync(path.join(projectRoot, 'package.json'), 'utf8')
  const named = [...manifest.matchAll(/dist\/((?:src|test|bench)\/[\w/-]+)\.(?:d\.ts|js)/g)]
  return ['src/index.ts', 'src/cli/main.ts', ...named.map(([, stem]) => `${stem}.ts`)]
}

/** Files under version control; in an unpacked archive, whatever lies there that no tool made. */
function filesOfProject(): string[] {
  if (existsSync(path.join(projectRoot, '.git'))) {
    return execFileSync('git', ['ls-files'], { cwd: projectRoot, encoding: 'utf8' }).trim().split('\n')
  }
  return readdirSync(projectRoot).filter(name => !['node_modules', 'dist', '.tap'].includes(name))
}
