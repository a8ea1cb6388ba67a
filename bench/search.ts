/**
 * The search index by itself: how fast it is built, how long it holds the event loop, how long questions
 * take, and what it takes on disk.
 *
 * `node dist/bench/search.js [documents] [reviews | cities] [build]`: documents of search-documents.ts, in
 * batches as the build of an index makes them, each one synced write. Questions of reviews: a warm-up, then
 * each class 300 times; with `build` none. A stall is how long the
 * thread worked at most between two turns of the event loop.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits } from '../src/base/limits.js'
import { encodeKey } from '../src/base/tuple.js'
import type { DerivedIndex } from '../src/derived/contract.js'
import { IndexStore } from '../src/derived/index-store.js'
import { Pace } from '../src/derived/pace.js'
import { SearchIndex, search } from '../src/derived/search/search.js'
import type { SearchQuery } from '../src/derived/search/search-query.js'
import { LevelKeyValueStores } from '../src/env/level-key-value.js'
import { RealClock } from '../src/env/real-clock.js'
import { RealDisk } from '../src/env/real-disk.js'
import { SearchDocuments } from './search-documents.js'

const count = Number(process.argv[2] ?? 100_000)
const kind = process.argv[3] === 'cities' ? 'cities' : 'reviews'
const isBuildOnly = process.argv.includes('build') || kind === 'cities'
const measured = new SearchDocuments(count, kind)
const { all: documents, random } = measured
const word = (): string => measured.word()
const zipfWord = (): string => measured.zipfWord()

function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function percentile(sorted: readonly number[], part: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(2)
}

/** Milliseconds of processor time of this thread; where the system does not tell, of the clock. */
function threadMs(): number {
  const file = '/proc/thread-self/schedstat'
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[0]) / 1e6 : now()
}

/** The longest time for which the event loop was held: between two timers, what this thread worked. */
class Stalls {
  longest = 0
  #last = threadMs()
  readonly #timer = setInterval(() => {
    const at = threadMs()
    this.longest = Math.max(this.longest, at - this.#last)
    this.#last = at
  }, 1)

  /** Measures anew. */
  begin(): void {
    this.longest = 0
    this.#last = threadMs()
  }

  end(): void {
    clearInterval(this.#timer)
  }
}

async function build(store: IndexStore, index: DerivedIndex): Promise<void> {
  const size = limits.indexChunkDocuments
  const used = process.cpuUsage()
  const started = now()
  const stalls = new Stalls()
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
  stalls.end()
  const seconds = (now() - started) / 1000
  const { user, system } = process.cpuUsage(used)
  const each = ((user + system) / count).toFixed(1)
  const rate = Math.round(count / seconds)
  console.log(`build: ${count} documents in ${seconds.toFixed(1)} s, ${rate}/s, processor ${each} µs each`)
  console.log(`longest stall ${stalls.longest.toFixed(1)} ms, slowest batch ${slowest.toFixed(0)} ms`)
}

async function ask(
  index: SearchIndex,
  store: IndexStore,
  name: string,
  next: () => SearchQuery,
): Promise<void> {
  const rows = store.rows()
  const times: number[] = []
  const stalls = new Stalls()
  let hits = 0
  for (let n = 0; n < 400; n++) {
    const query = { limit: 10, ...next() }
    const started = now()
    for await (const page of index.query(query, rows)) hits += page.length
    if (n >= 100) times.push(now() - started)
    if (n === 100) stalls.begin()
  }
  stalls.end()
  await rows.close()
  times.sort((a, b) => a - b)
  const figures = `p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`
  const stall = `longest stall ${stalls.longest.toFixed(1)} ms`
  console.log(`${name}: ${figures}, ${stall}, ${(hits / 400).toFixed(1)} hits`)
}

function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

const [load = 0] = loadavg()
console.log(`${process.version}, ${cpus()[0]?.model}, load average ${load.toFixed(1)}`)
const folder = mkdtempSync(join(tmpdir(), 'sillok-search-'))
const disk = new RealDisk()
const keyValue = new LevelKeyValueStores()
const pace = new Pace(new RealClock(), limits.sliceMs)
const writeBufferBytes = limits.writeBufferBytesIndex
const options = { disk, keyValue, random, folder, identity: 'bench', writeBufferBytes, pace }
const index = new SearchIndex(search.configure({ fields: ['text'], filters: ['year'] }))
const { store } = await IndexStore.open(options)
await build(store, index)
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
for (const [name, next] of isBuildOnly ? [] : classes) await ask(index, store, name, next)
await store.checkpoint()
await store.close()
const { textBytes } = measured
console.log(
  `on disk: ${(bytesOf(folder) / 1e6).toFixed(1)} MB for ${(textBytes / 1e6).toFixed(1)} MB of text`,
)
console.log(`memory: ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB resident`)
rmSync(folder, { recursive: true })
