/** Constraints on documents that are there: built, violated, enforced and dropped, against a naive oracle. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import { encodeDocument } from '../../../src/codec/document.js'
import { keyBytes, keyText, type RowKey } from '../../../src/codec/row.js'
import type { Command, Decision, Operation } from '../../../src/machine/command.js'
import { type ConstraintSchema, mergeConstraints } from '../../../src/machine/constraint-schema.js'
import { type ConstraintState, decodeConstraintState } from '../../../src/machine/constraint-state.js'
import {
  claimPrefix,
  constraintKey,
  documentPrefix,
  documentPrefixBytes,
  schemaKey,
  violationPrefix,
} from '../../../src/machine/keys.js'
import { checkDefinition, encodeSchema } from '../../../src/machine/schema.js'
import { seed } from '../../seed.js'
import {
  allFaultsOf,
  type Rule,
  randomThing,
  ruleDefinitions,
  type Thing,
  things,
  valuesOf,
} from './build-oracle.js'
import { addFacts, digestOf, Rows } from './rows.js'

t.comment(`SEED=${seed}`)

/** A partition with one collection, whose constraints change, and what the background would do in it. */
class World {
  readonly rows = new Rows()
  readonly sums = digestOf(this.rows.rows)
  readonly rules = new Map<number, Rule>()
  unique: readonly ConstraintSchema[] = []
  #through = 0
  #next = 1
  #ahead: { readonly id: number; keys: RowKey[] } | undefined

  constructor() {
    this.rows.limits = { ...limits, buildEntryBytes: 400 } as unknown as typeof limits
    this.#feed()
  }

  /** Decides with no row in memory first: the same must come of it. */
  run(command: Command): Decision {
    const { decision } = this.rows.decideInRounds(command, key => !key.startsWith('m'))
    const all = this.rows.decide(command)
    const text = (one: Decision): string => JSON.stringify(one)
    if (text(decision) !== text(all)) throw new Error(`another decision: ${text(decision)}, ${text(all)}`)
    if (all.type === 'entry') {
      this.rows.take(all.facts)
      addFacts(this.sums, this.rows.index, all.facts)
    }
    return all
  }

  define(names: readonly Rule[], shared?: string): void {
    const unique = Object.fromEntries(names.map(rule => [shared ?? rule, ruleDefinitions[rule]]))
    const checked = checkDefinition('things', { key: 'id', unique })
    const merged = mergeConstraints(this.unique, checked.unique, this.#next, true)
    if ('refused' in merged) throw new Error(merged.refused)
    for (const { id, name } of merged.unique) {
      if (id >= this.#next) this.rules.set(id, shared === undefined ? (name as Rule) : (names[0] as Rule))
    }
    this.#next = Math.max(this.#next, ...merged.unique.map(({ id }) => id + 1))
    this.unique = merged.unique
    this.#feed()
  }

  #feed(): void {
    this.#through += 1
    const schema = { id: 1, name: 'things', key: 'id', unique: this.unique, indexes: [] }
    const schemas = [[schemaKey(1), encodeSchema(schema)]] as const
    this.run({ type: 'metaFeed', through: this.#through, schemas, ended: [] })
  }

  write(...steps: readonly (readonly [Operation['op'], Thing])[]): Decision {
    const operations = steps.map(([op, thing]) => ({
      op,
      collection: 1,
      key: documentPrefix(1) + keyText(encodeKey(thing.id)),
      ...((op === 'insert' || op === 'put') && { document: encodeDocument(thing) }),
    }))
    return this.run({ type: 'write', operations, mark: undefined })
  }

  state(id: number): ConstraintState | undefined {
    const row = this.rows.rows.get(constraintKey(id))
    return row && decodeConstraintState(row.value)
  }

  /** What the background does next about a constraint; the rows that it names may be of long ago. */
  work(id: number, count: number): Decision | undefined {
    const known = this.state(id)
    if (known?.state === 'validate') return this.run({ type: 'judge', constraint: id })
    if (known?.state === 'dropping') return this.#drop(id, count)
    if (known?.state !== 'guard' && known?.state !== 'backfill') return undefined
    const { after, since, collection } = known
    if (this.#ahead?.id !== id) {
      const keys = this.#rowsOf(documentPrefix(collection)).filter(key => {
        return (this.rows.rows.get(key)?.version ?? 0) <= since
      })
      this.#ahead = { id, keys }
    }
    const left = this.#ahead.keys.filter(key => after === null || Buffer.compare(encodedKey(key), after) > 0)
    const keys = left.slice(0, count)
    const last = keys.at(-1)
    const isLast = keys.length === left.length
    const through = last === undefined ? after : encodedKey(last)
    return this.run({ type: 'backfill', constraint: id, after, keys, through, isLast, made: new Map() })
  }

  #drop(id: number, count: number): Decision {
    const all = [...this.#rowsOf(claimPrefix(id)), ...this.#rowsOf(violationPrefix(id))]
    const keys = all.slice(0, count)
    return this.run({ type: 'dropClaims', constraint: id, keys, isLast: all.length === 0 })
  }

  #rowsOf(prefix: RowKey): RowKey[] {
    return [...this.rows.rows.keys()].filter(key => key.startsWith(prefix)).sort()
  }

