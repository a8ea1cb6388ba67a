/** The table of bugs and of what found them, as it stands beside this file's source. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One bug. */
export interface Row {
  readonly name: string
  readonly files: string
  /** Seeds until it was found, or `not in N`. */
  readonly found: string
  readonly by: string
  readonly what: string
}

const path = fileURLToPath(new URL('../../../../test/sim/mutants/table.md', import.meta.url))

const head = `# Planted bugs, and what finds them in simulation

\`npm run sim -- --mutants [words] --seeds N --from S\` plants each in a copy of the compiled code and runs
the simulations that can show it (\`arenas.ts\`), seed after seed, until one fails. *Seeds*: how many that
took, with the simulations of that day; \`not in 4\`: no more than 4 were tried. *By*: a check of the whole
clusters (15 simulated seconds of the faults and workloads that \`catalogue.ts\` names for the bug), or the
name of another simulation; *invariant*: the node with the bug stopped itself; *convergence*: the cluster did
not come to rest. What fails in the same way without the bug does not count. Bugs of the catalogue that are
not here were not tried yet.

| bug | file | seeds | by | what it said |
|---|---|---|---|---|
`

/** Rows of the table as it stands. */
export function tableRows(): Row[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.flatMap(line => {
    const [, name, files, found, by, what] = line.split(/(?<!\\)\|/).map(cell => cell.trim())
    if (name === undefined || name === 'bug' || name.startsWith('-')) return []
    return [{ name, files: files ?? '', found: found ?? '', by: by ?? '', what: what ?? '' }]
  })
}

/** Writes them over those of the same names; bugs that are no more go. */
export function writeTable(rows: readonly Row[], known: readonly string[]): void {
  const all = new Map([...tableRows(), ...rows].map(row => [row.name, row]))
  const kept = [...all.values()].filter(({ name }) => known.includes(name))
  kept.sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1))
  const text = kept.map(({ name, files, found, by, what }) => {
    return `| ${name} | ${files} | ${found} | ${by} | ${what.replaceAll(/(?<!\\)\|/g, '\\|')} |\n`
  })
  writeFileSync(path, head + text.join(''))
}

/** True if some run showed it. */
export function isFound({ found }: Row): boolean {
  return !Number.isNaN(Number(found))
}

/** Those that were not found come first. */
function order(row: Row): number {
  return isFound(row) ? Number(row.found) : -1
}
