/**
 * Search beside other libraries: the same documents and questions, each library in a process of its own, one
 * after the other.
 *
 * `npm install --ignore-scripts` here, `npm run build` above, then `node bench/peers/search.mjs [documents]`
 * in the project's folder. MiniSearch keeps all in memory; SQLite is node:sqlite where Node has it with FTS5,
 * else the one of node-sqlite3-wasm, a file with `synchronous` FULL and batches of 2000 in a transaction, as
 * for sillok. What cannot run says why.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const dist = new URL('../../dist/', import.meta.url)
const load = file => import(new URL(file, dist).href)
const { SearchDocuments } = await load('bench/search-documents.js')
const { SearchIndex, search } = await load('src/derived/search/search.js')
const { IndexStore } = await load('src/derived/index-store.js')
const { Pace } = await load('src/derived/pace.js')
const { LevelKeyValueStores } = await load('src/env/level-key-value.js')
const { RealClock } = await load('src/env/real-clock.js')
const { RealDisk } = await load('src/env/real-disk.js')
const { Random } = await load('src/base/random.js')
const { encodeKey } = await load('src/base/tuple.js')
const { limits } = await load('src/base/limits.js')

const batch = limits.indexChunkDocuments

/** Sillok's index by itself; `options.plain`: without stems and stop words. */
async function openSillok(folder, options) {
  const index = new SearchIndex(search.configure({ fields: ['text'] }), options)
  const { store } = await IndexStore.open({
    disk: new RealDisk(),
    keyValue: new LevelKeyValueStores(),
    random: new Random('peers'),
    folder,
    identity: 'peers',
    writeBufferBytes: limits.writeBufferBytesIndex,
    pace: new Pace(new RealClock(), limits.sliceMs),
  })
  return {
    async add(documents, from) {
      const changes = documents.map((document, n) => ({
        keyBytes: encodeKey(from + n),
        version: from + n + 1,
        document,
      }))
      const build = { done: false, after: changes.at(-1).keyBytes }
      await store.write({ index, changes, position: 0, build })
      if (store.needsCheckpoint) await store.checkpoint()
    },
    async ask(text, prefix) {
      const rows = store.rows()
      const keys = []
      for await (const page of index.query({ text, prefix, limit: 10 }, rows)) {
        keys.push(...page.map(({ key }) => key))
      }
      await rows.close()
      return keys
    },
    async close() {
      await store.checkpoint()
      await store.close()
    },
  }
}

async function openMiniSearch() {
  const { default: MiniSearch } = await import('minisearch')
  const index = new MiniSearch({ fields: ['text'] })
  return {
    add: (documents, from) => index.addAll(documents.map((document, n) => ({ ...document, id: from + n }))),
    ask(text, prefix) {
      const isLast = (_term, n, terms) => n === terms.length - 1
      const found = index.search(text, { prefix: prefix && isLast, bm25: { k: 1.2, b: 0.75, d: 0 } })
      return found.slice(0, 10).map(({ id }) => id)
    },
    close() {},
  }
}

/** One way to SQLite: `run` and `all` of a statement with values. */
async function openDatabase(file) {
  const own = await import('node:sqlite').catch(() => undefined)
  if (own !== undefined) {
    const database = new own.DatabaseSync(file)
    return {
      name: 'node:sqlite',
      exec: sql => database.exec(sql),
      prepare(sql) {
        const statement = database.prepare(sql)
        return { run: (...values) => statement.run(...values), all: (...values) => statement.all(...values) }
      },
      close: () => database.close(),
    }
  }
  const { default: wasm } = await import('node-sqlite3-wasm')
  const database = new wasm.Database(file)
  return {
    name: 'node-sqlite3-wasm',
    exec: sql => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql)
      return { run: (...values) => statement.run(values), all: (...values) => statement.all(values) }
    },
    close: () => database.close(),
  }
}

async function openSqlite(folder) {
  const database = await openDatabase(join(folder, 'peers.db'))
  database.exec('PRAGMA synchronous = FULL')
  database.exec('CREATE VIRTUAL TABLE documents USING fts5(text)')
  const insert = database.prepare('INSERT INTO documents (rowid, text) VALUES (?, ?)')
  const select = database.prepare(
    'SELECT rowid FROM documents WHERE documents MATCH ? ORDER BY rank LIMIT 10',
  )
  return {
    name: `SQLite FTS5 (${database.name})`,
    add(documents, from) {
      database.exec('BEGIN')
      for (const [n, { text }] of documents.entries()) insert.run(from + n, text)
      database.exec('COMMIT')
    },
    ask(text, prefix) {
      const words = text.split(' ').map(word => `"${word}"`)
      return select.all(`${words.join(' OR ')}${prefix ? '*' : ''}`).map(({ rowid }) => Number(rowid))
    },
    close: () => database.close(),
  }
}

const openers = { sillok: openSillok, minisearch: openMiniSearch, sqlite: openSqlite }

function bytesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0)
}