  /** Works until nothing is to be done about it. */
  finish(id: number): void {
    while (this.work(id, 3) !== undefined);
  }

  faults(): string[] {
    const faults = allFaultsOf(this.rows, this.unique)
    const sums = digestOf(this.rows.rows)
    if (!Buffer.from(sums.buffer).equals(Buffer.from(this.sums.buffer))) faults.push('digests differ')
    return faults
  }
}

function encodedKey(row: RowKey): Buffer {
  return keyBytes(row.slice(documentPrefixBytes))
}

function outcome(decision: Decision): string {
  if (decision.type !== 'entry' && decision.type !== 'answer') return decision.type
  const { reply } = decision
  return reply.ok ? 'ok' : `${reply.code} ${String(reply.details['holder'] ?? '')}`.trim()
}

t.test(
  'whatever is written during builds and drops, claims and violations are those of the documents',
  async t => {
    const told: Record<string, number> = {}
    for (let n = 0; n < 80; n++) {
      const random = new Random(`${seed}/${n}`)
      const world = new World()
      const rules = ['mail', 'tags', 'onMail', 'nulls', 'exact'] as const
      for (let step = 0; step < 120; step++) {
        if (random.chance(0.06)) world.define(rules.filter(() => random.chance(0.4)))
        else if (random.chance(0.4) && world.rules.size > 0) {
          world.work(random.pick([...world.rules.keys()]), 1 + random.below(4))
        } else {
          const steps = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => {
            return [
              random.pick(['insert', 'put', 'put', 'put', 'delete'] as const),
              randomThing(random),
            ] as const
          })
          const before = things(world.rows)
          const decision = world.write(...steps)
          const is = outcome(decision).split(' ')[0] as string
          told[is] = (told[is] ?? 0) + 1
          checkRefusal(before, steps, decision)
        }
        const faults = world.faults()
        if (faults.length > 0) throw new Error(`seed ${seed}/${n} step ${step}: ${faults.join('; ')}`)
      }
      for (const { id } of world.unique) world.finish(id)
      for (const [id] of world.rules) world.finish(id)
      t.strictSame(world.faults(), [], `world ${n}`)
      for (const { id } of world.unique)
        told[world.state(id)?.state ?? ''] = (told[world.state(id)?.state ?? ''] ?? 0) + 1
      const isKept = (key: RowKey): boolean => world.unique.some(({ id }) => key.startsWith(claimPrefix(id)))
      t.ok(
        [...world.rows.rows.keys()].every(key => !key.startsWith('c') || isKept(key)),
        'a drop leaves no claim',
      )
    }
    t.comment(JSON.stringify(told))
    for (const what of ['ok', 'UNIQUE_TAKEN', 'INVALID', 'EXISTS', 'enforced', 'violated'])
      t.ok(told[what], what)
  },
)

/** A refusal of one write is true: the holder has the value, and the writer did not have it before. */
function checkRefusal(
  before: ReturnType<typeof things>,
  steps: readonly (readonly [Operation['op'], Thing])[],
  decision: Decision,
): void {
  const [only] = steps
  if (only === undefined || steps.length > 1 || (decision.type !== 'answer' && decision.type !== 'entry'))
    return
  const { reply } = decision
  if (reply.ok || reply.code !== 'UNIQUE_TAKEN') return
  const rule = reply.details['constraint'] as Rule
  const holder = before.get(reply.details['holder'] as string)
  const old = before.get(only[1].id)
  const had = (old && valuesOf(rule, old.thing)) ?? []
  const wants = (valuesOf(rule, only[1]) ?? []).filter(value => !had.includes(value))
  const held = (holder && valuesOf(rule, holder.thing)) ?? []
  if (!wants.some(value => held.includes(value)) || holder?.version !== reply.details['version']) {
    throw new Error(`refused ${JSON.stringify([only, old, rule])} for ${JSON.stringify(holder)}`)
  }
}

/** Two documents that share a mail, and the constraint built over them. */
function pair(): World {
  const world = new World()
  world.write(['put', { id: 'a', mail: 'x' }])
  world.write(['put', { id: 'b', mail: 'X' }])
  world.define(['mail'])
  world.finish(1)
  return world
}

