/** The importer: cutting rows, reading them, the report, and exactly once over a crash at every step. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { parseExactJson } from '../../../src/cli/exact-json.js'
import { Importer } from '../../../src/cli/import/importer.js'
import { keptLines } from '../../../src/cli/import/rejection-report.js'
import { readRow } from '../../../src/cli/import/row-document.js'
import { type RawRow, rowSplitter } from '../../../src/cli/import/row-splitter.js'
import { batchesOf, expectedReport, ImportWorld, inputOf, type Mutant } from './import-world.js'

const seed = process.env['SEED'] ?? 'import-1'

function split(bytes: Buffer, chunkBytes: number, bytesMax?: number): RawRow[] {
  const splitter = rowSplitter(bytesMax)
  const rows: RawRow[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    rows.push(...splitter.push(Buffer.from(bytes.subarray(at, at + chunkBytes))))
  }
  return [...rows, ...splitter.end()]
}

/** Row, place, offset and text or fault. */
function told(rows: readonly RawRow[]): (string | number)[][] {
  return rows.map(({ row, place, offset, bytes, fault }) => [
    row,
    place,
    offset,
    fault ?? bytes.toString('utf8'),
  ])
}

t.test('rows are the same however the input is cut into chunks', async t => {
  const inputs: Record<string, (string | number)[][]> = {
    '{"a":1}\n{"b":"x\\n,]"}\n': [
      [1, 1, 0, '{"a":1}'],
      [2, 2, 8, '{"b":"x\\n,]"}'],
    ],
    '\ufeff{"a":1}\r\n\r\n  {"b":2}  ': [
      [1, 1, 3, '{"a":1}'],
      [2, 3, 16, '{"b":2}'],
    ],
    ' [ {"a":"]},[\\""} ,\n{"b":[1,[2]],"c":{}}, "x,y" ] \n': [
      [1, 1, 3, '{"a":"]},[\\""}'],
      [2, 2, 20, '{"b":[1,[2]],"c":{}}'],
      [3, 3, 42, '"x,y"'],
    ],
    '[]': [],
    ' \n': [],
    '': [],
    '[{"서울":"\\\\"},{}]': [
      [1, 1, 1, '{"서울":"\\\\"}'],
      [2, 2, 17, '{}'],
    ],
  }
  for (const [text, rows] of Object.entries(inputs)) {
    const bytes = Buffer.from(text)
    for (let chunkBytes = 1; chunkBytes <= bytes.length + 1; chunkBytes++) {
      t.same(told(split(bytes, chunkBytes)), rows, `${JSON.stringify(text)} in chunks of ${chunkBytes}`)
    }
  }
})

t.test('an element that is not JSON costs itself and nothing after it', async t => {
  const texts: Record<string, (string | number)[]> = {
    '[{"a":1},{bad},{"b":2}]': ['{"a":1}', '{bad}', '{"b":2}'],
    '[{"a":1},{bad ]},{"b":2}]': ['{"a":1}', '{bad ]}', '{"b":2}'],
    '[{"a":[1,2},{"b":2}]': ['{"a":[1,2}', '{"b":2}'],
    '[{"a":"open\n},{"b":2}]': ['{"a":"open\n}', '{"b":2}'],
    '[1,,2]': ['1', 'an element is missing', '2'],
    '[1,]': ['1', 'an element is missing'],
    '[1] x': ['1', 'something stands after the array'],
    '[1,{"a":2': ['1', '{"a":2', 'the input ends inside the array'],
    '[': ['the input ends inside the array'],
  }
  for (const [text, expected] of Object.entries(texts)) {
    for (const chunkBytes of [1, 3, 100]) {
      t.same(
        told(split(Buffer.from(text), chunkBytes)).map(row => row[3]),
        expected,
        `${text} by ${chunkBytes}`,
      )
    }
  }
})

t.test('a row over the limit is passed over, not held', async t => {
  const long = 'x'.repeat(100)
  for (const text of [`{"a":1}\n"${long}"\n{"b":2}`, `[{"a":1},"${long}",{"b":2}]`]) {
    for (const chunkBytes of [1, 7, 1000]) {
      const [first, second, third] = split(Buffer.from(text), chunkBytes, 50)
      t.equal(first?.bytes.toString(), '{"a":1}')
      t.equal(second?.fault, '102 bytes, 50 are read')
      t.equal(second?.bytes.length, 0)
      t.equal(third?.bytes.toString(), '{"b":2}')
    }
  }
})

