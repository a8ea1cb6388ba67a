/**
 * Full case folding by one fixed version of Unicode (case-folding.ts): the same in every release and on every
 * Node, and no language's lower-casing.
 */
import { commonFoldings, fullFoldings } from './case-folding.js'

/** The folded text, not normalised. Half of a surrogate pair stays as it is. */
export function fold(text: string): string {
  let folded = ''
  let kept = 0
  for (let i = 0; i < text.length; i++) {
    const start = i
    const code = text.codePointAt(i) ?? 0
    if (code > 0xffff) i++
    const to = foldings.get(code)
    if (to === undefined) continue
    folded += text.slice(kept, start) + to
    kept = i + 1
  }
  return kept === 0 ? text : folded + text.slice(kept)
}

/** Each code point that folds to something else, with what it folds to. */
const foldings: ReadonlyMap<number, string> = readFoldings()

function readFoldings(): Map<number, string> {
  const map = new Map<number, string>()
  for (const [, first = '', mode, last = first, delta] of commonFoldings.matchAll(
    /(\w+)(?:([-=])(\w+))?([+-]\d+)/g,
  )) {
    for (let code = parseInt(first, 16); code <= parseInt(last, 16); code += mode === '=' ? 2 : 1) {
      map.set(code, String.fromCodePoint(code + Number(delta)))
    }
  }
  for (const [, code = '', to = ''] of fullFoldings.matchAll(/(\w+)>([\w.]+)/g)) {
    map.set(parseInt(code, 16), String.fromCodePoint(...to.split('.').map(hex => parseInt(hex, 16))))
  }
  return map
}
