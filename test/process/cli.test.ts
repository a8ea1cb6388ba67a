/**
 * The command line as processes: standard streams, two at one folder, signals, and imports that are killed.
 */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Random } from '../../src/base/random.js'
import { open } from '../../src/index.js'
import { seed } from '../seed.js'
import { projectRoot } from '../tidy/files.js'

const program = path.join(projectRoot, 'bin', 'sillok.js')

interface Ended {
  readonly exit: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

function begin(folder: string, words: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const env: NodeJS.ProcessEnv = { ...process.env, SILLOK_DIR: path.join(folder, 'store') }
  // The hooks of the test runner are for the tests, not for what they start.
  delete env['NODE_OPTIONS']
  const child = spawn(process.execPath, [program, ...words], { env, cwd: folder })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit, signal) => resolve({ exit, signal, out, err }))
  })
  return { child, ended }
}

function sillok(folder: string, words: readonly string[], input?: string): Promise<Ended> {
  const { child, ended } = begin(folder, words)
  child.stdin?.end(input ?? '')
  return ended
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-cli-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const definition = '{"key":"id","unique":{"email":{"fields":["email"]}}}'
const rowCount = 20_000

t.setTimeout(120_000)

/** Every 50th row repeats the email of the one before, every 997th is no JSON. */
function inputOf(rows: number): { text: string; refused: number[]; unreadable: number[] } {
  const lines: string[] = []
  const refused: number[] = []
  const unreadable: number[] = []
  for (let row = 1; row <= rows; row++) {
    if (row % 997 === 0) unreadable.push(row)
    else if (row % 50 === 0 && (row - 1) % 997 !== 0) refused.push(row)
    const email = row % 50 === 0 ? row - 1 : row
    lines.push(row % 997 === 0 ? `{"id":${row},` : JSON.stringify({ id: row, email: `${email}@example.com` }))
  }
  return { text: lines.map(line => `${line}\n`).join(''), refused, unreadable }
}

/** Resolves when the child has answered so many rows, or ended. */
function answered(child: ChildProcess, rows: number): Promise<void> {
  return new Promise(resolve => {
    let text = ''
    child.once('close', () => resolve())
    child.stderr?.on('data', (part: string) => {
      text += part
      for (const [, count] of text.matchAll(/"answered":(\d+)\}\n/g)) if (Number(count) >= rows) resolve()
    })
  })
}

