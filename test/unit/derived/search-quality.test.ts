/**
 * How good the answers are: English on the Cranfield collection; Korean on film reviews against a scan, and
 * that a question ranks the same in whatever form its words stand, on reviews and on the demo's sentences.
 * Data is that of ../shared/data (SILLOK_DATA names another place); what needs it is left out without it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import type { DocumentKey } from '../../../src/base/tuple.js'
import { sentences } from '../../../src/cli/demo/sentences.js'
import { SearchIndex, search } from '../../../src/derived/search/search.js'
import { seedNumber as seed } from '../../seed.js'
import { type KoreanQuestion, koreanQuestions } from './korean-questions.js'
import { RowMap } from './row-map.js'

const { SILLOK_DATA } = process.env
const random = new Random(seed)
t.comment(`SEED=${seed}`)
const folder = SILLOK_DATA ?? join('..', 'shared', 'data')
const cranfield = join(folder, 'cranfield')
const nsmc = join(folder, 'nsmc', 'reviews.ndjson')
const without = (file: string): { skip: string } | object =>
  existsSync(file) ? {} : { skip: `${file} is not there` }

t.setTimeout(120_000)

type Documents = Map<DocumentKey, Record<string, unknown>>

async function fill(index: SearchIndex, documents: Documents, size: number): Promise<RowMap> {
  const rows = new RowMap()
  const all = [...documents]
  for (let at = 0; at < all.length; at += size) await rows.tell(index, new Map(all.slice(at, at + size)))
  return rows
}

async function keysOf(
  index: SearchIndex,
  rows: RowMap,
  text: string,
  limit?: number,
): Promise<DocumentKey[]> {
  const keys: DocumentKey[] = []
  const query = limit === undefined ? { text } : { text, limit }
  for await (const page of index.query(query, rows)) keys.push(...page.map(({ key }) => key))
  return keys
}

function readCranfield(): {
  documents: Documents
  queries: string[]
  relevant: Map<number, Set<DocumentKey>>
} {
  const documents: Documents = new Map()
  const of = (doc: string, tag: string): string =>
    new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(doc)?.[1]?.trim() ?? ''
  const all = readFileSync(join(cranfield, 'cran.all.1400.xml'), 'utf8')
  for (const [doc] of all.matchAll(/<doc>[\s\S]*?<\/doc>/g)) {
    documents.set(Number(of(doc, 'docno')), { title: of(doc, 'title'), text: of(doc, 'text') })
  }
  const asked = readFileSync(join(cranfield, 'cran.qry.xml'), 'utf8')
  const queries = [...asked.matchAll(/<top>[\s\S]*?<\/top>/g)].map(([top]) => of(top, 'title'))
  const relevant = new Map<number, Set<DocumentKey>>()
  for (const line of readFileSync(join(cranfield, 'cranqrel.trec.txt'), 'utf8').split('\n')) {
    const [query, , document, judgement] = line.trim().split(/\s+/).map(Number)
    if (query === undefined || document === undefined || !(Number(judgement) > 0)) continue
    relevant.set(query, (relevant.get(query) ?? new Set()).add(document))
  }
  return { documents, queries, relevant }
}

/** Mean average precision, and nDCG of the first ten with a gain of 1 for each relevant document. */
function quality(ranked: readonly DocumentKey[], relevant: ReadonlySet<DocumentKey>): [number, number] {
  let [found, precision, gain, ideal] = [0, 0, 0, 0]
  for (const [n, key] of ranked.entries()) {
    if (!relevant.has(key)) continue
    found++
    precision += found / (n + 1)
    if (n < 10) gain += 1 / Math.log2(n + 2)
  }
  for (let n = 0; n < Math.min(10, relevant.size); n++) ideal += 1 / Math.log2(n + 2)
  return [precision / relevant.size, gain / ideal]
}

t.test('English questions find what people judged relevant', without(cranfield), async t => {
  const { documents, queries, relevant } = readCranfield()
  t.equal(documents.size, 1400)
  t.equal(queries.length, 225)
  const config = search.configure({ fields: [{ field: 'title', weight: 2 }, 'text'] })
  const measure = async (plain: boolean): Promise<[number, number]> => {
    const index = new SearchIndex(config, { plain })
    const rows = await fill(index, documents, 200)
    let [precision, gain] = [0, 0]
    for (const [n, text] of queries.entries()) {
      const [one, other] = quality(await keysOf(index, rows, text, 1000), relevant.get(n + 1) ?? new Set())
      precision += one
      gain += other
    }
    return [precision / queries.length, gain / queries.length]
  }
  const [plainPrecision, plainGain] = await measure(true)
  const [precision, gain] = await measure(false)
  t.comment(`without stop words and stems: MAP ${plainPrecision.toFixed(4)}, nDCG@10 ${plainGain.toFixed(4)}`)
  t.comment(`with them: MAP ${precision.toFixed(4)}, nDCG@10 ${gain.toFixed(4)}`)
  t.ok(precision >= 0.3, 'MAP')
  t.ok(gain >= 0.38, 'nDCG@10')
})

