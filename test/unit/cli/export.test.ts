/** Export: what is written, in which order, and what stands under the file's name whatever happens. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { run } from '../../../src/cli/main.js'
import { open } from '../../../src/index.js'
import { shell } from './shell.js'

async function fill(folder: string, count: number): Promise<void> {
  const store = await open({ dir: path.join(folder, 'store') })
  await store.define('things', { key: 'id' })
  const things = store.collection('things')
  for (let from = 0; from < count; from += 500) {
    const ids = Array.from({ length: Math.min(500, count - from) }, (_, i) => from + i)
    await Promise.all(ids.map(id => things.put({ id, text: `thing ${id} ✓` })))
  }
  await store.close()
}

t.test('an export is every document in key order, and import takes it back', async t => {
  const { sillok, folder } = shell(t)
  await fill(folder, 1234)
  const out = path.join(folder, 'things.ndjson')
  const ended = await sillok('export', 'things', '--output-file', out)
  t.match(ended, { exit: 0, out: /"documents":1234,"bytes":\d+/, err: '' })
  const text = readFileSync(out, 'utf8')
  const lines = text.trimEnd().split('\n')
  t.same(
    lines.map(line => (JSON.parse(line) as { id: number }).id),
    Array.from({ length: 1234 }, (_, id) => id),
  )
  t.equal((await sillok('export', 'things')).out, text, 'the same to standard output')
  await sillok('define', 'again', '--json', '{"key":"id"}')
  t.match(await sillok('import', 'again', out), { exit: 0, out: /"inserted":1234,/ })
  t.equal((await sillok('export', 'again')).out, text, 'the same after import')
  t.same(
    readdirSync(folder).filter(name => name.includes('.part')),
    [],
  )
})

t.test('what JSON lacks becomes text, and is counted; -0 stays', async t => {
  const { sillok, folder } = shell(t)
  const store = await open({ dir: path.join(folder, 'store') })
  await store.define('odd', { key: 'id' })
  const odd = store.collection('odd')
  await odd.put({ id: 'a', at: new Date(0), raw: Buffer.from([255, 0]), zero: -0, list: [new Date(1), null] })
  await odd.put({ id: 'b', at: new Date(5), text: '\u2028"\n' })
  await store.close()
  const { exit, out, err } = await sillok('export', 'odd')
  t.equal(exit, 0)
  t.match(err, /^3 dates became ISO text\n1 values of bytes became base64 text\n$/)
  const lines = out.trimEnd().split('\n')
  const first = '{"id":"a","at":"1970-01-01T00:00:00.000Z","raw":"/wA=","zero":-0,'
  t.equal(lines[0], `${first}"list":["1970-01-01T00:00:00.001Z",null]}`)
  t.match(JSON.parse(lines[1] ?? ''), { id: 'b', text: '\u2028"\n' })
})

t.test('an export that fails or is stopped leaves what stood under the name', async t => {
  const { sillok, folder } = shell(t)
  await fill(folder, 3000)
  const out = path.join(folder, 'things.ndjson')
  writeFileSync(out, 'before\n')
  t.match(await sillok('export', 'nothing', '--output-file', out), { exit: 5, err: /^NOT_FOUND/ })
  const others = process.listeners('SIGINT')
  const going = sillok('export', 'things', '--output-file', out)
  for (;;) {
    const own = process.listeners('SIGINT').find(listener => !others.includes(listener))
    own?.('SIGINT')
    if (own !== undefined) break
    await new Promise(resolve => setImmediate(resolve))
  }
  t.match(await going, { exit: 130, out: '', err: /^stopped: .*things.ndjson was not written/ })
  t.equal(readFileSync(out, 'utf8'), 'before\n')
  t.same(readdirSync(folder).sort(), ['store', 'things.ndjson'])
  mkdirSync(path.join(folder, 'taken'))
  t.match(await sillok('export', 'things', '--output-file', path.join(folder, 'taken')), { exit: 2 })
  t.match(await sillok('export', 'things', '--output-file', path.join(folder, 'no', 'such')), { exit: 5 })
  t.match(await sillok('export', 'things', '-o', 'table'), { exit: 2 })
})

t.test('an export whose reader went away ends early, without an error', async t => {
  const { folder } = shell(t)
  await fill(folder, 3000)
  let lines = 0
  const out = {
    isTerminal: false,
    width: Number.POSITIVE_INFINITY,
    get isGone() {
      return lines >= 10
    },
    write: () => Promise.resolve(void lines++),
  }
  const exit = await run(['export', 'things', '--dir', path.join(folder, 'store')], out, out)
  t.equal(exit, 0)
  t.equal(lines, 10)
})
