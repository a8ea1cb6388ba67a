/** The tables of `src/FORMATS.md`, as tests read them: fields by offset and size, numbers by name. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { projectRoot } from '../tidy/files.js'

const page = readFileSync(path.join(projectRoot, 'src/FORMATS.md'), 'utf8')

/** Cells of the first tables below the heading of that text, without their head rows. */
export function tableOf(heading: string): string[][] {
  const parts = page.split(/^#{2,3} (.*)$/m)
  const at = parts.findIndex((part, i) => i % 2 === 1 && part === heading)
  if (at < 0) throw new Error(`FORMATS.md has no heading ${heading}`)
  const lines = (parts[at + 1] ?? '').split('\n').filter(line => line.startsWith('|'))
  return lines
    .filter((_line, i) => !/^\|-/.test(lines[i + 1] ?? '') && !/^\|-/.test(lines[i] ?? ''))
    .map(line => line.replace(/^\||\|$/g, '').split('|'))
    .map(cells => cells.map(cell => cell.trim().replaceAll('`', '')))
}

/** The first column of the row whose second one is `name`, as a number. */
export function numberOf(heading: string, name: string): number {
  const row = tableOf(heading).find(cells => cells[1] === name && /^\d+$/.test(cells[0] ?? ''))
  if (row === undefined) throw new Error(`FORMATS.md, ${heading}: no ${name}`)
  return Number(row[0])
}

/** A table of offset, size and field, laid over bytes. */
export class Layout {
  readonly #fields = new Map<string, { readonly offset: number; readonly size: number }>()
  /** Where the part without a size begins: all fixed fields stand before it. */
  readonly length: number

  constructor(heading: string) {
    const rows = tableOf(heading).filter(([offset = '']) => /^\d+$/.test(offset))
    let end = 0
    for (const [offset = '', size = '', field = ''] of rows) {
      if (Number(offset) !== end)
        throw new Error(`FORMATS.md, ${heading}: ${field} begins at ${offset}, not ${end}`)
      if (size === '') break
      this.#fields.set(field, { offset: Number(offset), size: Number(size) })
      end += Number(size)
    }
    if (end === 0) throw new Error(`FORMATS.md, ${heading}: no table of offsets`)
    this.length = end
  }

  /** The bytes of the field in what begins at `base`. */
  bytes(from: Buffer, field: string, base = 0): Buffer {
    const place = this.#fields.get(field)
    if (place === undefined) throw new Error(`FORMATS.md: no field ${field}`)
    return from.subarray(base + place.offset, base + place.offset + place.size)
  }

  /** The field as a number, little-endian. */
  number(from: Buffer, field: string, base = 0): number {
    const own = this.bytes(from, field, base)
    return own.length === 8 ? Number(own.readBigUInt64LE(0)) : own.readUIntLE(0, own.length)
  }
}
