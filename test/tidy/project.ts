/**
 * Rules about the project as a whole: what lies at its top, and what the README says against what the code
 * does.
 */

/** What may lie at the top level: what the project is made of, and what tools demand there. */
export const topLevel: readonly string[] = [
  'package.json',
  'tsconfig.json',
  'src',
  'test',
  'bench',
  'bin',
  'README.md',
  'package-lock.json',
  'LICENSE',
  'CHANGELOG.md',
  '.ci',
  '.gitignore',
  '.taprc',
  'biome.json',
  'eslint.config.js',
]

/** Names that look like error codes but are not: variables of the environment. */
const environmentNames = /^(NO_COLOR|FORCE_COLOR|SILLOK_\w+|NODE_\w+)$/

/** The top level holds only what is listed. */
export function checkTopLevel(files: readonly string[]): string[] {
  const tops = new Set(files.map(file => file.split('/')[0] ?? ''))
  return [...tops].filter(top => !topLevel.includes(top)).map(top => `${top} at the top level`)
}

/** What the table of errors says about one code. */
export interface ErrorRow {
  readonly outcome: string
  readonly retry: string
  readonly exit: number
}

/**
 * Every code has its row in the README's table of errors, with outcome, retry and exit code; no other has.
 */
export function checkErrorTable(readme: string, errors: Readonly<Record<string, ErrorRow>>): string[] {
  const complaints: string[] = []
  const rows = tableRows(sectionOf(readme, 'Errors'))
  for (const [code, { outcome, retry, exit }] of Object.entries(errors)) {
    const row = rows.find(cells => cells[0] === `\`${code}\``)
    if (row === undefined) complaints.push(`README: ${code} is not in the table of errors`)
    else if (row[1] !== outcome || row[2] !== retry || row[3] !== String(exit)) {
      complaints.push(`README: ${code} is ${outcome}, ${retry}, ${exit}, not ${row.slice(1, 4).join(', ')}`)
    }
  }
  for (const [cell = ''] of rows) {
    const code = /^`([A-Z_]+)`$/.exec(cell)?.[1]
    if (code !== undefined && errors[code] === undefined) complaints.push(`README: ${code} is no error code`)
  }
  for (const [, name = ''] of readme.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)) {
    if (errors[name] === undefined && !environmentNames.test(name))
      complaints.push(`README: what is ${name}?`)
  }
  return [...new Set(complaints)]
}

/** Every verb has a row in the README's section on the command line; no other verb has. */
export function checkVerbs(readme: string, verbs: readonly string[]): string[] {
  const told = tableRows(sectionOf(readme, 'Command line')).flatMap(
    ([cell = '']) => /^`sillok ([a-z-]+)/.exec(cell)?.[1] ?? [],
  )
  return [
    ...verbs.filter(verb => !told.includes(verb)).map(verb => `README: sillok ${verb} is not documented`),
    ...told.filter(verb => !verbs.includes(verb)).map(verb => `README: there is no verb ${verb}`),
  ]
}

/** Every limit that the README names has the value that the code has. */
export function checkLimits(readme: string, limits: Readonly<Record<string, number>>): string[] {
  const rows = tableRows(sectionOf(readme, 'Limits'))
  const named = rows.filter(cells => /^`\w+`$/.test(cells[0] ?? ''))
  if (named.length === 0) return ['README: no table of limits']
  return named.flatMap(([cell = '', told = '']) => {
    const name = cell.replaceAll('`', '')
    const value = limits[name]
    if (value === undefined) return [`README: there is no limit ${name}`]
    const right = limitText(name, value)
    return told === right ? [] : [`README: ${name} is ${right}, not ${told}`]
  })
}

/** A limit as the README writes it: `1 MiB`, `24 h`, `65,536`. */
export function limitText(name: string, value: number): string {
  const units: readonly (readonly [number, string])[] = /Bytes/.test(name)
    ? [
        [2 ** 30, 'GiB'],
        [2 ** 20, 'MiB'],
        [2 ** 10, 'KiB'],
        [1, 'bytes'],
      ]
    : /Ms(Max|Min)?$/.test(name)
      ? [
          [86_400_000, 'd'],
          [3_600_000, 'h'],
          [1000, 's'],
          [1, 'ms'],
        ]
      : []
  for (const [size, unit] of units) {
    if (value % size === 0) return `${(value / size).toLocaleString('en-US')} ${unit}`
  }
  return value.toLocaleString('en-US')
}

/** The picture of the folders in ARCHITECTURE.md is what the import graph draws. */
export function checkHouse(architecture: string, drawn: string): string[] {
  const told = /^```\n([\s\S]*?)\n```$/m.exec(sectionOf(architecture, houseHeading))?.[1]
  if (told === drawn) return []
  return [`ARCHITECTURE.md, under "${houseHeading}", does not show what the imports are:\n${drawn}`]
}

const houseHeading = 'The house as the import graph draws it'

/** The text of the section with that heading (second level), without the heading; empty if there is none. */
export function sectionOf(text: string, heading: string): string {
  const parts = text.split(/^## +(.*)$/m)
  const at = parts.findIndex((part, i) => i % 2 === 1 && part.trim() === heading)
  return at < 0 ? '' : (parts[at + 1] ?? '')
}

function tableRows(text: string): string[][] {
  return text
    .split('\n')
    .filter(line => line.startsWith('|'))
    .map(line =>
      line
        .replace(/^\||\|\s*$/g, '')
        .split('|')
        .map(cell => cell.trim()),
    )
}
