/** CSV as an input of an import: cutting, types, what is refused and how it is told. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'csv-parse/sync'
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { type ColumnType, columnTypes } from '../../../src/cli/import/column-types.js'
import { type CsvLayout, csvReader } from '../../../src/cli/import/csv-row.js'
import { csvSplitter } from '../../../src/cli/import/csv-splitter.js'
import type { ReadRow } from '../../../src/cli/import/row-document.js'
import type { RawRow } from '../../../src/cli/import/row-splitter.js'
import { seed } from '../../seed.js'
import { shell } from './shell.js'

const comma = 0x2c

function split(bytes: Buffer, chunkBytes: number, hasHeader = false, bytesMax?: number) {
  const splitter = csvSplitter(comma, hasHeader, bytesMax)
  const rows: RawRow[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes)
    rows.push(...splitter.push(Buffer.from(bytes.subarray(at, at + chunkBytes))))
  rows.push(...splitter.end())
  return { rows, header: splitter.header?.() }
}

function layoutOf(parts: Partial<CsvLayout>): CsvLayout {
  const { columns } = parts
  const usual = { delimiter: ',', hasHeader: columns === undefined, types: new Map(), nullWord: undefined }
  return { ...usual, columns, ...parts }
}

/** The documents of a text, and what is said of rows that are none. */
function documentsOf(text: string | Buffer, parts: Partial<CsvLayout> = {}, chunkBytes = 1 << 20): unknown[] {
  const layout = layoutOf(parts)
  const { rows, header } = split(Buffer.from(text), chunkBytes, layout.hasHeader)
  const read = csvReader(layout, header)
  return rows.map(raw => told(read(raw)))
}

function told(read: ReadRow): unknown {
  return 'fault' in read ? read.fault : read.document
}

t.test('records are the same however the input is cut into chunks', async t => {
  const text = '\ufeffid,name\r\n1,"a ""b"",\r\nc"\r\n\r\n2, x \n"3",""\n4,서울'
  const expected = [
    [1, 2, 12, '1,"a ""b"",\r\nc"'],
    [2, 5, 31, '2, x '],
    [3, 6, 37, '"3",""'],
    [4, 7, 44, '4,서울'],
  ]
  const bytes = Buffer.from(text)
  for (let chunkBytes = 1; chunkBytes <= bytes.length; chunkBytes++) {
    const { rows, header } = split(bytes, chunkBytes, true)
    t.same(
      rows.map(raw => [raw.row, raw.place, raw.offset, raw.bytes.toString()]),
      expected,
      `chunks of ${chunkBytes}`,
    )
    t.equal(header?.bytes.toString(), 'id,name')
  }
  t.same(documentsOf(text), [
    { id: '1', name: 'a "b",\r\nc' },
    { id: '2', name: ' x ' },
    { id: '3', name: '' },
    { id: '4', name: '서울' },
  ])
  t.same(split(Buffer.from('\ufeff\n\n'), 1).rows, [])
})

/** The fields of a record, as many as it has; undefined if it is no CSV. */
function cellsOf(raw: RawRow): string[] | undefined {
  for (let width = 1; width <= 16; width++) {
    const columns = Array.from({ length: width }, (_, i) => `c${i}`)
    const read = csvReader(layoutOf({ columns }), undefined)(raw)
    if ('fault' in read) {
      if (read.fault.includes('columns')) continue
      return undefined
    }
    const cells = new Map(Object.entries(read.document))
    return columns.map(name => String(cells.get(name) ?? ''))
  }
  return undefined
}

t.test('whatever a parser of whole files accepts is read the same record by record', async t => {
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  const pieces = ['a', '"', '""', ',', '\n', '\r\n', '"b,c"', '"x\ny"', ' ', '서']
  let [accepted, faults] = [0, 0]
  for (let run = 0; run < 1000; run++) {
    const text = Array.from({ length: random.below(14) }, () => pieces[random.below(pieces.length)]).join('')
    const own = split(Buffer.from(text), 1 + random.below(5)).rows.map(cellsOf)
    let whole: string[][] | undefined
    try {
      const options = { record_delimiter: ['\r\n', '\n'], relax_column_count: true, skip_empty_lines: true }
      whole = parse(text, options)
    } catch {
      faults += 1
    }
    if (whole !== undefined) accepted += 1
    const isSame = whole === undefined ? own.includes(undefined) : isDeepStrictEqual(own, whole)
    if (!isSame) t.fail(`${JSON.stringify(text)} (SEED=${seed})`)
  }
  t.ok(accepted > 100 && faults > 100, `${accepted} accepted, ${faults} refused`)
})

