/**
 * `sillok demo`: 171,075 places are imported by a process that is killed three times on the way; then it is
 * shown that nothing was lost and nothing done twice, and what is there is searched. Every claim is checked;
 * one that does not hold ends with exit code 1.
 */
import path from 'node:path'
import { RealClock } from '../../env/real-clock.js'
import type { LoadResult } from '../bench/closed-loop.js'
import type { Command, Terminal } from '../command.js'
import {
  bytesIn,
  checkDocuments,
  checkPrefix,
  checkUnique,
  digestOf,
  measureWrites,
  reportedRows,
  slotDigests,
} from '../demo/checks.js'
import { Claims } from '../demo/claims.js'
import { type ImportChildEnd, runImportChild } from '../demo/import-child.js'
import { checkIndex, checkSound, type IndexFigures } from '../demo/indexed.js'
import { expectedPlaces, type Place, placesDefinition, readPlaces, writePlaces } from '../demo/places.js'
import { checkSearch, checkSentences } from '../demo/searched.js'
import { withStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printOne, printRows } from '../output.js'
import { duration, grouped, Progress } from '../progress.js'
import { inTemporaryFolder } from '../temporary-folder.js'
import { isGiven } from '../words.js'

/** Shares of the rows at which the import is killed. */
const killShares = [0.2, 0.45, 0.7]

/** Prints what was done, what was claimed and found, and the figures. */
export const command: Command = {
  declare: yargs =>
    yargs.option('keep', {
      type: 'boolean',
      describe: 'keep the folder with the store, and say where it is',
    }),
  async run(given, terminal) {
    const isKept = isGiven(given, 'keep')
    // A person reads along, also through a pipe, unless another form is asked for.
    const readable = given['output'] === undefined ? { ...terminal, format: 'table' as const } : terminal
    return inTemporaryFolder('sillok-demo-', isKept, async folder => {
      const claims = new Claims()
      const figures = await new Demo(readable, folder, claims).run()
      if (isKept) await terminal.err.write(`kept: ${folder}\n`)
      await printAll(readable, claims, figures)
      return claims.hold ? exitCodes.ok : exitCodes.failed
    })
  },
}

async function printAll(terminal: Terminal, claims: Claims, figures: Fields): Promise<void> {
  const { format, out } = terminal
  if (format !== 'table') {
    await printOne({ holds: claims.hold, claims: claims.all, figures }, format, out)
    return
  }
  await out.write('\n')
  const marked = claims.all.map(({ holds, ...rest }) => ({ '': holds ? '✓' : '✗', ...rest }))
  await printRows(marked, format, out)
  await out.write('\n')
  await printRows(
    Object.entries(figures).map(([figure, value]) => ({ figure, value })),
    format,
    out,
  )
  await out.write(claims.hold ? '\nEvery claim holds.\n' : '\nA claim does not hold.\n')
}

class Demo {
  readonly #terminal: Terminal
  readonly #claims: Claims
  readonly #clock = new RealClock()
  readonly #folder: string
  readonly #file: string
  readonly #report: string

  constructor(terminal: Terminal, folder: string, claims: Claims) {
    this.#terminal = terminal
    this.#claims = claims
    this.#folder = path.join(folder, 'store')
    this.#file = path.join(folder, 'places.ndjson')
    this.#report = path.join(folder, 'rejected.ndjson')
  }

