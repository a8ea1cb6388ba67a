/**
 * `npm run sim -- --mutants [words] --seeds 300 --from 1`: plants the bugs whose names or files hold one of
 * the words, or all, and runs the simulations that can show it until one does; `--processes` at a time; with
 * `--left` those that the table does not show as found. Writes `table.md`.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { mutants } from './catalogue.js'
import { hunted, type Outcome } from './hunt.js'
import { firstLine, kindOf } from './kind.js'
import type { Mutant } from './planting.js'
import type { Failure } from './search.js'
import { isFound, type Row, tableRows, writeTable } from './table.js'

/** After so many seeds the others have their turn. */
const rounds = [4, 16, 60]

/** Seeds that fail without any bug: they show nothing. */
const broken = new Map<string, Promise<boolean>>()

/** Runs what the command line asks for; false if a bug was not found. */
export async function huntMutants(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      mutants: { type: 'boolean' },
      left: { type: 'boolean', default: false },
      seeds: { type: 'string', default: '300' },
      from: { type: 'string', default: '1' },
      processes: { type: 'string', default: String(availableParallelism()) },
    },
  })
  const found = new Set(tableRows().flatMap(row => (isFound(row) ? [row.name] : [])))
  const isMeant = ({ name, changes }: Mutant): boolean =>
    (positionals.length === 0 ||
      positionals.some(word => name.includes(word) || changes.some(({ file }) => file.includes(word)))) &&
    !(values.left && found.has(name))
  const [from, seeds] = [Number(values.from), Number(values.seeds)]
  let left = mutants.filter(isMeant).map(one => ({ one, ran: 0 }))
  // In rounds: what is found at once is told at once.
  for (const round of [...rounds.filter(some => some < seeds), seeds]) {
    const queue = left
    left = []
    const lanes = Array.from({ length: Number(values.processes) }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { one, ran } = next
        const { seeds: more, failure } = await huntedFor(one, from + ran, round - ran)
        tell(one, { seeds: ran + more, ...(failure && { failure }) })
        if (failure === undefined) left.push({ one, ran: round })
      }
    })
    await Promise.all(lanes)
  }
  return left.length === 0
}

function tell(one: Mutant, outcome: Outcome): void {
  const row = rowOf(one, outcome)
  console.log(`${row.name} (${row.files}): ${row.found}, ${row.by}: ${row.what}`)
  writeTable(
    [row],
    mutants.map(({ name }) => name),
  )
}

/** Goes on behind seeds that fail without the bug too. */
async function huntedFor({ name, aim }: Mutant, from: number, most: number): Promise<Outcome> {
  let seeds = 0
  while (seeds < most) {
    const outcome = await hunted({ name, aim, from: from + seeds, seeds: most - seeds })
    const { failure } = outcome
    seeds += outcome.seeds
    if (failure === undefined) break
    if (!(await failsAnyway(failure, aim))) return { seeds, failure }
    console.log(`${failure.arena} ${failure.seed} fails without a bug: ${firstLine(failure.message)}`)
  }
  return { seeds }
}

function failsAnyway({ arena, seed }: Failure, aim: Mutant['aim']): Promise<boolean> {
  const name = `${arena} ${seed} ${JSON.stringify(aim)}`
  const only = arena === '' ? {} : { arena }
  const known =
    broken.get(name) ?? hunted({ aim, from: seed, seeds: 1, ...only }).then(one => one.failure !== undefined)
  broken.set(name, known)
  return known
}

function rowOf({ name, changes }: Mutant, { seeds, failure }: Outcome): Row {
  const files = [...new Set(changes.map(({ file }) => file))].join(', ')
  if (failure === undefined) return { name, files, found: `not in ${seeds}`, by: '', what: '' }
  const { arena, message } = failure
  const by = arena === 'clusters' ? kindOf(message) : arena || kindOf(message)
  return { name, files, found: String(seeds), by, what: firstLine(message) }
}
