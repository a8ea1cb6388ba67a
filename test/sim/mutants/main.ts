/**
 * `npm run sim -- --mutants [words] --seeds 300 --from 1`: plants the bugs whose names or files hold one of
 * the words, or all, and runs worlds until each is found; `--processes` at a time; with `--left` those that
 * the table does not show as found. Writes `table.md`.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { mutants } from './catalogue.js'
import { hunted, type Outcome } from './hunt.js'
import { firstLine, kindOf } from './kind.js'
import type { Aim, Mutant } from './planting.js'
import { isFound, type Row, tableRows, writeTable } from './table.js'

/** After so many worlds the others have their turn. */
const rounds = [4, 16, 60]

/** Worlds that fail without any bug, by seed: they show nothing. */
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
        const { worlds, failure } = await huntedFor(one, from + ran, round - ran)
        tell(one, { worlds: ran + worlds, ...(failure && { failure }) })
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

/** Goes on behind worlds that fail without the bug too. */
async function huntedFor({ name, aim }: Mutant, from: number, seeds: number): Promise<Outcome> {
  let worlds = 0
  while (worlds < seeds) {
    const outcome = await hunted({ name, aim, from: from + worlds, seeds: seeds - worlds })
    worlds += outcome.worlds
    if (outcome.failure === undefined) break
    if (!(await failsAnyway(from + worlds - 1, aim))) return { worlds, failure: outcome.failure }
    console.log(`seed ${outcome.failure.seed} fails without a bug: ${outcome.failure.message.split('\n')[0]}`)
  }
  return { worlds }
}

function failsAnyway(seed: number, aim: Aim | undefined): Promise<boolean> {
  const name = `${seed} ${JSON.stringify(aim)}`
  const known =
    broken.get(name) ?? hunted({ aim, from: seed, seeds: 1 }).then(({ failure }) => failure !== undefined)
  broken.set(name, known)
  return known
}

function rowOf({ name, changes }: Mutant, { worlds, failure }: Outcome): Row {
  const files = [...new Set(changes.map(({ file }) => file))].join(', ')
  if (failure === undefined) return { name, files, found: `not in ${worlds}`, by: '', what: '' }
  const { message } = failure
  return { name, files, found: String(worlds), by: kindOf(message), what: firstLine(message) }
}
