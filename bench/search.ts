/**
 * The search index by itself: how fast it is built, how long questions take, and what it takes on disk.
 *
 * `node dist/bench/search.js [documents]`: reviews of ../shared/data/nsmc over and over (SILLOK_DATA names
 * another place), each with some English words by Zipf's law; `half` is in every second document. Batches of
 * 2000, each one synced write, as in the build of an index. Questions: a warm-up, then each class 300 times.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '../src/base/random.js'
import { encodeKey } from '../src/base/tuple.js'
import type { DerivedIndex } from '../src/derived/contract.js'
import { IndexStore } from '../src/derived/index-store.js'
import { SearchIndex, search } from '../src/derived/search/search.js'
import type { SearchQuery } from '../src/derived/search/search-query.js'
import { LevelKeyValueStores } from '../src/env/level-key-value.js'
import { RealDisk } from '../src/env/real-disk.js'

const count = Number(process.argv[2] ?? 100_000)
const folderOfData = process.env['SILLOK_DATA'] ?? join('..', 'shared', 'data')
const random = new Random('search')
const vocabulary = 20_000

function zipfWord(): string {
  return `term${Math.floor(vocabulary ** random.fraction())}`
}

function reviews(): string[] {
  const file = join(folderOfData, 'nsmc', 'reviews.ndjson')
  if (!existsSync(file)) return Array.from({ length: 1000 }, () => zipfWord())
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines.map(line => (JSON.parse(line) as { review: string }).review)
}

const texts = reviews()
const documents = Array.from({ length: count }, (_, n) => {
  const words = Array.from({ length: random.below(6) }, zipfWord)
  if (n % 2 === 0) words.push('half')
  return { text: `${texts[n % texts.length]} ${words.join(' ')}`, year: 2000 + (n % 20) }
})

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function percentile(sorted: readonly number[], part: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(2)
}

async function build(store: IndexStore, index: DerivedIndex): Promise<void> {
  const size = 2000
  const used = process.cpuUsage()
  const started = now()
  let slowest = 0
  for (let from = 0; from < count; from += size) {
    const changes = documents.slice(from, from + size).map((document, n) => ({
      keyBytes: encodeKey(from + n),
      version: from + n + 1,
      document,
    }))
    const begun = now()
    const done = from + size >= count
    const after = encodeKey(from + changes.length - 1)
    const build = done ? ({ done } as const) : ({ done, after } as const)
    await store.write({ index, changes, position: 0, build })
    if (store.needsCheckpoint) await store.checkpoint()
    slowest = Math.max(slowest, now() - begun)
  }
  const seconds = (now() - started) / 1000
  const { user, system } = process.cpuUsage(used)
  const cpu = ((user + system) / 1e6).toFixed(1)
  const rate = Math.round(count / seconds)
  const spent = `${seconds.toFixed(1)} s (processor ${cpu} s)`
  console.log(`build: ${count} documents in ${spent}, ${rate}/s, slowest batch ${slowest.toFixed(0)} ms`)
}

async function ask(
  index: SearchIndex,
  store: IndexStore,
  name: string,
  next: () => SearchQuery,
): Promise<void> {
  const rows = store.rows()
  const times: number[] = []
  let hits = 0
  for (let n = 0; n < 400; n++) {
    const query = { limit: 10, ...next() }
    const started = now()
    for await (const page of index.query(query, rows)) hits += page.length
    if (n >= 100) times.push(now() - started)
  }
  await rows.close()
  times.sort((a, b) => a - b)
  const figures = `p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`
  console.log(`${name}: ${figures}, ${(hits / 400).toFixed(1)} hits`)
}

function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

const folder = mkdtempSync(join(tmpdir(), 'sillok-search-'))
const disk = new RealDisk()
const keyValue = new LevelKeyValueStores()
const options = { disk, keyValue, random, folder, identity: 'bench', writeBufferBytes: 8 * 1024 * 1024 }
const index = new SearchIndex(search.configure({ fields: ['text'], filters: ['year'] }))
const { store } = await IndexStore.open(options)
await build(store, index)
const word = (): string => {
  const words = (documents[random.below(count)]?.text ?? '').match(/[가-힣]{2,}|term\d+/g) ?? []
  return words.length === 0 ? 'half' : random.pick(words)
}
const classes: [string, () => SearchQuery][] = [
  ['two terms', () => ({ text: `${zipfWord()} ${zipfWord()}` })],
  ['two words of documents', () => ({ text: `${word()} ${word()}` })],
  ['a term in half of all', () => ({ text: 'half' })],
  ['that, and another', () => ({ text: `half ${zipfWord()}` })],
  ['that, filtered', () => ({ text: 'half', where: { year: { gte: 2015 } } })],
  ['a common run', () => ({ text: '영화' })],
  ['a run of Hangul', () => ({ text: word() })],
  ['prefix, three letters and more', () => ({ text: zipfWord().slice(0, 6), prefix: true })],
  ['prefix in a third of all', () => ({ text: 'ter', prefix: true })],
  ['prefix of Hangul', () => ({ text: word().slice(0, 2), prefix: true })],
  ['one syllable', () => ({ text: word().slice(0, 1) })],
  ['phrase', () => ({ text: `"${word()}"` })],
  ['a question of ten words', () => ({ text: Array.from({ length: 10 }, word).join(' ') })],
]
for (const [name, next] of classes) await ask(index, store, name, next)
await store.checkpoint()
await store.close()
const textBytes = documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
console.log(
  `on disk: ${(bytesOf(folder) / 1e6).toFixed(1)} MB for ${(textBytes / 1e6).toFixed(1)} MB of text`,
)
console.log(`memory: ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB resident`)
rmSync(folder, { recursive: true })
