/**
 * What a merge does with the documents of its inputs: which stay, and under which ordinals.
 *
 * It follows from the inputs, which never change: so the plan of a merge that goes on with each batch is made
 * once, and kept as long as its inputs are opened.
 */
import { must } from '../../base/assert.js'
import { mustFit } from './damage.js'
import type { SegmentReader } from './segment-reader.js'
import type { Pause } from './sorted-texts.js'

/** What becomes of each input's documents. */
export interface MergePlan {
  /** By input, by ordinal: the ordinal in the result; -1: it is not in it. */
  readonly ordinals: readonly Int32Array[]
  /** Of the result. */
  readonly lengths: Uint32Array
  /** Numbers of documents of still other segments that went. */
  readonly went: readonly number[]
}

/** By first input: its neighbours in the merge, and the plan. */
const plans = new WeakMap<SegmentReader, { inputs: readonly SegmentReader[]; plan: MergePlan }>()
/** Documents between two looks at the clock. */
const plannedPerLook = 8192

/** The plan for these neighbours. */
export async function planOf(
  inputs: readonly SegmentReader[],
  fieldCount: number,
  pause: Pause,
): Promise<MergePlan> {
  const first = must(inputs[0], 'an input')
  const known = plans.get(first)
  if (known?.inputs.length === inputs.length && known.inputs.every((one, n) => one === inputs[n])) {
    return known.plan
  }
  const plan = await makePlan(inputs, fieldCount, pause)
  plans.set(first, { inputs, plan })
  return plan
}

async function makePlan(
  inputs: readonly SegmentReader[],
  fieldCount: number,
  pause: Pause,
): Promise<MergePlan> {
  const ordinals = inputs.map(({ facts }) => new Int32Array(facts.documents))
  const went = markGone(inputs, ordinals)
  let count = 0
  for (const column of ordinals) {
    for (let at = 0; at < column.length; at++) if (column[at] !== -1) column[at] = count++
  }
  const lengths = new Uint32Array(count * fieldCount)
  for (const [n, column] of ordinals.entries()) {
    const from = (inputs[n] as SegmentReader).documents.lengths
    for (let at = 0; at < column.length; at++) {
      const late = at % plannedPerLook === 0 ? pause() : undefined
      if (late !== undefined) await late
      const to = column[at] as number
      if (to < 0) continue
      for (let field = 0; field < fieldCount; field++) {
        lengths[to * fieldCount + field] = from[at * fieldCount + field] as number
      }
    }
  }
  return { ordinals, lengths, went }
}

/** Sets -1 for documents of the inputs that went; returns the numbers of the others that did, ascending. */
function markGone(inputs: readonly SegmentReader[], ordinals: readonly Int32Array[]): number[] {
  const first = must(inputs[0], 'an input').facts.first
  const { end } = must(inputs.at(-1), 'an input').facts
  const went: number[] = []
  for (const input of inputs) {
    for (const number of input.went) {
      if (number < first || number >= end) {
        went.push(number)
        continue
      }
      const at = inputs.findIndex(({ facts }) => number >= facts.first && number < facts.end)
      const ordinal = inputs[at]?.ordinalOf(number)
      mustFit(ordinal !== undefined, () => `document ${number} went, and is in no segment`)
      const column = ordinals[at] as Int32Array
      column[ordinal] = -1
    }
  }
  return went.sort((a, b) => a - b)
}