t.test('what cannot be read exactly is told with its place', async t => {
  const read = (bytes: Buffer): unknown => {
    const result = readRow({ row: 3, place: 4, offset: 50, bytes }, 'line')
    return 'fault' in result ? result.fault : result.document
  }
  t.match(read(Buffer.from('{bad}')), /^row 3 \(line 4\), byte 50: not JSON: /)
  t.equal(read(Buffer.from([0x22, 0xff, 0x22])), 'row 3 (line 4), byte 50: not UTF-8')
  const advice = 'up to 9007199254740991 every whole number can, beyond write it as a text'
  const lost = ` cannot be held exactly as a number: ${advice}`
  t.equal(read(Buffer.from('{"a":9007199254740993}')), `row 3 (line 4), byte 50: 9007199254740993${lost}`)
  t.equal(
    read(Buffer.from('{"a":[-12345678901234567890]}')),
    `row 3 (line 4), byte 50: -12345678901234567890${lost}`,
  )
  t.match(readRow({ row: 4, place: 4, offset: 50, bytes: Buffer.from('{') }, 'line'), {
    fault: /^line 4, byte 50: /,
  })
  for (const text of [
    '{"a":9007199254740991}',
    '{"a":"9007199254740993"}',
    '{"a":1.0000000000000001e2}',
    '[1]',
  ]) {
    t.same(read(Buffer.from(text)), JSON.parse(text), text)
  }
  t.ok(Object.hasOwn(read(Buffer.from('{"__proto__":{"a":1}}')) as object, '__proto__'), 'left to the store')
})

t.test('what JSON.parse would lose is a fault: rounded numbers, and a field that stands twice', async t => {
  const twice: [string, string][] = [
    ['{"a":1,"a":2}', 'a'],
    ['{"a":1,"b":{"c":[{"d":1, "d" : 1}]}}', 'd'],
    ['[{"a":[{"x":"}"}],"a":0}]', 'a'],
    ['{"\\u0061":1,"a":2}', 'a'],
    ['{"a\\\\":1,"a\\\\":2}', 'a\\'],
    ['{"\\"":"\\\\","\\u0022":1}', '"'],
    ['{"":1,\n\t""\r:2}', ''],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"김":1,"김":2}', '김'],
  ]
  for (const [text, name] of twice) {
    const fault = `the field ${JSON.stringify(name)} stands twice in one object`
    t.same(parseExactJson(text), { fault }, text)
  }
  const whole = [
    '{"a":1,"A":2,"b":{"a":1},"c":[{"a":1},{"a":2}],"d":"a","e":["a","a"]}',
    '{"a":"\\"a\\":","b":"{\\"b\\":1"}',
    '{"a":"a","b":"\\\\"}',
    '[true,false,null,1e2,-0.5E-3,{}]',
    '"a"',
    '7',
  ]
  for (const text of whole) t.same(parseExactJson(text), { value: JSON.parse(text) as unknown }, text)
  t.match(parseExactJson(`{"a":${'9'.repeat(5000)}}`), { fault: /^9{80}… cannot be held exactly/ })
  t.match(parseExactJson(`{"a":1${'0'.repeat(400)}}`), { fault: /cannot be held exactly/ })
  t.match(parseExactJson(`{"${'k'.repeat(500)}":1,"${'k'.repeat(500)}":1}`), {
    fault: /^the field "k{79}… stands/,
  })
})