t.test('documents come in by standard input and go out by standard output', async t => {
  const folder = folderFor(t)
  t.match(await sillok(folder, ['define', 'users', '-'], definition), {
    exit: 0,
    out: '{"defined":"users"}\n',
  })
  t.match(await sillok(folder, ['put', 'users'], '{"id":"u1","email":"a"}'), { exit: 0, err: '' })
  const rows = '{"id":"u2","email":"b"}\n{"id":"u3","email":"a"}\n'
  const imported = await sillok(folder, ['import', 'users', '-'], rows)
  t.match(imported, {
    exit: 4,
    out: /"rows":2,"inserted":1,"refused":1,.*"report":"import-[0-9a-f]{12}\.report\.ndjson"/,
  })
  t.match(await sillok(folder, ['get', 'users', 'u2']), { exit: 0, out: '{"id":"u2","email":"b"}\n' })
  t.match(
    await sillok(folder, ['bench', 'put', 'raw-sync', '--concurrency', '8', '--duration', '0.3', '--json']),
    {
      exit: 0,
      out: /^\{"machine":\{.*"runs":\[\{"workload":"put",.*"concurrency":8,"opsPerSecond":[1-9].*\}\n$/,
    },
  )
})

const bash = spawnSync('bash', ['--version']).status === 0 ? {} : { skip: 'there is no bash' }

t.test('a reader that goes away ends a verb in order, and bash completes by its script', bash, async t => {
  const folder = folderFor(t)
  const dir = path.join(folder, 'store')
  const db = await open({ dir })
  await db.define('users', { key: 'id', indexes: { byAge: { type: 'secondary', fields: ['age'] } } })
  const users = Array.from({ length: 5000 }, (_, id) => ({ id, age: id, text: 'x'.repeat(200) }))
  await db.collection('users').insertMany(users)
  await db.close()
  const inBash = (script: string): SpawnSyncReturns<string> => {
    const env: NodeJS.ProcessEnv = { ...process.env, SILLOK_DIR: dir }
    delete env['NODE_OPTIONS']
    const own = `sillok() { "${process.execPath}" "${program}" "$@"; }\n${script}`
    return spawnSync('bash', ['-c', own], { env, cwd: folder, encoding: 'utf8', timeout: 60_000 })
  }
  const verbs = ['export users --output-file -', 'scan users', 'find users byAge -o json']
  for (const verb of verbs) {
    const { stdout, stderr } = inBash(`sillok ${verb} | head -n 1; echo "ended \${PIPESTATUS[0]}"`)
    t.match(stdout, /^(\{.*|\[)\nended 0\n$/, verb)
    t.equal(stderr, '', verb)
  }
  t.match(inBash('sillok tail users --name mail | head -n 1').stdout, /^\{"position"/)
  const again = inBash('sillok tail users --name mail | wc -l').stdout
  t.equal(again.trim(), '5000', 'what no reader got is not dealt with')
  t.equal(inBash('sillok tail users --name mail | wc -l').stdout.trim(), '0', 'what one got is')
  if (existsSync('/dev/full')) {
    for (const verb of ['scan users', 'count users', 'tail users --name full']) {
      const full = inBash(`sillok ${verb} > /dev/full`)
      t.match(full, { status: 3, stderr: /^DISK_FULL: no space left to write standard output/ }, verb)
      t.match(full.stderr, /outcome: unknown/)
    }
    t.equal(inBash('sillok count nobody 2> /dev/full').status, 5)
  }
  const { stdout, stderr } = inBash(`source <(sillok completion bash)
    for words in "sillok fin" "sillok find us" "sillok find users by"; do
      COMP_WORDS=($words) COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMPREPLY=()
      _sillok
      echo "\${COMPREPLY[@]}"
    done`)
  t.same([stdout, stderr], ['find\nusers\nbyAge\n', ''])
})

/** Rows that take longer, one at a time, than another process takes to start. */
const slowRows = 16_000

t.test(
  'a folder that another process holds is exit code 3, and Ctrl-C ends an import that goes on later',
  async t => {
    const folder = folderFor(t)
    await sillok(folder, ['define', 'users', '-'], definition)
    const { text, refused, unreadable } = inputOf(slowRows)
    writeFileSync(path.join(folder, 'rows.ndjson'), text)
    const words = ['import', 'users', 'rows.ndjson']
    const first = begin(folder, [...words, '--concurrency', '1', '--progress-lines'])
    await answered(first.child, 300)
    t.match(await sillok(folder, ['get', 'users', 'a']), { exit: 3, err: /^FOLDER_IN_USE: / })
    first.child.kill('SIGINT')
    const stopped = await first.ended
    t.match(stopped, { exit: 130, signal: null, err: /stopped: [\d,]+ of 16,000 rows are left/ })
    const { rows } = JSON.parse(stopped.out) as { rows: number }
    const rest = await sillok(folder, words)
    t.match(rest, { exit: 1, out: new RegExp(`"rows":${slowRows},.*"unreadable":${unreadable.length},`) })
    const summary = JSON.parse(rest.out) as { sent: number; refused: number }
    const { sent } = summary
    t.equal(summary.refused, refused.length)
    t.ok(rows > 0 && sent <= slowRows - rows + 1024, `${rows} rows before, ${sent} after`)
  },
)

t.test('Ctrl-C during a benchmark leaves nothing behind', async t => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const folder = folderFor(t)
    const runs = path.join(folder, 'runs')
    mkdirSync(runs)
    const { child, ended } = begin(folder, ['bench', 'put', '--scratch-dir', 'runs', '--duration', '60'])
    const isWritten = (): boolean =>
      readdirSync(runs, { recursive: true }).some(name => String(name).includes('wal-'))
    while (!isWritten() && child.exitCode === null) await setTimeout(20)
    child.kill(signal)
    t.match(await ended, { exit: null, signal, out: '' })
    t.strictSame(readdirSync(runs), [])
  }
})

t.test('an import that is killed five times inserts and reports every row once', async t => {
  const folder = folderFor(t)
  const random = new Random(seed)
  t.comment(`SEED=${seed}`)
  await sillok(folder, ['define', 'users', '-'], definition)
  const { text, refused, unreadable } = inputOf(rowCount)
  writeFileSync(path.join(folder, 'rows.ndjson'), text)
  const words = ['import', 'users', 'rows.ndjson']
  let kills = 0
  for (let round = 0; round < 5; round++) {
    const { child, ended } = begin(folder, [...words, '--progress-lines'])
    // Somewhere in the next part; the last kill may come before the first row, or between two answers.
    await answered(child, Math.floor(((round + random.fraction()) * rowCount) / 6))
    child.kill('SIGKILL')
    if ((await ended).signal === 'SIGKILL') kills++
  }
  t.ok(kills >= 3, `killed ${kills} times`)
  const end = await sillok(folder, words)
  t.match(end, { exit: 1, out: /"rows":20000,/ })
  const { report: reportName } = JSON.parse(end.out) as { report: string }
  const report = readFileSync(path.join(folder, reportName), 'utf8')
  const lines = report
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  const expected = [...refused, ...unreadable].sort((a, b) => a - b)
  t.same(
    lines.map(({ row }) => row),
    expected,
  )
  for (const { row, code, holder } of lines.filter(line => line['unreadable'] === undefined)) {
    if (code !== 'UNIQUE_TAKEN' || holder !== (row as number) - 1)
      t.fail(`row ${row}: ${code}, held by ${holder}`)
  }
  const looked = async (): Promise<string> => {
    const store = await open({ dir: path.join(folder, 'store') })
    try {
      const ids: unknown[] = []
      for await (const { id } of store.collection('users').scan()) ids.push(id)
      const isRefused = new Set(expected)
      t.same(
        ids,
        Array.from({ length: rowCount }, (_, i) => i + 1).filter(row => !isRefused.has(row)),
      )
      const versions = await Promise.all(
        [1, 777, 19_999].map(id => store.collection('users').getVersioned(id)),
      )
      return JSON.stringify(versions)
    } finally {
      await store.close()
    }
  }
  const before = await looked()
  t.match(await sillok(folder, words), { exit: 1, out: /"sent":0,/, err: /^already imported/ })
  t.equal(await looked(), before, 'no new versions')
  t.equal(readFileSync(path.join(folder, reportName), 'utf8'), report)
})
