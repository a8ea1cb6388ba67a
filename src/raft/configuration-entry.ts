/**
 * A change of the configuration as the body of an entry:
 *
 *   0   what every first entry of a term carries (`emptyEntry`), of any length
 *   n   u8 type (see `changeTypes`), then per step u8 type (see `stepTypes`) and u64 replica id
 *  end-2  u16 length of that second part
 *
 * Little-endian. Read from its end, so that the first part is the business of those who made it.
 */
import { assert } from '../base/assert.js'
import { type Entry, entryBody, readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { ChangeStep, ConfigurationChange } from './configuration.js'

const changeTypes = ['simple', 'joint', 'jointExplicit', 'leave'] as const
const stepTypes = ['addVoter', 'addLearner', 'remove'] as const
const stepBytes = 9
const stepsMax = 1000

/** The bytes of an entry, `prefix` (head and first part) and the change after it. */
export function encodeChange(prefix: Buffer, change: ConfigurationChange): Buffer {
  const steps = change.type === 'leave' ? [] : change.steps
  if (steps.length > stepsMax) throw new SillokError('TOO_LARGE', `a change of ${steps.length} steps`)
  const part = Buffer.alloc(1 + steps.length * stepBytes + 2)
  part.writeUInt8(changeTypes.indexOf(change.type), 0)
  for (const [place, { type, replica }] of steps.entries()) {
    part.writeUInt8(stepTypes.indexOf(type), 1 + place * stepBytes)
    writeIndex(part, replica, 2 + place * stepBytes)
  }
  part.writeUInt16LE(part.length - 2, part.length - 2)
  return Buffer.concat([prefix, part])
}

/** The change that the entry holds. What cannot be read is a bug or damage: it stops the partition. */
export function decodeChange(entry: Entry): ConfigurationChange {
  const body = entryBody(entry)
  const what = () => `entry ${entry.index} holds no change of the configuration: ${body.toString('hex')}`
  const end = body.length - 2
  const start = end - (end >= 0 ? body.readUInt16LE(end) : 0)
  assert(start >= 0 && start < end && (end - start - 1) % stepBytes === 0, what)
  const type = changeTypes[body.readUInt8(start)]
  const steps: ChangeStep[] = []
  for (let offset = start + 1; offset < end; offset += stepBytes) {
    const stepType = stepTypes[body.readUInt8(offset)]
    assert(stepType !== undefined, what)
    steps.push({ type: stepType, replica: readIndex(body, offset + 1) })
  }
  assert(type !== undefined && (type !== 'leave' || steps.length === 0), what)
  return type === 'leave' ? { type } : { type, steps }
}
