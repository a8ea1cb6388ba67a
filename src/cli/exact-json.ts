/**
 * JSON without silent loss: JavaScript reads every number as a double, so a whole number beyond 2^53 may come
 * out as another one; and of two fields of one name in an object it keeps the last. A text with either is
 * refused, with the number, or the field, as it was written.
 */
import { assert } from '../base/assert.js'
import { messageOf } from '../base/errors.js'

/** What a text holds, or why it is not taken. */
export type ExactJson = { readonly value: unknown } | { readonly fault: string }

/** Parses the text; a fault if it is no JSON, or if something in it would be changed or lost. */
export function parseExactJson(text: string): ExactJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { fault: `not JSON: ${messageOf(error)}` }
  }
  const fault = mayLose(text, value) ? lossIn(text) : undefined
  return fault === undefined ? { value } : { fault }
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const colon = 0x3a

/** Shorter numbers come out as they stand: 15 digits fit a double. */
const longNumber = 16

/**
 * False if nothing can be lost, as nearly always: the text has no long number, and as many fields as what
 * came out of it, so none of them stands twice.
 */
function mayLose(text: string, value: unknown): boolean {
  let fields = 0
  let run = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isOfNumber(code)) {
      if (++run >= longNumber) return true
      continue
    }
    run = 0
    if (code === colon) fields += 1
    else if (code === quote) {
      for (let inner = text.charCodeAt(++at); inner !== quote; inner = text.charCodeAt(++at)) {
        if (inner === backslash) at += 1
        assert(at < text.length, 'a string of JSON has an end')
      }
    }
  }
  return fields > 0 && fields !== fieldsIn(value)
}

/** The fields of all objects inside, however deep. */
function fieldsIn(value: unknown): number {
  const left: unknown[] = [value]
  let count = 0
  while (left.length > 0) {
    const one = left.pop()
    const inner = Object.values(one as object)
    if (!Array.isArray(one)) count += inner.length
    for (const each of inner) if (typeof each === 'object' && each !== null) left.push(each)
  }
  return count
}

/** The first loss in a text that is JSON. One pass: the time grows with the length of the text only. */
function lossIn(text: string): string | undefined {
  /** Names of the fields so far, of every object that is open. */
  const open: Set<string>[] = []
  let at = 0
  while (at < text.length) {
    const start = at
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, start)
      if (text.charCodeAt(endOfBlanks(text, at)) !== colon) continue
      const name = nameOf(text.slice(start, at))
      const fields = open.at(-1)
      if (fields?.has(name)) return `the field ${shown(JSON.stringify(name))} stands twice in one object`
      fields?.add(name)
    } else if (isOfNumber(code)) {
      while (isOfNumber(text.charCodeAt(at))) at++
      if (at - start >= longNumber && isRounded(text.slice(start, at))) {
        const advice = `up to ${Number.MAX_SAFE_INTEGER} every whole number can, beyond write it as a text`
        return `${shown(text.slice(start, at))} cannot be held exactly as a number: ${advice}`
      }
    } else {
      if (code === openBrace) open.push(new Set())
      else if (code === closeBrace) open.pop()
      at++
    }
  }
  return undefined
}

/** Behind the quote that ends the string: the first one before which the backslashes make pairs. */
function endOfString(text: string, start: number): number {
  let at = start
  for (;;) {
    at = text.indexOf('"', at + 1)
    assert(at > start, 'a string of JSON has an end')
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return at + 1
  }
}

function endOfBlanks(text: string, start: number): number {
  let at = start
  while (text.charCodeAt(at) <= 0x20) at++
  return at
}

function nameOf(string: string): string {
  return string.includes('\\') ? (JSON.parse(string) as string) : string.slice(1, -1)
}

/** Digits, and `-` `+` `.` `e` `E`: in JSON, outside strings, `e` stands in words too, which do no harm. */
function isOfNumber(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true
  return code === 0x2d || code === 0x2b || code === 0x2e || code === 0x65 || code === 0x45
}

/** True for a whole number that comes out as another one. */
function isRounded(word: string): boolean {
  if (!/^-?\d+$/.test(word)) return false
  const value = Number(word)
  return !Number.isFinite(value) || BigInt(word) !== BigInt(value)
}

/** The text as a message shows it, which may be as long as a row. */
export function shown(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80).replace(/[\ud800-\udbff]$/, '')}…`
}
