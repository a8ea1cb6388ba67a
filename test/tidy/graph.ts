/**
 * Rules about who imports whom: layers, modules of the outside world, circles, dead files, and the blind
 * evolve.
 */
import type { Import, Source } from './source.js'

/** Folders of `src/` by layer: a file imports its own folder and lower layers only. */
export const layers: Readonly<Record<string, number>> = {
  base: 0,
  env: 1,
  codec: 2,
  sim: 2,
  wal: 3,
  segments: 3,
  raft: 3,
  state: 3,
  machine: 3,
  derived: 3,
  replica: 4,
  cluster: 5,
  store: 6,
  client: 7,
  server: 7,
  cli: 8,
  testing: 9,
  'index.ts': 9,
}

/** Folders that see less than their layer allows. */
const narrow: Readonly<Record<string, readonly string[]>> = {
  raft: ['base'],
  machine: ['base', 'codec'],
  testing: ['base', 'env', 'codec', 'sim', 'raft', 'machine', 'derived', 'replica', 'store'],
}

const anywhere = Object.keys(layers)

/**
 * Modules from outside the project that `src/` may import, and the folders that may. What is not here is
 * refused.
 */
export const outsideModules: Readonly<Record<string, readonly string[]>> = {
  level: ['env'],
  ws: ['env'],
  msgpackr: ['codec'],
  yargs: ['cli'],
  'csv-parse/sync': ['cli'],
  'string-width': ['cli'],
  'hash-wasm': ['env'],
  porter2: ['derived'],
  '@standard-schema/spec': ['store'],
  'node:assert/strict': ['testing'],
  'node:fs': ['env', 'cli'],
  'node:fs/promises': ['env', 'cli'],
  'node:net': ['env'],
  'node:tls': ['env'],
  'node:dns': ['env'],
  'node:dns/promises': ['env'],
  'node:http': ['env', 'server'],
  'node:https': ['env', 'server'],
  'node:worker_threads': ['env'],
  'node:child_process': ['cli'],
  'node:os': ['env', 'server', 'cli'],
  'node:perf_hooks': ['env'],
  'node:timers': ['env'],
  'node:timers/promises': ['env'],
  'node:readline': ['cli'],
  'node:readline/promises': ['cli'],
  'node:crypto': anywhere,
  'node:zlib': anywhere,
  'node:util': anywhere,
  'node:path': anywhere,
  'node:url': anywhere,
  'node:buffer': anywhere,
  'node:events': anywhere,
  'node:stream': anywhere,
  'node:stream/promises': anywhere,
  'node:async_hooks': anywhere,
  'node:diagnostics_channel': anywhere,
}

/** The folder of `src/` that a file stands in, `index.ts` for the public face, undefined outside `src/`. */
export function folderOf(file: string): string | undefined {
  const [top, folder] = file.split('/')
  return top === 'src' ? folder : undefined
}

/** A file of `src/` imports its own folder and lower layers only. */
export function checkLayers(sources: readonly Source[]): string[] {
  const complaints: string[] = []
  for (const source of sources) {
    const folder = folderOf(source.path)
    if (folder === undefined) continue
    if (layers[folder] === undefined) complaints.push(`${source.path}: ${folder} is no layer`)
    for (const { target, line } of source.imports) {
      const against = target === undefined ? undefined : breaksLayers(folder, target)
      if (against !== undefined) complaints.push(`${source.path}:${line}: ${against}`)
    }
  }
  return complaints
}

function breaksLayers(folder: string, target: string): string | undefined {
  const other = folderOf(target)
  if (other === undefined) return `imports ${target}, outside src`
  if (other === folder) return undefined
  const only = narrow[folder]
  if (only !== undefined && !only.includes(other))
    return `${folder} imports only ${only.join(' and ')}, not ${other}`
  const [own, lower] = [layers[folder], layers[other]]
  if (own === undefined || lower === undefined || lower < own) return undefined
  return `${folder} (layer ${own}) imports ${other} (layer ${lower})`
}