t.test('a record that is no CSV costs itself, and is told with line and column', async t => {
  const where = (row: number, line: string, byte: number): string => `row ${row} (${line}), byte ${byte}`
  t.same(documentsOf('id,name\n1,5" disk\n2,"a"b\n3,x,y\n4\n5,ok\n6,"open\n7,x'), [
    `${where(1, 'line 2', 8)}, column 2: a quote stands inside a field that does not begin with one`,
    `${where(2, 'line 3', 18)}, column 2: something stands behind the closing quote`,
    `${where(3, 'line 4', 25)}: 3 fields, but 2 columns`,
    `${where(4, 'line 5', 31)}: 1 fields, but 2 columns`,
    { id: '5', name: 'ok' },
    `${where(6, 'lines 7 to 8', 38)}, column 2: the quote is not closed`,
  ])
  t.same(documentsOf(Buffer.from([0x61, 0x0a, 0x62, 0xff])), ['row 1 (line 2), byte 2: not UTF-8'])
  t.same(documentsOf('a,b\n1,x\ry\n'), [
    'row 1 (line 2), byte 4, column 2: a carriage return without a line feed, outside quotes',
  ])
  const { rows } = split(Buffer.from(`a\n"${'x'.repeat(100)}\n"\nb`), 7, false, 50)
  t.match(rows, [{ place: 1 }, { place: 2, fault: '103 bytes, 50 are read' }, { place: 4, row: 3 }])
  t.same(rows[1]?.bytes.length, 0)
})

t.test('a value is of its type as it stands, or it is a fault', async t => {
  const cases: Record<ColumnType, { good: [string, unknown][]; bad: string[] }> = {
    text: {
      good: [
        ['007', '007'],
        [' a ', ' a '],
        ['true', 'true'],
      ],
      bad: [],
    },
    number: {
      good: [
        ['-0', -0],
        ['33', 33],
        ['-1.5e3', -1500],
        ['9007199254740991', 9007199254740991],
      ],
      bad: [
        '',
        ' 3',
        '3 ',
        '007',
        '1,5',
        '0x1f',
        '1e999',
        '+1',
        '.5',
        'NaN',
        '9007199254740993',
        '1_000',
        '٣',
      ],
    },
    boolean: {
      good: [
        ['true', true],
        ['FALSE', false],
        ['False', false],
      ],
      bad: ['', '1', 'yes', 'tru', 't'],
    },
    date: {
      good: [
        ['2024-02-29', new Date(Date.UTC(2024, 1, 29))],
        ['2026-01-31T09:30Z', new Date(Date.UTC(2026, 0, 31, 9, 30))],
        ['2026-01-31T09:30:00.25+09:00', new Date(Date.UTC(2026, 0, 31, 0, 30, 0, 250))],
      ],
      bad: [
        '',
        '2026-02-29',
        '2026-13-01',
        '2026-00-10',
        '2026-01-00',
        '2026-1-1',
        '31.01.2026',
        '2026-01-31T09:30:00',
        '2026-01-31 09:30:00Z',
        '2026-01-31T24:00Z',
        '2026-01-31T09:30:00.1234Z',
        '1769851800',
      ],
    },
    json: {
      good: [
        ['[1,"a"]', [1, 'a']],
        ['{"a":null}', { a: null }],
        ['"x"', 'x'],
        ['null', null],
      ],
      bad: ['', 'x', '{a:1}', '[1', '9007199254740993', '{"a":1,"a":2}'],
    },
  }
  for (const [type, { good, bad }] of Object.entries(cases) as [ColumnType, (typeof cases)[ColumnType]][]) {
    for (const [text, value] of good) t.strictSame(columnTypes[type](text), { value }, `${type} ${text}`)
    for (const text of bad)
      t.match(columnTypes[type](text), { fault: String }, `${type} ${JSON.stringify(text)}`)
  }
  const long = columnTypes.json('['.repeat(100_000))
  t.ok('fault' in long && long.fault.length < 300, 'a message is short')
  const types = new Map<string, ColumnType>([['age', 'number']])
  t.same(documentsOf('id,age,on\n1,,\n2,"",""\n3,NULL,"NULL"\n4,abc,NULL\n', { types, nullWord: 'NULL' }), [
    { id: '1' },
    'row 2 (line 3), byte 14, column 2 (age): "" is no number',
    { id: '3', age: null, on: 'NULL' },
    'row 4 (line 5), byte 36, column 2 (age): "abc" is no number',
  ])
  t.same(documentsOf('id,age\n1,\n', { types, nullWord: '' }), [{ id: '1', age: null }])
  const [row] = documentsOf('__proto__\nx\n') as object[]
  t.ok(row !== undefined && Object.hasOwn(row, '__proto__'), 'left to the store')
})

