/**
 * MessagePack, strict in both directions: only plain values (see `value`) go in, only plain values come out,
 * and the same input in the same field order gives the same bytes, in every release.
 *
 * Bytes of others are walked first (see `walk`): no extension is ever run, no record is ever compiled, and
 * memory is bounded by the budgets. Any MessagePack library can read what is written here.
 */
import { addExtension, Packr } from 'msgpackr'
import { SillokError } from '../base/errors.js'
import { checkValue, documentValueLimits, isPlainObject, type ValueLimits } from './value.js'
import { checkBytes } from './walk.js'

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  useToJSON: false,
  structuredClone: false,
  moreTypes: false,
  int64AsType: 'number',
  copyBuffers: true,
})

/** Stands for -0 while packing: the packer alone would write 0. */
class NegativeZero {}

const negativeZero = new NegativeZero()

type Allocate = (bytes: number) => { targetView: DataView; position: number }

// Written in place as a float64, so that its type number never appears in bytes; the walk refuses it anyway.
addExtension({
  Class: NegativeZero,
  type: 0x7f,
  pack(_value: unknown, allocate?: Allocate) {
    const { targetView, position } = (allocate as Allocate)(9)
    targetView.setUint8(position, 0xcb)
    targetView.setFloat64(position + 1, -0)
    return undefined as unknown as Buffer
  },
  unpack() {
    throw new SillokError('INVALID', 'an extension that is not a timestamp')
  },
})

/**
 * The value's bytes. INVALID names the path of what may not be stored or is over a budget; TOO_LARGE carries
 * the measured size (`details.bytes`).
 */
export function packStrict(value: unknown, budget: ValueLimits = documentValueLimits): Buffer {
  const bytes = packr.pack(checkValue(value, budget) ? marked(value) : value)
  if (bytes.length > budget.bytesMax) {
    throw new SillokError(
      'TOO_LARGE',
      `a value of ${bytes.length} bytes, encoded; at most ${budget.bytesMax}`,
      {
        details: { bytes: bytes.length, limit: budget.bytesMax },
      },
    )
  }
  return bytes
}

/**
 * The value in bytes of others: INVALID names the offset of what is not acceptable, TOO_LARGE if they are
 * over the budget. Shares no memory with them.
 */
export function unpackStrict(bytes: Uint8Array, budget: ValueLimits = documentValueLimits): unknown {
  checkBytes(bytes, budget)
  return unpackTrusted(bytes)
}

/** The value in bytes that `packStrict` made and a checksum guards. Shares no memory with them. */
export function unpackTrusted(bytes: Uint8Array): unknown {
  // A plain view: bytes inside come out as Uint8Array, and the packer adds no field to the caller's Buffer.
  return packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) as Buffer)
}

/** A copy with the stand-in for each -0. */
function marked(value: unknown): unknown {
  if (Object.is(value, -0)) return negativeZero
  if (Array.isArray(value)) return value.map(marked)
  if (typeof value !== 'object' || value === null || !isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, marked(inner)]))
}