/** Modules from outside the project are imported where the table allows it. */
export function checkModules(sources: readonly Source[]): string[] {
  const complaints: string[] = []
  for (const source of sources) {
    const folder = folderOf(source.path)
    if (folder === undefined) continue
    for (const { module, target, line } of source.imports) {
      if (target !== undefined) continue
      const allowed = outsideModules[module]
      if (allowed === undefined)
        complaints.push(`${source.path}:${line}: ${module} is not in the table of modules`)
      else if (!allowed.includes(folder))
        complaints.push(`${source.path}:${line}: ${folder} imports ${module}`)
    }
  }
  return complaints
}

/**
 * The folders of `src/` and whom they import, as text: a row per importer, a column per imported, both by
 * layer. What keeps to its layer has all marks left of its own column.
 */
export function drawHouse(sources: readonly Source[]): string {
  const imported = new Map<string, Set<string>>()
  for (const source of sources) {
    const folder = folderOf(source.path)
    if (folder === undefined) continue
    const targets = imported.get(folder) ?? new Set()
    imported.set(folder, targets)
    for (const { target } of source.imports) {
      const other = target === undefined ? undefined : folderOf(target)
      if (other !== undefined && other !== folder) targets.add(other)
    }
  }
  const place = (folder: string): number => layers[folder] ?? Number.POSITIVE_INFINITY
  const folders = [...imported.keys()].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1))
  const wide = Math.max(...folders.map(folder => folder.length))
  const row = (head: string, cells: readonly string[]): string => `${head} ${cells.join(' ')}`.trimEnd()
  const rows = folders.toReversed().map(folder => {
    const cells = folders.map(other => {
      const mark = other === folder ? '.' : imported.get(folder)?.has(other) ? 'x' : ''
      return mark.padStart(Math.ceil(other.length / 2)).padEnd(other.length)
    })
    return row(`${layers[folder] ?? '?'} ${folder.padEnd(wide)}`, cells)
  })
  return [row(' '.repeat(wide + 2), folders), ...rows].join('\n')
}

/** No file of `src/` imports itself in a circle, types included. Each circle is told once. */
export function checkCircles(sources: readonly Source[]): string[] {
  const graph = new Map(sources.map(source => [source.path, source]))
  const done = new Set<string>()
  const complaints: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file)
    if (at >= 0) complaints.push(`circle: ${[...trail.slice(at), file].join(' -> ')}`)
    if (at >= 0 || done.has(file)) return
    for (const target of targetsOf(graph.get(file))) visit(target, [...trail, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return complaints
}

/**
 * Every file of `src/` is reached from an entry (public face, command line, package.json), a test or a
 * benchmark.
 */
export function checkDeadFiles(sources: readonly Source[], entries: readonly string[]): string[] {
  const graph = new Map(sources.map(source => [source.path, source]))
  const waiting = [...entries, ...sources.map(source => source.path).filter(file => !file.startsWith('src/'))]
  const reached = reach(graph, waiting)
  return [...graph.keys()].filter(file => !reached.has(file)).map(file => `${file}: nothing imports it`)
}

/**
 * `machine/evolve.ts` is blind: neither it nor a file of `machine/` that it imports names anything that can
 * read state. Replaying facts over newer or holed state converges only because evolve never looks.
 */
export function checkBlindEvolve(sources: readonly Source[]): string[] {
  const graph = new Map(sources.map(source => [source.path, source]))
  const complaints: string[] = []
  for (const file of reach(graph, ['src/machine/evolve.ts'])) {
    if (folderOf(file) !== 'machine') continue
    for (const { module, names, line } of graph.get(file)?.imports ?? []) {
      if (/(^|[/-])(state|view|read|reader|overlay|prefetch)([/.-]|$)/.test(module)) {
        complaints.push(`${file}:${line}: evolve reaches ${module}`)
      }
      for (const name of names) {
        if (/(View|Reader|State|Snapshot)$/.test(name))
          complaints.push(`${file}:${line}: evolve sees ${name}`)
      }
    }
  }
  return complaints
}

function reach(graph: ReadonlyMap<string, Source>, starts: readonly string[]): Set<string> {
  const reached = new Set<string>()
  const waiting = [...starts]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file) || !graph.has(file)) continue
    reached.add(file)
    waiting.push(...targetsOf(graph.get(file)))
  }
  return reached
}

function targetsOf(source: Source | undefined): string[] {
  const isFile = (one: Import): one is Import & { target: string } => one.target !== undefined
  return source === undefined ? [] : source.imports.filter(isFile).map(one => one.target)
}