  async run(): Promise<Fields> {
    const places = await readPlaces()
    await writePlaces(places, this.#file)
    await this.#say(`${grouped(places.length)} places, unique by country, regions and name`)
    await withStore(this.#folder, this.#terminal.err, store => store.define('places', placesDefinition))
    const runs = await this.#importKilled(places.length)
    const digest = await this.#check(places)
    const again = await this.#importAgain(digest)
    const bytes = await bytesIn(this.#folder)
    const byName = await this.#index(places)
    const text = await this.#search(places)
    return figuresOf(runs, again, bytes, { byName, text })
  }

  async #importKilled(rows: number): Promise<ImportChildEnd[]> {
    const { err } = this.#terminal
    const runs: ImportChildEnd[] = []
    const progress = new Progress({
      sink: err,
      clock: this.#clock,
      label: 'import',
      unit: 'rows',
      total: rows,
    })
    const answered = (count: number): void => progress.advance(Math.max(0, count - progress.count))
    for (const share of [...killShares, undefined]) {
      const killAtRows = share === undefined ? {} : { killAtRows: Math.floor(share * rows) }
      const end = await this.#import({ answered, ...killAtRows })
      runs.push(end)
      await progress.finish()
      if (share !== undefined) {
        const went = end.signal === 'SIGKILL' ? 'killed (SIGKILL)' : `ended by itself, exit ${end.exit}`
        await this.#say(`  from row ${grouped(end.resumedFrom)}: ${went} at row ${grouped(end.answered)}`)
      } else await this.#say(`  from row ${grouped(end.resumedFrom)}: to the end`)
      for (const remark of end.remarks) await err.write(`  ${remark}\n`)
    }
    const [last] = runs.slice(-1)
    this.#claims.equal('kills', runs.filter(({ signal }) => signal === 'SIGKILL').length, killShares.length)
    this.#claims.equal('rows in the input', last?.summary?.['rows'], expectedPlaces.rows)
    this.#claims.equal('rows inserted, over all runs', last?.summary?.['inserted'], expectedPlaces.kept)
    this.#claims.equal('exit code of the last run (4: rows were refused)', last?.exit, exitCodes.conflict)
    return runs
  }

  async #check(places: readonly Place[]): Promise<string> {
    const rejected = await reportedRows(this.#report)
    return withStore(this.#folder, this.#terminal.err, async store => {
      await checkDocuments(store, places, rejected, this.#claims)
      await checkUnique(store, places, this.#claims)
      await checkPrefix(store, rejected, this.#claims)
      await this.#say('  looked at every document')
      return slotDigests(store)
    })
  }

  async #importAgain(digest: string): Promise<{ seconds: number; writes: LoadResult }> {
    const report = await digestOf(this.#report)
    const startMs = this.#clock.monotonicMs()
    const end = await this.#import({ answered: () => {} })
    const seconds = (this.#clock.monotonicMs() - startMs) / 1000
    await this.#say('  imported the same file once more')
    this.#claims.equal('rows sent by the same import again', end.summary?.['sent'], 0)
    this.#claims.equal('its report has the same bytes', (await digestOf(this.#report)) === report, true)
    return withStore(this.#folder, this.#terminal.err, async store => {
      this.#claims.equal('documents and versions have the same digest', slotDigests(store) === digest, true)
      return { seconds, writes: await measureWrites(store, this.#clock) }
    })
  }

  async #index(places: readonly Place[]): Promise<IndexFigures> {
    const rejected = await reportedRows(this.#report)
    const figures = await withStore(this.#folder, this.#terminal.err, store =>
      checkIndex(store, this.#clock, places, rejected, this.#claims),
    )
    await this.#say('  built an index over all places')
    await checkSound(this.#folder, this.#claims)
    await this.#say('  read every byte again')
    return figures
  }

  async #search(places: readonly Place[]): Promise<IndexFigures> {
    const rejected = await reportedRows(this.#report)
    return withStore(this.#folder, this.#terminal.err, async store => {
      const figures = await checkSearch(store, this.#clock, places, rejected, this.#claims)
      await this.#say('  built a search index over the names of places and countries')
      const isShown = this.#terminal.format === 'table'
      await checkSentences(store, this.#claims, isShown ? this.#terminal.out : undefined)
      return figures
    })
  }

  #import(how: { answered: (rows: number) => void; killAtRows?: number }): Promise<ImportChildEnd> {
    const [clock, folder, file, report] = [this.#clock, this.#folder, this.#file, this.#report]
    return runImportChild({ clock, folder, collection: 'places', file, report, ...how })
  }

  async #say(text: string): Promise<void> {
    if (this.#terminal.format === 'table') await this.#terminal.out.write(`${text}\n`)
  }
}

function figuresOf(
  runs: readonly ImportChildEnd[],
  again: { readonly seconds: number; readonly writes: LoadResult },
  bytes: number,
  { byName, text }: Record<'byName' | 'text', IndexFigures>,
): Fields {
  const rows = runs.reduce(
    (sum, { answered, resumedFrom }) => sum + Math.max(0, answered - resumedFrom + 1),
    0,
  )
  const ms = runs.reduce((sum, { importMs }) => sum + importMs, 0)
  const opened = runs.slice(1).map(({ openedMs }) => (openedMs === undefined ? 'never' : duration(openedMs)))
  const { p50Ms, p99Ms } = again.writes
  return {
    'rows/s imported, unique and durable': grouped(Math.round((rows * 1000) / ms)),
    'time to open after each kill': opened.join(', '),
    'durable write, one at a time, p50': `${p50Ms} ms`,
    'durable write, one at a time, p99': `${p99Ms} ms`,
    'the same import again': duration(again.seconds * 1000),
    'bytes on disk': grouped(bytes),
    'index built over all places': duration(byName.buildMs),
    'documents/s of that build': grouped(Math.round((byName.documents * 1000) / byName.buildMs)),
    'search index built over the names': duration(text.buildMs),
    'documents/s of that build, too': grouped(Math.round((text.documents * 1000) / text.buildMs)),
  }
}
