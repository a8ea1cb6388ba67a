/**
 * Runs: the pieces of a folded text that are of one script.
 *
 * What is no letter, number or mark separates, and so does a change of script: `Kafka를` is two runs. An
 * apostrophe between two letters of Latin is part of the word. A mark belongs to the run that it stands in;
 * without one it is nothing.
 */
import { type CharacterClass, classes, classOf } from './characters.js'

/** Takes a run: its class, and where in the text it begins and ends. */
export type RunTaker = (is: CharacterClass, from: number, to: number, touches: boolean) => void

/**
 * Hands out the runs of a folded text in their order. `touches`: nothing stands between this run and the one
 * before.
 */
export function eachRun(text: string, take: RunTaker): void {
  let from = 0
  let last = -1
  let run: CharacterClass = classes.none
  let at = 0
  const end = (to: number): void => {
    if (run !== classes.none) take(run, from, to, from === last)
    if (run !== classes.none) last = to
  }
  const { length } = text
  while (at < length) {
    let code = text.charCodeAt(at)
    let units = 1
    if (code >= 0xd800 && code <= 0xdbff) {
      code = text.codePointAt(at) ?? code
      if (code > 0xffff) units = 2
    }
    let is = classOf(code)
    if (is !== run) {
      if (is === classes.mark) is = run
      else if (run === classes.latin && isApostrophe(code) && isLatin(text, at + 1)) is = run
      if (is !== run) {
        end(at)
        run = is
        from = at
      }
    }
    at += units
  }
  end(text.length)
}

/** ASCII's and the typographic one. */
export function isApostrophe(code: number): boolean {
  return code === 0x27 || code === 0x2019
}

function isLatin(text: string, at: number): boolean {
  return at < text.length && classOf(text.charCodeAt(at)) === classes.latin
}
