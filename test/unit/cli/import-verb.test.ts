/** Import as a verb: its summary, its report, and its exit code. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { shell } from './shell.js'

const users = '{"key":"id","unique":{"email":{"fields":["email"],"normalize":["trim","fold"]}}}'

t.test('an import reports every row that was not inserted, and says so by its exit code', async t => {
  const { sillok, folder } = shell(t)
  const input = path.join(folder, 'users.ndjson')
  await sillok('define', 'users', '--json', users)
  writeFileSync(input, '{"id":"a","email":"x@y"}\n\n{"id":"b","email":"X@Y"}\n{"id":"a"}\n{"id":"c"}\n')
  const first = await sillok('import', 'users', input)
  t.match(first, {
    exit: 4,
    out: /"rows":4,"inserted":2,"refused":2,"unreadable":0,"resumedFrom":1,"sent":4,/,
    err: '',
  })
  const { report } = JSON.parse(first.out) as { report: string }
  t.match(report, /users\.ndjson\.[0-9a-f]{12}\.report\.ndjson$/)
  const lines = readFileSync(report, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as unknown)
  t.match(lines, [
    { row: 2, offset: 26, code: 'UNIQUE_TAKEN', constraint: 'email', holder: 'a', version: Number },
    { row: 3, offset: 51, code: 'EXISTS' },
  ])
  const before = readFileSync(report, 'utf8')
  const again = await sillok('import', 'users', input)
  t.match(again, { exit: 4, out: /"rows":4,"inserted":2,"refused":2,.*"sent":0,/, err: /^already imported/ })
  t.equal(readFileSync(report, 'utf8'), before)
  rmSync(report)
  t.match(await sillok('import', 'users', input), { exit: 1, err: /^INVALID: .*report .* is missing/ })

  const bad = '[{"id":"d"},{"id":"e",},{"id":"f","__proto__":1},{"id":9007199254740993},7,\n{"id":"g"}]'
  writeFileSync(input, bad)
  writeFileSync(report, 'my notes\n')
  const here = ['--report', report]
  t.match(await sillok('import', 'users', input, ...here), { exit: 1, err: /^INVALID: .*is not the report/ })
  t.equal(readFileSync(report, 'utf8'), 'my notes\n')
  rmSync(report)
  t.match(await sillok('import', 'users', input, ...here), {
    exit: 1,
    out: /"rows":6,"inserted":2,"refused":2,"unreadable":2,/,
  })
  t.match(
    readFileSync(report, 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as unknown),
    [
      { row: 2, offset: 12, code: 'INVALID', message: /^element 2, byte 12: not JSON/, unreadable: true },
      { row: 3, code: 'INVALID', message: /__proto__/ },
      { row: 4, code: 'INVALID', message: /9007199254740993 cannot be held/, unreadable: true },
      { row: 5, code: 'INVALID' },
    ],
  )
  writeFileSync(input, '')
  t.match(await sillok('import', 'users', input, '--name', 'empty', '--report', `${input}.2`), { exit: 0 })
})

t.test('imports of one file have reports of their own, and their counts stay right', async t => {
  const { sillok, folder } = shell(t)
  const input = path.join(folder, 'rows.ndjson')
  writeFileSync(input, '{"id":1}\n{"id":2}\n')
  for (const name of ['users', 'people']) await sillok('define', name, '--json', '{"key":"id"}')
  const runs: [string[], number, RegExp][] = [
    [['users'], 0, /"rows":2,"inserted":2,"refused":0,"unreadable":0,.*"sent":2,/],
    [['users', '--name', 'n2'], 4, /"rows":2,"inserted":0,"refused":2,"unreadable":0,.*"sent":2,/],
    [['people'], 0, /"rows":2,"inserted":2,"refused":0,"unreadable":0,.*"sent":2,/],
    [['users'], 0, /"rows":2,"inserted":2,"refused":0,"unreadable":0,.*"sent":0,/],
    [['users', '--name', 'n2'], 4, /"rows":2,"inserted":0,"refused":2,"unreadable":0,.*"sent":0,/],
  ]
  for (const [[collection = '', ...more], exit, out] of runs)
    t.match(
      await sillok('import', collection, input, ...more),
      { exit, out },
      `${collection} ${more.join(' ')}`,
    )
  t.equal(readdirSync(folder).filter(name => name.startsWith('rows.ndjson.')).length, 3)

  // Named by hand, a report of another import is left alone, and nothing is counted from it.
  const report = path.join(folder, 'own.ndjson')
  const named = (name: string) => sillok('import', 'people', input, '--name', name, '--report', report)
  t.match(await named('a'), { exit: 4, out: /"refused":2,/ })
  const text = readFileSync(report, 'utf8')
  t.match(text, /^\{"row":1,.*"import":"a people [0-9a-f]{64}"\}\n\{"row":2,(?!.*import).*\}\n$/)
  t.match(await named('b'), {
    exit: 1,
    out: '',
    err: /^INVALID: .* is the report of another import \(a people/,
  })
  t.equal(readFileSync(report, 'utf8'), text)
  t.match(await named('a'), { exit: 4, out: /"refused":2,.*"sent":0/ })
})
