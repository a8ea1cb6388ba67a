import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import type { Broken } from '../../../src/testing/world/report.js'
import { checkName } from './failure-text.js'
import { type Minimum, minimise } from './minimise.js'
import { commandOf, type Said, saidBy } from './said.js'

const drawn = {
  faultMs: 45_000,
  nodes: 3,
  faults: ['kill', 'cut', 'wipe', 'storm', 'flap'],
  workloads: ['registers', 'counters', 'imports'],
  limits: { segmentCutBytes: 6000, retainBytes: 0 },
  leisure: 1,
  skip: [],
  beyond: false,
} as const
const strikes = 40

/** A world that breaks if `breaks` says so of what was drawn and said. */
function fake(breaks: (options: Broken['options']) => string | undefined): {
  run: (said: Said) => Promise<Broken | undefined>
  runs: Said[]
} {
  const runs: Said[] = []
  const run = async (said: Said): Promise<Broken | undefined> => {
    runs.push(said)
    const options = { ...drawn, ...said, limits: { ...drawn.limits, ...said.limits } } as Broken['options']
    const check = breaks(options)
    if (check === undefined) return undefined
    const nothing = { stack: '', timeline: '', lastOfEach: '', digest: '' }
    return { seed: 's.1', options, check, atMs: 1, strikes, ...nothing }
  }
  return { run, runs }
}

/** Needs two strikes, one workload, one kind of fault, one limit and ten seconds. */
function needsFew(options: Broken['options']): string | undefined {
  const { faultMs, faults, workloads, skip, limits: own } = options
  const fails =
    faultMs >= 10_000 &&
    faults.includes('wipe') &&
    workloads.includes('imports') &&
    !skip.includes(7) &&
    !skip.includes(23) &&
    own.retainBytes === 0
  return fails ? `row ${faultMs} of import 2 is gone: it was acknowledged` : undefined
}

async function smallest(
  breaks: (options: Broken['options']) => string | undefined,
): Promise<Minimum | undefined> {
  return await minimise({}, { run: fake(breaks).run, isOver: () => false })
}

t.test('what a failure does not need is left out', async t => {
  const minimum = await smallest(needsFew)
  if (minimum === undefined) throw new Error('it fails')
  const { options } = minimum.broken
  t.same(options.faults, ['wipe'])
  t.same(options.workloads, ['imports'])
  t.same(
    options.skip,
    [...Array(strikes).keys()].filter(number => number !== 7 && number !== 23),
  )
  t.equal(options.limits.segmentCutBytes, limits.segmentCutBytes)
  t.equal(options.limits.retainBytes, 0)
  t.ok(options.faultMs >= 10_000 && options.faultMs < 15_000, `${options.faultMs}`)
})

t.test('another check that fails is another fault', async t => {
  const minimum = await smallest(options =>
    options.faults.length < 5 ? 'two logs differ' : needsFew(options),
  )
  t.same(minimum?.broken.options.faults, drawn.faults)
  t.match(minimum?.broken.check, /^row/)
})

t.test('numbers and what follows the first colon do not make another check', async t => {
  t.equal(checkName('node 3 does not close'), checkName('node 1 does not close'))
  t.equal(checkName('registers, at node 1: a long story'), checkName('registers, at node 2: another one'))
  t.not(checkName('two logs differ'), checkName('two states differ'))
})

t.test('a world that breaks nothing has no smallest form', async t => {
  t.equal(await smallest(() => undefined), undefined)
})

t.test('out of time, the smallest so far is the answer', async t => {
  const { run, runs } = fake(needsFew)
  const minimum = await minimise({}, { run, isOver: () => runs.length >= 4 })
  t.equal(runs.length, 4)
  t.ok(minimum !== undefined && needsFew(minimum.broken.options) !== undefined)
})

t.test('a command says what was said of the world, and no more', async t => {
  t.equal(commandOf('s.1', {}), 'npm run sim -- --replay s.1')
  const said: Said = {
    nodes: 5,
    faultMs: 100,
    faults: ['kill', 'cut'],
    workloads: [],
    limits: { retainBytes: 3 },
    skip: [0, 1, 2, 5],
    beyond: true,
  }
  const command = commandOf('s.1', said)
  t.equal(
    command,
    'npm run sim -- --replay s.1 --nodes 5 --fault-ms 100 --faults kill,cut --workloads none' +
      ' --limits retainBytes=3 --skip 0-2,5 --beyond',
  )
  const parts = command.split(' --').slice(2)
  const values = Object.fromEntries(parts.map(part => [part.split(' ')[0], part.split(' ')[1] ?? true]))
  t.same(saidBy(values), said, 'and is read back as it was')
})

t.test('what no world knows is refused', async t => {
  t.throws(() => saidBy({ faults: 'kill,thunder' }), { message: /thunder/ })
  t.throws(() => saidBy({ limits: 'depth=3' }), { message: /depth/ })
  t.throws(() => saidBy({ nodes: '4' }), { message: /not 4/ })
  t.same(saidBy({ limits: 'retainBytes=default' }), { limits: { retainBytes: limits.retainBytes } })
})
