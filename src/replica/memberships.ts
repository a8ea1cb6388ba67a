/**
 * Who belongs to a partition's group, as its node remembers it: the configuration that counts, and the last
 * ones before it, each with the entry that made it.
 *
 * The newest was applied here, so it is committed and stays: a replica starts with it though its state may
 * have to be applied anew from an entry before. The older ones are there for snapshots, which are as of an
 * entry that was applied a while ago. Written into the write-ahead log in the turn in which a change is
 * applied; what comes later in that log (votes, marks of segments) is durable only with it.
 *
 * Bytes: JSON, `{"voters":[1]}` or `{"index":9,"voters":[1,2],"outgoing":[1],…}`, lists that are empty left
 * out; a list of such objects, the oldest first, when there are several.
 */
import { assert, must } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import * as schema from '../codec/wire-schema.js'
import { type Configuration, checkConfiguration, simpleConfiguration } from '../raft/configuration.js'

/** A configuration, and the index of the entry that made it; 0 if it was there from the start. */
export interface Membership {
  readonly index: LogIndex
  readonly configuration: Configuration
}

/**
 * How many are remembered: more changes than are applied between two flushes of a state. After so many since
 * the newest snapshot another one is made (see Retention): it could not be sent any more.
 */
const rememberedMax = 32

const ids = schema.list(schema.integer(1, Number.MAX_SAFE_INTEGER), limits.groupReplicasMax)

const form = schema.object({
  index: schema.optional(schema.index()),
  voters: ids,
  outgoing: schema.optional(ids),
  learners: schema.optional(ids),
  learnersNext: schema.optional(ids),
  autoLeave: schema.optional(schema.boolean()),
})

/** The memberships that one replica remembers. */
export class Memberships {
  /** In order of their entries, one at least. */
  #known: readonly Membership[]

  private constructor(known: readonly Membership[]) {
    this.#known = known
  }

  /** A group that begins with these voters. */
  static of(voters: readonly number[]): Memberships {
    return new Memberships([{ index: 0, configuration: simpleConfiguration(voters) }])
  }

  /** What `encode` gave. Throws DAMAGED for anything else. */
  static decode(payload: Buffer): Memberships {
    try {
      const value: unknown = JSON.parse(payload.toString('utf8'))
      const known = (Array.isArray(value) ? value : [value]).map(membershipOf)
      assert(
        known.length > 0 && known.every(({ index }, at) => at === 0 || index > (known[at - 1]?.index ?? 0)),
        () => 'the memberships are not in order',
      )
      return new Memberships(known)
    } catch (cause) {
      throw new SillokError('DAMAGED', 'the register "configuration" has a malformed payload', {
        details: { register: 'configuration', bytes: payload.length },
        cause,
      })
    }
  }

  /** The one that counts now. */
  get newest(): Membership {
    return must(this.#known.at(-1), 'a membership')
  }

  /** The one that counted when that entry had been applied; undefined if it is not remembered any more. */
  asOf(index: LogIndex): Membership | undefined {
    return this.#known.findLast(one => one.index <= index)
  }

  /** A change was applied. */
  add(index: LogIndex, configuration: Configuration): void {
    assert(index > this.newest.index, () => `the membership of entry ${index} after ${this.newest.index}`)
    this.#known = [...this.#known, { index, configuration }].slice(-rememberedMax)
  }

  /** All of them, as bytes of the register. */
  encode(): Buffer {
    const forms = this.#known.map(formOf)
    return Buffer.from(JSON.stringify(forms.length === 1 ? forms[0] : forms))
  }
}

/** One membership as bytes. */
export function encodeMembership(membership: Membership): Buffer {
  return Buffer.from(JSON.stringify(formOf(membership)))
}

function formOf({ index, configuration }: Membership): object {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration
  return {
    ...(index > 0 && { index }),
    voters,
    ...(outgoing.length > 0 && { outgoing }),
    ...(learners.length > 0 && { learners }),
    ...(learnersNext.length > 0 && { learnersNext }),
    ...(autoLeave && { autoLeave }),
  }
}

function membershipOf(value: unknown): Membership {
  const { index = 0, voters, ...rest } = schema.parse(form, value, 'membership')
  const configuration = { outgoing: [], learners: [], learnersNext: [], autoLeave: false, voters, ...rest }
  checkConfiguration(configuration)
  return { index, configuration }
}
