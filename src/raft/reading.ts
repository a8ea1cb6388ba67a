/**
 * Reads through the leader: local and forwarded ones, their rounds, and the lease (thesis 6.4).
 *
 * Every read that is asked for here is answered here, with an index or without: at the latest when its
 * leader changes, or after an election timeout in which nobody answered.
 */
import type { Core } from './core.js'
import type { ReadAnswer } from './messages.js'
import type { ReadOrigin } from './reads.js'
import type { Leader } from './role.js'

/** Asks for a read index; undefined if no leader is known, or too many reads wait. */
export function askToRead(core: Core): number | undefined {
  const { role, leader, openReads, options } = core
  if (leader === 0 || openReads.count >= options.readsMax) return undefined
  const token = openReads.open(core.ticks)
  const { run } = core
  if (role.name === 'leader') admit(core, role, { from: core.id, run, token })
  else core.send(leader, { type: 'readRequest', run, token })
  return token
}

/** Answers at once, if the lease holds: a quorum has promised to elect nobody else until it ends. */
export function askToReadByLease(core: Core): number | undefined {
  const { role, openReads } = core
  if (!holdsLease(core) || role.name !== 'leader') return undefined
  const token = openReads.open(core.ticks)
  core.answerRead(token, core.log.commit)
  return token
}

/** Another member asks this leader. Beyond the limit it gets no answer, and asks again after its timeout. */
export function takeReadRequest(core: Core, leader: Leader, origin: ReadOrigin): void {
  if (leader.reads.count < core.options.readsMax) admit(core, leader, origin)
}

/** The leader answers a read of this replica. */
export function takeReadAnswer(core: Core, { run, token, index }: ReadAnswer): void {
  if (run === core.run) core.answerRead(token, index)
}

/** Answers the reads whose round a quorum has answered. */
export function answerConfirmedReads(core: Core, leader: Leader): void {
  for (const { from, run, token, index } of leader.reads.confirmed(core.configuration, core.id)) {
    if (from === core.id) core.answerRead(token, index)
    else core.send(from, { type: 'readAnswer', run, token, index })
  }
}

/** Forwarded reads that nobody answered for an election timeout are dropped. */
export function dropOldReads(core: Core): void {
  for (const token of core.openReads.closeBefore(core.ticks - core.options.electionTicks)) {
    core.outbox.readStates.push({ token, index: undefined })
  }
}

function admit(core: Core, leader: Leader, origin: ReadOrigin): void {
  if (core.log.commit < leader.termStart) leader.reads.defer(origin)
  else leader.reads.ask(origin, core.log.commit)
}

/**
 * The lease runs from when the round that a quorum confirmed had left, for the time in which those who
 * answered elect nobody else, less a fifth for clocks that differ.
 */
function holdsLease(core: Core): boolean {
  const { role, options, log } = core
  if (!options.leaseReads || role.name !== 'leader' || role.leaseForfeited) return false
  if (role.transferee !== 0 || log.commit < role.termStart) return false
  if (core.isSoleVoter) return true
  const { confirmedTick } = role.reads
  const lengthTicks = options.electionTicks - Math.ceil(options.electionTicks / 5)
  return confirmedTick !== undefined && role.ticks - confirmedTick < lengthTicks
}
