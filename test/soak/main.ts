/**
 * `npm run soak -- <verb> --count N --seed S`: the long forms of the process tests; one line of figures, or
 * the fault.
 */
import { parseArgs } from 'node:util'
import { limits } from '../../src/base/limits.js'
import { killBuild } from '../process/build-world.js'
import { killConstraint } from '../process/constraint-kills.js'
import { DamageWorld } from '../process/damage-world.js'
import { killFeed } from '../process/feed-world.js'
import { IndexWorld } from '../process/index-world.js'
import { type KillReport, KillWorld } from '../process/kill-world.js'
import { measureOpen } from '../process/open-time.js'
import { ResumeWorld } from '../process/resume-world.js'
import { fillRing } from '../process/ring.js'
import { damageAcknowledged, tearLast } from '../process/torn-forms.js'
import { VerifyWorld, verifyKilled } from '../process/verify-world.js'
import { WholeWorld } from '../sim/whole-world.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
  },
})

/** What each verb is told. */
interface Asked {
  readonly seed: string
  readonly count: number | undefined
  /** Stop early, after the step that is under way. */
  readonly endMs: number
}

const killsPerWorld = 25

async function kills({ seed, count = 300, endMs }: Asked): Promise<object> {
  const total: Record<string, number> = {}
  const during: Record<string, number> = {}
  let left = count
  for (let world = 0; left > 0 && Date.now() < endMs; world++) {
    const killsHere = Math.min(left, killsPerWorld)
    const own = world === 0 ? seed : `${seed}.${world}`
    const options = { seed: own, kills: killsHere, small: world % 2 === 0 }
    const report: KillReport = await new KillWorld(options).run()
    for (const [name, value] of Object.entries(report)) {
      if (typeof value === 'number') total[name] = (total[name] ?? 0) + value
    }
    for (const [phase, times] of Object.entries(report.during)) during[phase] = (during[phase] ?? 0) + times
    left -= killsHere
    console.log(JSON.stringify({ world: own, ...report }))
  }
  return { ...total, during }
}

async function damage({ seed, count = 500 }: Asked): Promise<object> {
  const world = new DamageWorld(seed)
  await world.prepare()
  await world.flip('log', count)
  console.log(JSON.stringify({ logBits: count, ...world.report }))
  await world.flip('table', count)
  console.log(JSON.stringify({ tableBits: count, ...world.report }))
  const cuts = Math.ceil(count / 5)
  await world.cutManifest(cuts)
  world.remove()
  return { logBits: count, tableBits: count, manifestCuts: cuts, ...world.report }
}

async function torn({ seed }: Asked): Promise<object> {
  const report: Record<string, unknown> = {}
  for (const kind of ['small', 'large', 'opening'] as const) report[kind] = await tearLast(seed, kind, 1)
  for (const follower of ['witness', 'batch', 'close'] as const) {
    report[`refused before ${follower}`] = await damageAcknowledged(seed, follower, 1)
    report[`refused before ${follower}, opening`] = await damageAcknowledged(seed, follower, 1, true)
  }
  return report
}

async function indexes({ seed, count = 20 }: Asked): Promise<object> {
  const report: Record<string, unknown> = {}
  const run = async (name: string, work: (world: IndexWorld) => Promise<object>): Promise<void> => {
    const world = new IndexWorld(`${seed}/${name}`)
    report[name] = await work(world)
    world.remove()
    console.log(JSON.stringify({ [name]: report[name] }))
  }
  await run('deleted', world => world.deleteFolders(count))
  await run('flipped', world => world.flipBits(10 * count))
  await run('found', world => world.insertAndFind(500 * count))
  return report
}

async function build({ count = 5 }: Asked): Promise<object> {
  return await killBuild(count, 1000)
}

async function constraint({ count = 5 }: Asked): Promise<object> {
  return await killConstraint(count, 1000)
}

async function feed({ seed, count = 200 }: Asked): Promise<object> {
  return await killFeed(seed, count)
}

async function resume({ seed, count = 20 }: Asked): Promise<object> {
  return await new ResumeWorld(seed).run(count)
}

async function ring({ count = 64 }: Asked): Promise<object> {
  return await fillRing(count, limits.walFileBytesEmbedded, 60_000)
}

async function open({ seed, count = 1_000_000 }: Asked): Promise<object> {
  return await measureOpen(seed, count, 5)
}

async function verify({ seed, count = 300 }: Asked): Promise<object> {
  const world = new VerifyWorld(seed)
  try {
    const { counts } = await world.prepare()
    const report = await world.run(count)
    console.log(JSON.stringify({ ...counts, ...report }))
    return { ...counts, ...report, killed: await verifyKilled(seed, Math.ceil(count / 10)) }
  } finally {
    world.remove()
  }
}

/** Crashes of the world of everything at once. */
async function whole({ seed, count = 300, endMs }: Asked): Promise<object> {
  const total: Record<string, number> = {}
  for (let world = 0; (total['crashed'] ?? 0) < count && Date.now() < endMs; world++) {
    const report = await new WholeWorld(`${seed}.${world}`).run(20)
    for (const [name, times] of Object.entries(report)) total[name] = (total[name] ?? 0) + times
  }
  return total
}

const verbs: Readonly<Record<string, (asked: Asked) => Promise<object>>> = {
  kills,
  damage,
  torn,
  resume,
  indexes,
  build,
  constraint,
  feed,
  ring,
  open,
  verify,
  whole,
}

async function main(): Promise<void> {
  const [name = ''] = positionals
  const verb = verbs[name]
  if (verb === undefined) throw new Error(`npm run soak -- <${Object.keys(verbs).join('|')}>`)
  const seed = values.seed ?? String(Date.now() % 1e6)
  const count = values.count === undefined ? undefined : Number(values.count)
  const endMs =
    values.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.minutes) * 60_000
  const again = `npm run soak -- ${name} --seed ${seed}${count === undefined ? '' : ` --count ${count}`}`
  console.log(`seed ${seed}; again: ${again}`)
  const beganMs = Date.now()
  try {
    const figures = await verb({ seed, count, endMs })
    console.log(JSON.stringify({ verb: name, seed, ...figures, seconds: (Date.now() - beganMs) / 1000 }))
  } catch (error) {
    console.error(error)
    console.error(`again: ${again}`)
    process.exit(1)
  }
}

void main()