async function asked(engine, name, next) {
  const times = []
  for (let n = 0; n < 200; n++) {
    const { text, prefix = false } = next()
    const started = performance.now()
    await engine.ask(text, prefix)
    if (n >= 50) times.push(performance.now() - started)
  }
  times.sort((a, b) => a - b)
  const at = part => (times[Math.floor(part * times.length)] ?? 0).toFixed(2)
  return `  ${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`
}

/** Builds and asks one library in this process. */
async function measure(name, count) {
  const folder = mkdtempSync(join(tmpdir(), 'sillok-peers-'))
  try {
    const measured = new SearchDocuments(count, 'reviews')
    globalThis.gc?.()
    const before = process.memoryUsage()
    const engine = await openers[name](folder)
    const used = process.cpuUsage()
    const started = performance.now()
    for (let from = 0; from < count; from += batch) {
      await engine.add(measured.all.slice(from, from + batch), from)
    }
    const seconds = (performance.now() - started) / 1000
    const { user, system } = process.cpuUsage(used)
    const each = ((user + system) / count).toFixed(1)
    const rate = Math.round(count / seconds)
    console.log(`${engine.name ?? name}: ${rate} documents/s, processor ${each} µs each`)
    globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    const zipf = () => measured.zipfWord()
    console.log(await asked(engine, 'two terms', () => ({ text: `${zipf()} ${zipf()}` })))
    console.log(await asked(engine, 'a term in half of all', () => ({ text: 'half' })))
    console.log(await asked(engine, 'a prefix in most', () => ({ text: 'ter', prefix: true })))
    await engine.close()
    const more = value => (value / 1e6).toFixed(0)
    const memory = `${more(rss - before.rss)} MB resident, ${more(heapUsed - before.heapUsed)} MB heap`
    console.log(`  ${(bytesOf(folder) / 1e6).toFixed(1)} MB on disk, memory after the build: ${memory} more`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** How many of the ten best of sillok, without stems and stop words, MiniSearch's BM25 has among its own. */
async function compareOrder() {
  const folder = process.env.SILLOK_DATA ?? join('..', 'shared', 'data')
  const all = join(folder, 'cranfield', 'cran.all.1400.xml')
  if (!existsSync(all)) {
    console.log(`order: left out, ${all} is not there`)
    return
  }
  const tagged = (xml, tag) => new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(xml)?.[1]?.trim() ?? ''
  const documents = [...readFileSync(all, 'utf8').matchAll(/<doc>[\s\S]*?<\/doc>/g)].map(([xml]) => ({
    text: `${tagged(xml, 'title')} ${tagged(xml, 'text')}`.replaceAll(/[^a-zA-Z]+/g, ' '),
  }))
  const questions = readFileSync(join(folder, 'cranfield', 'cran.qry.xml'), 'utf8')
  const texts = [...questions.matchAll(/<top>[\s\S]*?<\/top>/g)].map(([xml]) =>
    tagged(xml, 'title')
      .replaceAll(/[^a-zA-Z]+/g, ' ')
      .trim(),
  )
  const own = mkdtempSync(join(tmpdir(), 'sillok-peers-'))
  try {
    const [ours, theirs] = [await openSillok(own, { plain: true }), await openMiniSearch()]
    await ours.add(documents, 0)
    theirs.add(documents, 0)
    let shared = 0
    let first = 0
    const words = texts.flatMap(text =>
      [...new Set(text.split(' '))].filter(word => word.length > 4).slice(0, 2),
    )
    for (const word of words) {
      const [one, other] = [await ours.ask(word), theirs.ask(word)]
      shared += one.filter(key => other.includes(key)).length / Math.max(1, one.length)
      if (one[0] === other[0]) first++
    }
    await ours.close()
    const part = ((100 * shared) / words.length).toFixed(0)
    const best = ((100 * first) / words.length).toFixed(0)
    console.log(`order: of the ten best for ${words.length} English words MiniSearch has ${part} %`)
    console.log(`  among its own, and the same best one for ${best} % (k1 1.2, b 0.75, no stems)`)
  } finally {
    rmSync(own, { recursive: true })
  }
}

const here = fileURLToPath(import.meta.url)
const [what = '100000', counted] = process.argv.slice(2)
if (what in openers) await measure(what, Number(counted))
else if (what === 'order') await compareOrder()
else {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const [cpu] = cpus()
  console.log(`commit ${commit}, Node ${process.version}, ${cpus().length} × ${cpu?.model}`)
  for (const name of [...Object.keys(openers), 'order']) {
    try {
      const load = loadavg()[0].toFixed(1)
      const text = execFileSync(process.execPath, ['--expose-gc', here, name, what], { encoding: 'utf8' })
      console.log(`${text.trimEnd()}\n  (load average ${load})`)
    } catch (error) {
      console.log(
        `${name}: left out, ${String(error.stderr ?? error)
          .trim()
          .split('\n')
          .at(-1)}`,
      )
    }
  }
}