t.test(
  'a violation ends when either side of the pair lets go, and then the constraint is enforced',
  async t => {
    const ends: Readonly<Record<string, readonly [Operation['op'], Thing]>> = {
      'the holder is deleted': ['delete', { id: 'a' }],
      'the holder changes': ['put', { id: 'a', mail: 'y' }],
      'the loser is deleted': ['delete', { id: 'b' }],
      'the loser changes': ['put', { id: 'b', mail: 'y' }],
    }
    for (const [how, step] of Object.entries(ends)) {
      const world = pair()
      t.equal(world.state(1)?.state, 'violated')
      t.equal(outcome(world.write(['put', { id: 'b', mail: 'x', on: true }])), 'ok', 'the same value again')
      t.equal(
        outcome(world.write(['insert', { id: 'c', mail: 'x' }])),
        'UNIQUE_TAKEN a',
        'a new one is refused',
      )
      t.equal(outcome(world.write(step)), 'ok')
      t.equal(world.state(1)?.state, 'enforced', how)
      t.strictSame(world.faults(), [])
      const left = how.startsWith('the holder') ? 'b' : 'a'
      t.equal(outcome(world.write(['insert', { id: 'c', mail: 'x' }])), `UNIQUE_TAKEN ${left}`, how)
      t.equal(outcome(world.write(['delete', { id: left }])), 'ok')
      t.equal(
        outcome(world.write(['insert', { id: 'c', mail: 'x' }])),
        'ok',
        'the claim went with its holder',
      )
    }
  },
)

t.test(
  'from its entry on a constraint refuses what it knows to be held, also before it is built',
  async t => {
    const world = new World()
    world.write(['put', { id: 'a', mail: 'x' }])
    world.define(['mail'])
    t.equal(world.state(1)?.state, 'guard')
    t.equal(outcome(world.write(['insert', { id: 'b', mail: 'y' }])), 'ok')
    t.equal(outcome(world.write(['insert', { id: 'c', mail: 'Y' }])), 'UNIQUE_TAKEN b')
    t.equal(outcome(world.write(['insert', { id: 'd', mail: 'x' }])), 'ok', 'nobody knows of a yet')
    t.equal(
      outcome(world.write(['put', { id: 'a', mail: 'x', on: true }])),
      'ok',
      'nothing is worse than before',
    )
    t.equal(world.state(1)?.violations, 1)
    world.finish(1)
    t.equal(world.state(1)?.state, 'violated')
  },
)

t.test('a rule with a new meaning is built beside the old one, and both hold', async t => {
  const world = new World()
  world.define(['exact'], 'mail')
  world.finish(1)
  world.write(['put', { id: 'a', mail: 'x' }], ['put', { id: 'b', mail: 'X' }])
  world.define(['mail'], 'mail')
  t.strictSame(
    world.unique.map(({ id }) => id),
    [1, 2],
  )
  world.finish(2)
  t.equal(world.state(2)?.state, 'violated')
  t.equal(outcome(world.write(['insert', { id: 'c', mail: 'X' }])), 'UNIQUE_TAKEN b')
  world.write(['delete', { id: 'b' }])
  t.equal(world.state(2)?.state, 'enforced')
  t.strictSame(world.faults(), [])
})

t.test('a part of a build that comes twice changes nothing', async t => {
  const world = new World()
  world.write(['put', { id: 'a', mail: 'x' }], ['put', { id: 'b', mail: 'x' }])
  world.define(['mail'])
  const keys = ['a', 'b'].map(id => documentPrefix(1) + keyText(encodeKey(id)))
  const through = encodeKey('b')
  const part = { type: 'backfill', constraint: 1, after: null, keys, through, isLast: false } as const
  t.equal(world.run({ ...part, made: new Map() }).type, 'entry')
  const again = world.run({ ...part, made: new Map() })
  t.equal(again.type, 'answer')
  t.strictSame(again.type === 'answer' && again.reply.ok && again.reply.value, { isStale: true })
  t.strictSame(world.faults(), [])
})

t.test('a document with more claims than one byte counts lists them all', async t => {
  const world = new World()
  world.define(['tags'])
  world.finish(1)
  const tags = Array.from({ length: limits.claimsPerConstraintMax }, (_, i) => `t${i}`)
  t.equal(outcome(world.write(['put', { id: 'a', tags }])), 'ok')
  t.strictSame(world.faults(), [])
  t.equal(outcome(world.write(['put', { id: 'b', tags: ['t255'] }])), 'UNIQUE_TAKEN a')
  t.equal(
    outcome(world.write(['put', { id: 'c', tags: [...tags.map(tag => `u${tag}`), 'more'] }])),
    'TOO_LARGE',
  )
  t.equal(outcome(world.write(['delete', { id: 'a' }])), 'ok')
  t.notOk([...world.rows.rows.keys()].some(key => key.startsWith('c')))
})
