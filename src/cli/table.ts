/**
 * Tables for people: columns that line up whatever the text is (Korean letters take two cells, combining
 * marks none).
 *
 * Cells are data and never reach the terminal raw: control characters are shown as escapes, so that a stored
 * value cannot move the cursor or colour the screen. Rows of one table share the widths of its first rows; a
 * cell that is wider than its column ends in `…`.
 */
import stringWidth from 'string-width'

/** A column: what its head says and on which side its cells stand. */
export interface Column {
  readonly name: string
  readonly align: 'left' | 'right'
  /** Cells of the terminal that it takes. */
  readonly width: number
}

/** Widest that a column gets, in cells, when the terminal does not ask for less. */
export const columnWidthMax = 60

const gap = '  '
const ellipsis = '…'
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Cells of the terminal that the text takes. */
export function displayWidth(text: string): number {
  return stringWidth(text)
}

/**
 * The text with control characters as visible escapes (`\n`, `\x1b`) and without what turns the writing
 * direction.
 */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, char => {
    if (char === '\n') return '\\n'
    if (char === '\t') return '\\t'
    if (char === '\r') return '\\r'
    const hex = (char.codePointAt(0) ?? 0).toString(16)
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`
  })
}

/** The beginning of the text that fits the width; `…` stands for what was cut. Never splits a grapheme. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  if (width < 1) return ''
  let taken = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += displayWidth(segment)
    if (used > width - 1) break
    taken += segment
  }
  return taken + ellipsis
}

/** The text in exactly that many cells. */
export function fitToWidth(text: string, width: number, align: 'left' | 'right'): string {
  const cut = cutToWidth(text, width)
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(cut)))
  return align === 'left' ? cut + blanks : blanks + cut
}

/** A value as it stands in a cell: text as it is, nothing for undefined, JSON for what is nested. */
export function cellText(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return visible(value)
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object' && value !== null) return visible(toJson(value))
  return String(value)
}

/** JSON on one line; a bigint becomes a string of digits, bytes become base64. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, name, part: unknown) {
    // A Buffer's toJSON runs before this function sees it: look at the value itself.
    const raw = this[name]
    if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
    return typeof part === 'bigint' ? String(part) : part
  })
}

/**
 * Columns for these rows, in the order in which the names first appear. Columns that hold only numbers stand
 * right. Together they take at most `widthMax` cells: the widest shrink first, none below 8.
 */
export function layOut(rows: readonly Readonly<Record<string, unknown>>[], widthMax = Infinity): Column[] {
  const columns = new Map<string, { width: number; numeric: boolean }>()
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const column = columns.get(name) ?? { width: displayWidth(visible(name)), numeric: true }
      column.width = Math.max(column.width, displayWidth(cellText(value)))
      column.numeric &&= value === undefined || typeof value === 'number' || typeof value === 'bigint'
      columns.set(name, column)
    }
  }
  const names = [...columns.keys()]
  const widths = shrink(
    [...columns.values()].map(column => Math.min(column.width, columnWidthMax)),
    widthMax,
  )
  return names.map((name, i) => ({
    name,
    align: columns.get(name)?.numeric ? 'right' : 'left',
    width: widths[i] ?? 0,
  }))
}

function shrink(widths: number[], widthMax: number): number[] {
  const fit = [...widths]
  let over = fit.reduce((sum, width) => sum + width, 0) + gap.length * Math.max(0, fit.length - 1) - widthMax
  while (over > 0) {
    const widest = Math.max(...fit)
    if (widest <= 8) break
    fit[fit.indexOf(widest)] = widest - 1
    over--
  }
  return fit
}

/** The line above the rows: the names of the columns. */
export function headLine(columns: readonly Column[]): string {
  return joinCells(columns.map(column => fitToWidth(visible(column.name), column.width, column.align)))
}

/** The line of a row; names that are no column are left out. */
export function rowLine(columns: readonly Column[], row: Readonly<Record<string, unknown>>): string {
  return joinCells(columns.map(column => fitToWidth(cellText(row[column.name]), column.width, column.align)))
}

/** A whole small table: head, rows, a line feed after each. Nothing without rows. */
export function formatTable(rows: readonly Readonly<Record<string, unknown>>[], widthMax = Infinity): string {
  if (rows.length === 0) return ''
  const columns = layOut(rows, widthMax)
  return [headLine(columns), ...rows.map(row => rowLine(columns, row))].map(line => `${line}\n`).join('')
}

function joinCells(cells: readonly string[]): string {
  return cells.join(gap).trimEnd()
}