t.test('the time of reading JSON grows with its length only', async t => {
  const million = 1_000_000
  const texts = [
    JSON.stringify({ a: '\\'.repeat(million), b: '"'.repeat(million) }),
    `{"n":[${'9'.repeat(million)}.5]}`,
    `{"s":"${'1'.repeat(2 * million)}"${' '.repeat(million)}:1}`.replace('"s":', ''),
    `{${Array.from({ length: million / 10 }, (_, i) => `"${i}":${i}`).join()}}`,
    `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
  ]
  for (const text of texts) {
    const startMs = performance.now()
    t.notOk('fault' in parseExactJson(text))
    t.ok(performance.now() - startMs < 2000, `${text.slice(0, 20)} in ${performance.now() - startMs} ms`)
  }
})

function line(row: number): string {
  return `${JSON.stringify({ row, offset: row * 10, code: 'EXISTS', message: 'there', import: 'own' })}\n`
}

t.test('a report keeps its whole lines of rows that are not sent again', async t => {
  const text = line(3) + line(5) + line(8)
  const kept = (bytes: Buffer, from: number): number => keptLines(bytes, from, 'report', 'own').refused
  for (let length = 0; length <= text.length; length++) {
    for (const zeros of [0, 5]) {
      const bytes = Buffer.concat([Buffer.from(text.slice(0, length)), Buffer.alloc(zeros)])
      const whole = text.slice(0, length).split('\n').length - 1
      t.equal(kept(bytes, 9), whole, `all rows, ${length} bytes and ${zeros} zeros`)
      t.equal(kept(bytes, 5), Math.min(1, whole), `rows before 5, ${length} bytes and ${zeros} zeros`)
      t.equal(kept(bytes, 1), 0, `a new import, ${length} bytes and ${zeros} zeros`)
    }
  }
  const unreadable = Buffer.from('{"row":2,"unreadable":true,"import":"own"}\n')
  t.same(keptLines(unreadable, 9, 'report', 'own'), { bytes: unreadable.length, refused: 0, unreadable: 1 })
})

t.test('a file that is no report, or lacks a line, is refused and left alone', async t => {
  const files = [
    'dear diary\n',
    '{"id":1}\n',
    'x',
    `${line(3)}garbage\n${line(4)}`,
    line(5) + line(3),
    line(3) + line(3),
  ]
  for (const file of files) {
    t.throws(
      () => keptLines(Buffer.from(file), 9, 'report', 'own'),
      { code: 'INVALID' },
      JSON.stringify(file),
    )
  }
  for (const file of files.slice(0, 3))
    t.throws(() => keptLines(Buffer.from(file), 1, 'report', 'own'), { code: 'INVALID' })
  for (const from of [1, 9]) {
    const message = /^report is the report of another import \(own\)/
    t.throws(() => keptLines(Buffer.from(line(3)), from, 'report', 'other'), { code: 'INVALID', message })
  }
})

/** Crashes after every possible number of steps, sometimes again on the way; tells what was wrong. */
async function crashEverywhere(rows: number, mutant: Mutant): Promise<string[]> {
  const complaints: string[] = []
  const random = new Random(seed)
  for (let steps = 0, isDone = false; !isDone; steps++) {
    const world = new ImportWorld(random.split(`steps ${steps}`), mutant)
    isDone = await world.run(rows, steps)
    for (let crashes = 0; crashes < 3; crashes++) {
      world.recover()
      if (await world.run(rows, crashes < 2 ? random.below(steps + 1) : Number.POSITIVE_INFINITY)) break
    }
    const lines = world.report.split('\n').slice(0, -1)
    const reported = lines.map(text => /^\{"row":(\d+),[^{]*(\{bad[^{]*)?\}$/.exec(text)?.[1] ?? text)
    if (reported.join() !== expectedReport(rows).join())
      complaints.push(`after ${steps} steps: ${reported.join()}`)
    const missing = Array.from({ length: rows }, (_, i) => i + 1).filter(
      row => row % 11 !== 0 && !world.executed.has(row),
    )
    if (missing.length > 0) complaints.push(`after ${steps} steps: rows ${missing.join()} are missing`)
    const doubled = [...world.executed].filter(([, times]) => times > 1)
    if (doubled.length > 0) complaints.push(`after ${steps} steps: rows ${doubled.join()} are doubled`)
  }
  return complaints
}

t.test('a crash after any step loses no row, and no line of the report, and doubles none', async t => {
  t.comment(`SEED=${seed}`)
  t.same(await crashEverywhere(60, {}), [])
})

t.test('without the sync of the report, or the cut at its end, that law is seen to break', async t => {
  t.not((await crashEverywhere(60, { skipsSync: true })).length, 0)
  t.not((await crashEverywhere(60, { skipsCut: true })).length, 0)
})

/** An importer over a session of the test's own. */
function importerOver(
  insert: (sequence: number) => Promise<unknown>,
  append = async (): Promise<void> => {},
) {
  const released: number[] = []
  const importer = new Importer({
    session: {
      lowWater: 1,
      insert: async (documents, sequence) => {
        await insert(sequence)
        return documents.map(() => ({ ok: true, version: 1 }))
      },
      release: row => released.push(row),
    },
    report: { counts: { refused: 0, unreadable: 0 }, append },
    read: raw => readRow(raw, 'line'),
    concurrency: 1024,
    groups: { rowsMax: 4, bytesMax: 1000 },
  })
  return { importer, released }
}

t.test('nothing is sent beyond the window of the session', async t => {
  const sent: number[] = []
  let answerFirst: () => void = () => {}
  const { importer } = importerOver(sequence => {
    sent.push(sequence)
    if (sequence > 1) return Promise.resolve()
    return new Promise<void>(resolve => {
      answerFirst = resolve
    })
  })
  const run = importer.run(batchesOf(Buffer.from('{}\n'.repeat(3000))))
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(sent.at(-1), 1021, 'the group of row 1 has no answer, and that of row 1025 waits')
  answerFirst()
  t.equal(await run, true)
  t.equal(sent.length, 750)
})

t.test('lowWater stays at a row whose outcome is unknown, and the import ends with its error', async t => {
  const error = new SillokError('TIMED_OUT', 'no answer')
  const { importer, released } = importerOver(sequence =>
    sequence === 21 ? Promise.reject(error) : Promise.resolve(),
  )
  await t.rejects(importer.run(batchesOf(Buffer.from('{}\n'.repeat(100)))), error)
  t.equal(released.at(-1), 20)
})

t.test('lowWater stays at a row whose line could not be written', async t => {
  const full = new SillokError('DISK_FULL', 'no space')
  const { importer, released } = importerOver(
    async sequence => {
      await new Promise(resolve => setTimeout(resolve, sequence % 3))
    },
    () => Promise.reject(full),
  )
  await t.rejects(importer.run(batchesOf(inputOf(60))), full)
  t.ok((released.at(-1) ?? 0) < 11, `released ${released.join()}`)
})
