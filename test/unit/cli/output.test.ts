/** Tables, forms of output, progress and failures of the command line. */
import t from 'tap'
import { InvariantError } from '../../../src/base/assert.js'
import { type Code, errorTable, SillokError } from '../../../src/base/errors.js'
import {
  exitCodeFor,
  exitCodeOf,
  exitCodes,
  failureJson,
  failureText,
  nextStepOf,
} from '../../../src/cli/failure.js'
import { run } from '../../../src/cli/main.js'
import {
  chooseFormat,
  type Fields,
  outputFormats,
  printOne,
  printRows,
  type Sink,
  tableSampleRows,
} from '../../../src/cli/output.js'
import { duration, Progress, progressLine } from '../../../src/cli/progress.js'
import {
  cellText,
  columnWidthMax,
  cutToWidth,
  displayWidth,
  fitToWidth,
  formatTable,
  layOut,
  visible,
} from '../../../src/cli/table.js'
import { UsageError } from '../../../src/cli/usage.js'
import type { Clock } from '../../../src/env/clock.js'

interface Recorder extends Sink {
  text: string
}

function recorder(options: { isTerminal?: boolean; width?: number } = {}): Recorder {
  return {
    isTerminal: options.isTerminal ?? false,
    width: options.width ?? Number.POSITIVE_INFINITY,
    text: '',
    write(text) {
      this.text += text
      return Promise.resolve()
    },
  }
}

function handClock(): Clock & { now: number } {
  const unused = (): never => {
    throw new Error('no timers here')
  }
  return {
    now: 0,
    monotonicMs() {
      return this.now
    },
    wallMs: unused,
    after: unused,
    soon: unused,
  }
}

t.test('columns line up, whatever the cells hold', async t => {
  const rows = [
    { key: 'u1', name: '김철수', age: 33 },
    { key: 'u22', name: 'Zoë', age: 7 },
    { key: 'u3', name: '👩‍👩‍👧 가', age: 104 },
  ]
  const lines = formatTable(rows).split('\n')
  t.same(lines, ['key  name    age', 'u1   김철수   33', 'u22  Zoë       7', 'u3   👩‍👩‍👧 가   104', ''])
  t.equal(new Set(lines.slice(0, 4).map(displayWidth)).size, 1, 'all lines end in the same cell')
  t.equal(formatTable([]), '')
})

t.test('a cell never reaches the terminal raw', async t => {
  t.equal(visible('a\u001b[31mb\r\n\tc\u0007\u202e\u2028'), 'a\\x1b[31mb\\r\\n\\tc\\x07\\u202e\\u2028')
  t.equal(cellText({ a: '\u001b]0;x' }), '{"a":"\\u001b]0;x"}')
  t.equal(cellText(undefined), '')
  t.equal(cellText(null), 'null')
  t.equal(cellText(12n), '12')
  t.equal(cellText({ bytes: Buffer.from('hi') }), '{"bytes":"aGk="}')
  t.equal(cellText(new Uint8Array([104, 105])), '"aGk="')
  t.equal(cellText(new Date(0)), '1970-01-01T00:00:00.000Z')
  t.notMatch(formatTable([{ 'na\u001bme': 'x\u009by' }]).trimEnd(), /[^\P{Cc}\n]/u)
})

t.test('a cut text fits its width and splits no letter', async t => {
  for (const text of ['', 'abc', '김철수와 이영희', 'e\u0301e\u0301e\u0301', '👩‍👩‍👧👩‍👩‍👧', 'a김b철c수']) {
    for (let width = 0; width <= 16; width++) {
      t.ok(displayWidth(cutToWidth(text, width)) <= width, `${text} in ${width}`)
      t.equal(displayWidth(fitToWidth(text, width, 'left')), width)
      t.equal(displayWidth(fitToWidth(text, width, 'right')), width)
    }
  }
  t.equal(cutToWidth('김철수', 5), '김철…')
  t.equal(cutToWidth('김철수', 4), '김…')
})