/** All runs of Hangul, one after the other, and whose they are. */
class RunScan {
  readonly runs: string[] = []
  readonly #keys: DocumentKey[] = []
  readonly #starts: number[] = []
  readonly #text: string

  constructor(documents: Documents) {
    let at = 0
    for (const [key, { review }] of documents) {
      for (const run of (review as string).normalize('NFC').match(/[가-힣]+/g) ?? []) {
        this.runs.push(run)
        this.#keys.push(key)
        this.#starts.push(at)
        at += run.length + 1
      }
    }
    this.#text = this.runs.join(' ')
  }

  /** The keys of the documents that contain the piece inside a run. */
  holding(piece: string): Set<DocumentKey> {
    const keys = new Set<DocumentKey>()
    for (let at = this.#text.indexOf(piece); at >= 0; at = this.#text.indexOf(piece, at + 1)) {
      let [low, high] = [0, this.#starts.length]
      while (low + 1 < high) {
        const middle = (low + high) >> 1
        if ((this.#starts[middle] ?? 0) <= at) low = middle
        else high = middle
      }
      keys.add(this.#keys[low] ?? '')
    }
    return keys
  }
}

function readReviews(): Documents {
  const documents: Documents = new Map()
  for (const line of readFileSync(nsmc, 'utf8').trim().split('\n')) {
    const { review_id: key, review } = JSON.parse(line) as { review_id: string; review: string }
    documents.set(key, { review })
  }
  return documents
}

t.test('a piece of a run finds exactly the texts that contain it', without(nsmc), async t => {
  const documents = readReviews()
  t.equal(documents.size, 17_401)
  const index = new SearchIndex(search.configure({ fields: ['review'] }))
  const rows = await fill(index, documents, 1000)
  const scan = new RunScan(documents)
  const long = scan.runs.filter(run => run.length >= 2)
  for (let n = 0; n < 2000; n++) {
    const run = random.pick(long)
    const size = 2 + random.below(Math.min(4, run.length - 1))
    const from = random.below(run.length - size + 1)
    const piece = run.slice(from, from + size)
    const found = await keysOf(index, rows, piece)
    const scanned = scan.holding(piece)
    const isSame = found.length === scanned.size && found.every(key => scanned.has(key))
    if (!isSame) t.fail(`${piece}: ${found.length} found, ${scanned.size} by a scan`)
  }
  t.pass('2,000 pieces of 2 to 5 syllables')
})

/** Share of questions with the same first hit, and how many of the first ten are the same. */
interface Agreement {
  readonly first: number
  readonly firstTen: number
}

/** Each question as bare words, and in a form of it: forms are written by hand in korean-questions.ts. */
async function agreement(
  t: Test,
  index: SearchIndex,
  rows: RowMap,
  questions: readonly KoreanQuestion[],
): Promise<Agreement> {
  let [asked, first, shared, possible] = [0, 0, 0, 0]
  for (const { bare, forms } of questions) {
    const best = await topTen(index, rows, bare)
    if (best.length === 0) continue
    for (const form of forms) {
      const found = await topTen(index, rows, form)
      asked++
      if (found[0] === best[0]) first++
      else t.comment(`another first hit: ${bare} / ${form}`)
      shared += found.filter(key => best.includes(key)).length
      possible += Math.max(best.length, found.length)
    }
  }
  const result = { first: first / asked, firstTen: shared / possible }
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  t.comment(`${asked} forms: the same first hit ${percent(result.first)}`)
  t.comment(`the same of the first ten ${percent(result.firstTen)}`)
  return result
}

/** By words, not by pieces of text: a single run is else found as it is written. */
async function topTen(index: SearchIndex, rows: RowMap, text: string): Promise<DocumentKey[]> {
  const keys: DocumentKey[] = []
  for await (const page of index.query({ text, match: 'any', limit: 10 }, rows)) {
    keys.push(...page.map(({ key }) => key))
  }
  return keys
}

t.test('a question ranks the same in other forms: sentences of the demo', async t => {
  const index = new SearchIndex(search.configure({ fields: ['text'] }))
  const rows = await fill(index, new Map(sentences.map(one => [one.id, one])), 50)
  t.equal(koreanQuestions.length, 100)
  const { first, firstTen } = await agreement(t, index, rows, koreanQuestions)
  t.ok(first >= 0.97)
  t.ok(firstTen >= 0.97)
})

t.test('a question ranks the same in other forms: reviews', without(nsmc), async t => {
  const index = new SearchIndex(search.configure({ fields: ['review'] }))
  const rows = await fill(index, readReviews(), 1000)
  const { first, firstTen } = await agreement(t, index, rows, koreanQuestions)
  t.ok(first >= 0.97)
  t.ok(firstTen >= 0.97)
})