t.test('a header that names no columns is refused before anything is sent', async t => {
  const cases: [string, Partial<CsvLayout>, string][] = [
    ['', {}, 'the input is empty: it has no header'],
    ['id,,x\n', {}, 'the header, line 1: column 2 has no name; with --header --columns names'],
    ['id,id\n', {}, 'the header, line 1: two columns are named "id"; '],
    ['id,"a\n', {}, 'the header: lines 1 to 1'.slice(0, 12)],
    ['id,agee\n', { types: new Map([['age', 'number']]) }, 'no column "age" in id, agee; did you mean agee?'],
  ]
  for (const [text, parts, message] of cases)
    t.throws(() => documentsOf(text, parts), {
      code: 'INVALID',
      message: new RegExp(`^${message.replace(/[?]/g, '[?]')}`),
    })
  t.same(documentsOf('x,y,z\n1,2,3\n', { columns: ['id', '', 'n'], hasHeader: true }), [{ id: '1', n: '3' }])
  t.same(documentsOf('1,2\n', { columns: ['id', 'n'] }), [{ id: '1', n: '2' }])
})

t.test('CSV is imported once, rejected rows are reported, and other types are another import', async t => {
  const { sillok, folder } = shell(t)
  const input = path.join(folder, 'users.csv')
  await sillok('define', 'users', '--json', '{"key":"id","unique":{"email":{"fields":["email"]}}}')
  writeFileSync(
    input,
    'id,email,age,active,tags,born\n' +
      'a,x@y,33,true,"[""x"",1]",1990-02-03\nb,x@y,1,true,,\n' +
      'c,,abc,true,,\nd,,,FALSE,{},\n"e\n2",z@y,1e2,,,\n',
  )
  const types = ['--types', 'age=number,active=boolean,tags=json,born=date']
  const first = await sillok('import', 'users', input, ...types)
  t.match(first, {
    exit: 1,
    out: /"rows":5,"inserted":3,"refused":1,"unreadable":1,"resumedFrom":1,"sent":5,/,
  })
  const { report } = JSON.parse(first.out) as { report: string }
  const lines = readFileSync(report, 'utf8').trim().split('\n')
  t.match(
    lines.map(line => JSON.parse(line) as unknown),
    [
      { row: 2, offset: 67, code: 'UNIQUE_TAKEN', holder: 'a' },
      {
        row: 3,
        code: 'INVALID',
        message: 'row 3 (line 4), byte 82, column 3 (age): "abc" is no number',
        unreadable: true,
      },
    ],
  )
  t.match(await sillok('get', 'users', 'a'), {
    out: '{"id":"a","email":"x@y","age":33,"active":true,"tags":["x",1],"born":"1990-02-03T00:00:00.000Z"}\n',
  })
  t.match(await sillok('get', 'users', 'd'), { out: '{"id":"d","active":false,"tags":{}}\n' })
  t.match(await sillok('get', 'users', 'e\n2'), { out: '{"id":"e\\n2","email":"z@y","age":100}\n' })
  t.match(await sillok('import', 'users', input, ...types), { exit: 1, out: /"inserted":3,.*"sent":0/ })
  t.match(await sillok('import', 'users', input), { exit: 4, out: /"inserted":1,"refused":4,.*"sent":5/ })
})

t.test('what the words for CSV do not say, or say wrong, is told before a store is opened', async t => {
  const { sillok, folder } = shell(t)
  const input = path.join(folder, 'rows.txt')
  writeFileSync(input, 'x;1\n')
  const cases: [string[], RegExp][] = [
    [['--format', 'xml'], /--format is json or csv, not xml/],
    [['--types', 'a=number'], /--types goes with --format csv/],
    [
      ['--format', 'csv', '--types', 'a=int'],
      /--types: a is one of text, number, boolean, date, json, not int/,
    ],
    [['--format', 'csv', '--types', 'number'], /--types is column=type/],
    [['--format', 'csv', '--types', 'a=json,a=text'], /--types names "a" twice/],
    [['--format', 'csv', '--columns', 'a,a'], /--columns names "a" twice/],
    [['--format', 'csv', '--columns', 'a', '--types', '{"b":"json"}'], /--columns names no "b"/],
    [['--format', 'csv', '--delimiter', '||'], /--delimiter is one ASCII character/],
    [['--format', 'csv', '--no-header'], /--no-header: name the columns by --columns/],
    [['--format', 'csv', '--columns', '[1]'], /--columns is names/],
  ]
  for (const [words, err] of cases)
    t.match(await sillok('import', 'users', input, ...words), { exit: 2, out: '', err }, words.join(' '))
  const named = [
    '--format',
    'csv',
    '--delimiter',
    ';',
    '--columns',
    '["id","n"]',
    '--types',
    '{"n":"number"}',
  ]
  await sillok('define', 'users', '--json', '{"key":"id"}')
  t.match(await sillok('import', 'users', input, ...named), { exit: 0, out: /"inserted":1/ })
  t.match(await sillok('get', 'users', 'x'), { out: '{"id":"x","n":1}\n' })
})