t.test('a table is as wide as the terminal at most, down to 8 cells a column', async t => {
  const rows = [{ a: 'x'.repeat(50), b: 'y'.repeat(30), c: 'short' }]
  for (const width of [40, 60, 80]) {
    for (const line of formatTable(rows, width).trimEnd().split('\n')) t.ok(displayWidth(line) <= width)
  }
  t.same(
    layOut(rows, 1).map(column => column.width),
    [8, 8, 5],
  )
  t.equal(layOut([{ a: 'x'.repeat(500) }])[0]?.width, columnWidthMax)
})

t.test('without -o people get a table and programs get lines of JSON', async t => {
  t.equal(chooseFormat(undefined, recorder({ isTerminal: true })), 'table')
  t.equal(chooseFormat(undefined, recorder()), 'ndjson')
  for (const format of outputFormats) t.equal(chooseFormat(format, recorder({ isTerminal: true })), format)
  t.throws(() => chooseFormat('yaml', recorder()), UsageError)
})

t.test('every form says the same rows', async t => {
  const rows = [{ key: 'a', n: 1 }, { key: '나', n: 2 }, { key: 'c' }]
  const ndjson = recorder()
  t.equal(await printRows(rows, 'ndjson', ndjson), 3)
  const lines = ndjson.text.trimEnd().split('\n')
  t.same(
    lines.map(line => JSON.parse(line)),
    rows,
  )
  const json = recorder()
  t.equal(await printRows(asynchronous(rows), 'json', json), 3)
  t.same(JSON.parse(json.text), rows)
  const table = recorder()
  t.equal(await printRows(rows, 'table', table), 3)
  t.equal(table.text, 'key  n\na    1\n나   2\nc\n')
})

t.test('no rows are an empty array, no line, and an empty table', async t => {
  const texts = []
  for (const format of outputFormats) {
    const sink = recorder()
    t.equal(await printRows([], format, sink), 0)
    texts.push(sink.text)
  }
  t.same(texts, ['', '[]\n', ''])
})

t.test('a table of any length is written as it comes and holds its first rows only', async t => {
  const sink = recorder()
  const written: boolean[] = []
  const total = tableSampleRows * 3
  async function* rows(): AsyncGenerator<Fields> {
    for (let i = 0; i < total; i++) {
      written.push(sink.text !== '')
      yield { n: i, text: i < tableSampleRows ? 'abc' : 'abcdef' }
    }
  }
  t.equal(await printRows(rows(), 'table', sink), total)
  const lines = sink.text.trimEnd().split('\n')
  t.equal(lines.length, total + 1)
  t.equal(lines.at(-1), '599  abc…')
  t.equal(written.filter(Boolean).length, total - tableSampleRows, 'rows after the sample were not held')
})

t.test('a reader that went away ends the reading of rows', async t => {
  for (const format of ['table', 'json', 'ndjson'] as const) {
    let taken = 0
    const rows = (function* () {
      for (; taken < 1000; taken++) yield { id: taken }
    })()
    let isGone = false
    const out: Sink = {
      isTerminal: false,
      width: Infinity,
      get isGone() {
        return isGone
      },
      write: async () => {
        isGone = true
      },
    }
    await printRows(rows, format, out)
    t.ok(taken <= 200, `${format}: ${taken} rows were read`)
  }
})

t.test('one result is an object, or a line per field', async t => {
  const json = recorder()
  await printOne({ a: 1, b: { c: 2n } }, 'json', json)
  t.same(JSON.parse(json.text), { a: 1, b: { c: '2' } })
  const ndjson = recorder()
  await printOne({ a: 1 }, 'ndjson', ndjson)
  t.equal(ndjson.text, '{"a":1}\n')
  const table = recorder()
  await printOne({ name: '김', n: 5 }, 'table', table)
  t.equal(table.text, 'field  value\nname   김\nn      5\n')
})

