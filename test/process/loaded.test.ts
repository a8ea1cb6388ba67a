/**
 * What a command line loads: what it asks for and no more, so that help and a shell's TAB answer at once.
 * Node itself tells which files a process ran, by the report of its coverage.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { projectRoot } from '../tidy/files.js'

const program = path.join(projectRoot, 'bin', 'sillok.js')
const built = path.join(projectRoot, 'dist', 'src')
const verbs = readdirSync(path.join(built, 'cli', 'commands'))
  .filter(file => file.endsWith('.js'))
  .map(file => path.basename(file, '.js'))

interface Loaded {
  readonly exit: number | null
  readonly out: string
  /** Built files below `src/`, as `cli/main.js`. */
  readonly files: readonly string[]
  /** The verbs whose files are among them. */
  readonly verbs: readonly string[]
  /** Files of the store and of what it needs; of `env/`, all but the clock, chance and errors. */
  readonly heavy: readonly string[]
}

/** Runs a process of Node and reads what it loaded. */
function loadedBy(t: Test, words: readonly string[], folder?: string): Loaded {
  const report = mkdtempSync(path.join(tmpdir(), 'sillok-loaded-'))
  t.teardown(() => rmSync(report, { recursive: true, force: true }))
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_V8_COVERAGE: report, SHELL: '/bin/bash' }
  // The hooks of the test runner are for the tests, not for what they start.
  delete env['NODE_OPTIONS']
  delete env['SILLOK_DIR']
  if (folder !== undefined) env['SILLOK_DIR'] = folder
  const { status, stdout } = spawnSync(process.execPath, words, { env, encoding: 'utf8', timeout: 60_000 })
  const urls = readdirSync(report).flatMap(file => {
    const { result } = JSON.parse(readFileSync(path.join(report, file), 'utf8')) as {
      result: { url: string }[]
    }
    return result.map(({ url }) => url)
  })
  const files = urls
    .filter(url => url.startsWith(`${pathToFileURL(built).href}/`))
    .map(url => path.relative(built, fileURLToPath(url)).split(path.sep).join('/'))
  return {
    exit: status,
    out: stdout,
    files,
    verbs: [...new Set(files.flatMap(verbsOf))].sort(),
    heavy: files.filter(
      file => !/^(?:cli|base|env\/(?:real-clock|system-(?:random|errors))\.js$)/.test(file),
    ),
  }
}

/** The verb that the file is of: `cli/commands/import.js`, or one in `cli/import/`. */
function verbsOf(file: string): string[] {
  const [, name, folder] = /^cli\/(?:commands\/(.+)\.js$|(\w+)\/)/.exec(file) ?? []
  const verb = name ?? folder
  return verb === undefined ? [] : [verb]
}

t.test('help, version, a wrong line and completion of words load no store, and no other verb', async t => {
  const ask = '--get-yargs-completions'
  const cases: [words: string[], exit: number, out: RegExp, verbs: string[]][] = [
    [['version'], 0, /"formatLevel"/, ['version']],
    [['--version'], 0, /^\d+\.\d+/, []],
    [['--help'], 0, /get <collection>/, []],
    [['get', '--help'], 0, /--with-version/, ['get']],
    [['-o', 'json', 'get', 'users', 'a', '--odd'], 2, /^$/, ['get']],
    [['statsu'], 2, /^$/, []],
    [[], 2, /^$/, []],
    [[ask, 'in'], 0, /^indexes\ninspect\n$/, []],
    [[ask, 'find', '--re'], 0, /^--reverse\n$/, ['find']],
    [[ask, 'find', '-o', ''], 0, /^table\n/, ['find']],
  ]
  for (const [words, exit, out, verbs] of cases) {
    const loaded = loadedBy(t, [program, ...words])
    const line = words.join(' ')
    t.match(loaded, { exit, out }, line)
    t.ok(loaded.files.includes('cli/main.js'), 'the report tells of our files')
    t.strictSame(loaded.heavy, [], line)
    t.strictSame(loaded.verbs, verbs, line)
  }
})

t.test('the help of no verb loads the store', async t => {
  const main = pathToFileURL(path.join(built, 'cli', 'main.js')).href
  const script = `import { run } from ${JSON.stringify(main)}
    for (const verb of process.argv.slice(1)) process.exitCode ||= await run([verb, '--help'])`
  const loaded = loadedBy(t, ['--input-type=module', '-e', script, ...verbs])
  t.equal(loaded.exit, 0)
  t.strictSame(loaded.verbs, [...verbs].sort())
  t.strictSame(loaded.heavy, [])
})

t.test('a verb loads the store, names are completed without it, and neither loads another verb', async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-loaded-store-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const defined = loadedBy(t, [program, 'define', 'users', '--json', '{"key":"id"}'], folder)
  t.equal(defined.exit, 0)
  t.strictSame(defined.verbs, ['define'])
  const got = loadedBy(t, [program, 'get', 'users', 'a'], folder)
  t.equal(got.exit, 5)
  t.strictSame(got.verbs, ['get'])
  t.ok(got.heavy.includes('store/open.js'))
  const completed = loadedBy(t, [program, '--get-yargs-completions', 'get', ''], folder)
  t.equal(completed.out, 'users\n')
  t.strictSame(completed.verbs, ['get'])
  t.ok(completed.heavy.includes('replica/inspect.js'))
  t.strictSame(
    completed.heavy.filter(file => file.startsWith('store/')),
    [],
  )
})