t.test('progress is drawn on a terminal only, at most ten times a second, and wiped', async t => {
  const clock = handClock()
  const sink = recorder({ isTerminal: true, width: 60 })
  const progress = new Progress({ sink, clock, label: 'import', unit: 'documents', total: 1000 })
  for (let i = 0; i < 1000; i++) {
    clock.now = i
    progress.advance()
  }
  t.equal(progress.count, 1000)
  await progress.finish()
  await progress.finish()
  t.equal(sink.text.split('\r').length - 1, 11, 'ten drawings in a second and one wiping')
  t.ok(sink.text.endsWith('\r\u001b[K'))
  for (const line of sink.text.split('\r\u001b[K')) t.ok(displayWidth(line) < 60)
  const pipe = recorder()
  const silent = new Progress({ sink: pipe, clock, label: 'import', unit: 'documents' })
  clock.now += 1000
  silent.advance(5)
  await silent.finish()
  t.equal(pipe.text, '')
  t.throws(() => silent.advance(-1), InvariantError)
})

t.test('a progress line names share, rate and time left', async t => {
  const line = progressLine({ label: 'build', unit: 'rows', count: 1500, total: 6000, elapsedMs: 1000 })
  t.match(line, /^build {2}█{6}░{18} 25 % {2}1,500 of 6,000 rows {2}1,500\/s {2}3 s left$/)
  const over = progressLine({ label: 'build', unit: 'rows', count: 7000, total: 6000, elapsedMs: 1000 })
  t.match(over, /█{24} 100 % .* 0 ms left$/)
  t.equal(
    progressLine({ label: 'copy', unit: 'bytes', count: 10, elapsedMs: 0 }),
    'copy  10 bytes  0/s',
    'neither total nor time',
  )
  t.same([0, 999, 1000, 60_000, 200_000, 7_500_000, 3_600_000].map(duration), [
    '0 ms',
    '999 ms',
    '1 s',
    '1 min',
    '3 min 20 s',
    '2 h 5 min',
    '1 h',
  ])
})

t.test('every code of the store has an exit code and a next step', async t => {
  const known = new Set<number>(Object.values(exitCodes))
  for (const code of Object.keys(errorTable) as Code[]) {
    t.ok(known.has(exitCodeFor(code)) && exitCodeFor(code) !== exitCodes.ok, code)
    t.ok(nextStepOf(new SillokError(code, 'x')).length > 10, code)
    t.equal(exitCodeOf(new SillokError(code, 'x')), exitCodeFor(code))
    if (errorTable[code].retry === 'later') t.equal(exitCodeFor(code), exitCodes.unavailable, code)
  }
  t.equal(exitCodeFor('UNIQUE_TAKEN'), 4)
  t.equal(exitCodeFor('NOT_FOUND'), 5)
  t.equal(exitCodeFor('TIMED_OUT'), 124)
  t.equal(exitCodeOf(new UsageError('x')), 2)
  t.equal(exitCodeOf(new InvariantError('x')), 70)
  t.equal(exitCodeOf('thrown text'), 1)
})

t.test('a failure says what happened, what it means, why, and what to do', async t => {
  const error = new SillokError('UNIQUE_TAKEN', 'users.email is taken', {
    details: { holder: 'u7', value: 'a\u001b[0m' },
    cause: new Error('outer', { cause: 'inner' }),
  })
  t.equal(
    failureText(error),
    [
      'UNIQUE_TAKEN: users.email is taken',
      '  outcome: not applied',
      '  details: holder u7, value a\\x1b[0m',
      '  cause:   Error: outer',
      '  cause:   inner',
      '  next:    choose another value, or change the document that holds it',
      '',
    ].join('\n'),
  )
  t.match(failureText(new SillokError('TIMED_OUT', 'late')), /outcome: unknown/)
  const partly = new SillokError('DAMAGED', 'x', {
    details: { offset: undefined, file: 'f', batch: undefined },
  })
  t.match(failureText(partly), /\n {2}details: file f\n/)
  t.notMatch(failureText(new SillokError('DAMAGED', 'x', { details: { batch: undefined } })), /details/)
  t.match(failureText(new InvariantError('index 3 after 5')), /index 3 after 5\n(.*\n)* {2}next: .*bug/)
  t.match(failureText(new TypeError('not a key')), /^TypeError: not a key\n {2}at /)
  t.match(JSON.parse(failureJson(error)), {
    code: 'UNIQUE_TAKEN',
    exit: 4,
    outcome: 'not-applied',
    retry: 'never',
    details: { holder: 'u7' },
    causes: ['Error: outer', 'inner'],
  })
  t.match(JSON.parse(failureJson(new UsageError('no'))), { code: 'UsageError', exit: 2, message: 'no' })
})

t.test('the next step after damage is said by what lies there', async t => {
  const next = (details: Record<string, unknown>) => nextStepOf(new SillokError('DAMAGED', 'x', { details }))
  const state = '/a b/partitions/1-1/state'
  const index = '/a b/partitions/1-1/indexes/7'
  const backup = /^do not delete anything: put a backup/
  t.match(next({ folder: state }), `delete the folder ${state}: it is made anew from the log`)
  t.match(next({ file: `${state}/000005.ldb`, offset: 3 }), `delete the folder ${state}: it is made anew`)
  t.match(next({ file: `${index}/000005.ldb` }), `delete the folder ${index}: it is made anew`)
  t.match(next({ key: '0102' }), 'delete the folder `state` of its partitions')
  for (const details of [
    { file: '/a/wal/wal-1.log', offset: 4096 },
    { file: '/a/partitions/1-1/segments/open-1.seg' },
    { file: '/a/state/wal/wal-1.log' },
    // The log ends before what the state knows.
    { folder: state, firstLost: 8, last: 9 },
    {},
  ])
    t.match(next(details), backup, JSON.stringify(details))
})

t.test('what the outcome unknown leaves to do fits a verb, which has no session', async t => {
  for (const code of ['TIMED_OUT', 'ABORTED', 'CLOSED_WHILE_WAITING'] as const) {
    const next = nextStepOf(new SillokError(code, 'x'))
    t.equal(next, 'read the document before you repeat it; import resumes by itself')
  }
  t.match(nextStepOf(new SillokError('WINDOW_FULL', 'x')), /release\(\)/)
})

t.test('a cause that says nothing new is not told', async t => {
  const inner = new SillokError('INVALID', 'fields must be a list')
  const outer = new SillokError('INVALID', 'indexes.a: fields must be a list', { cause: inner })
  t.notMatch(failureText(outer), /cause:/)
  const third = new Error('why', { cause: outer })
  t.match(failureText(third), /cause: +INVALID: indexes.a: fields must be a list\n/)
  t.equal(failureText(third).match(/cause:/g)?.length, 1)
  const level = new Error('Database failed to open', { cause: new Error('LOCK: already held') })
  t.notMatch(failureText(new SillokError('FOLDER_IN_USE', 'in use', { cause: level })), /cause:/)
  t.same((JSON.parse(failureJson(outer)) as { causes: unknown }).causes, [])
})

t.test('a circle of causes ends', async t => {
  const error = new Error('a')
  error.cause = new Error('b', { cause: error })
  t.equal(failureText(error).match(/cause:/g)?.length, 5)
  const own = new Error('c')
  own.cause = own
  t.notMatch(failureText(own), /cause:/)
})

t.test('a command line ends with its exit code: results on one stream, remarks on the other', async t => {
  const lines: [string[], number, RegExp, RegExp][] = [
    [['version', '-o', 'ndjson'], 0, /^\{"sillok":"\d+\.\d+\.\d+",.*\}\n$/, /^$/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [['--help'], 0, /sillok version/, /^$/],
    [['version', '--help'], 0, /sillok version/, /^$/],
    [[], 2, /^$/, /name a verb/],
    [['version', '-o', 'xml'], 2, /^$/, /table, json, ndjson, not xml/],
    [['version', '-o', 'json', '--bogus'], 2, /^$/, /bogus/],
    [['versio'], 2, /^$/, /versio/],
  ]
  for (const [words, code, out, err] of lines) {
    const [results, remarks] = [recorder(), recorder()]
    t.equal(await run(words, results, remarks), code, words.join(' '))
    t.match(results.text, out)
    t.match(remarks.text, err)
  }
})

async function* asynchronous<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}
