/**
 * Decides a command against a view: the only place where anything is decided, and it runs on the leader only.
 *
 * Pure: no clock, no chance, no locale; the same command, view and context give the same facts. What it
 * decides is recorded as facts, which every replica takes without asking again (see evolve.ts).
 */
import { unreachable } from '../base/assert.js'
import { isSillokError, SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { entryBytes, type Fact } from '../codec/facts.js'
import type { Command, Decision } from './command.js'
import { decideBackfill, decideDropClaims, decideJudge } from './decide-build.js'
import { decideDefine, decideRebuildIndex, decideRetire } from './decide-define.js'
import { decideMetaFeed, decideOpenSession } from './decide-feed.js'
import { decideEndSessions, decideKeepAlive, decideRegister } from './decide-meta.js'
import { decideEnterNode, decideForgetNode, decideSetNodeRole } from './decide-nodes.js'
import { decideDropRequests, decideOutcome } from './decide-requests.js'
import { decideWrite } from './decide-write.js'
import { refuse } from './reply.js'
import { decideAcknowledge, decideSubscribe, decideUnsubscribe } from './subscriptions.js'
import type { DecideContext, View } from './view.js'

/** What to do about the command. A value that no constraint can take is a refusal like any other. */
export function decide(command: Command, view: View, context: DecideContext): Decision {
  try {
    const decision = dispatch(command, view, context)
    // A write looks by itself, before it keeps its reply.
    if (command.type !== 'write' && decision.type === 'entry') checkEntry(decision.facts)
    return decision
  } catch (error) {
    if (!isSillokError(error) || error.outcome !== 'not-applied') throw error
    return { type: 'answer', reply: refuse(error.code, error.message, error.details) }
  }
}

/** Throws TOO_LARGE. */
function checkEntry(facts: readonly Fact[]): void {
  const bytes = entryBytes(facts)
  if (bytes <= limits.entryBytesMax) return
  const what = `the change takes ${bytes} bytes of log, ${limits.entryBytesMax} allowed`
  throw new SillokError('TOO_LARGE', what, { details: { bytes } })
}

function dispatch(command: Command, view: View, context: DecideContext): Decision {
  switch (command.type) {
    case 'write':
      return decideWrite(command, view, context)
    case 'outcome':
      return decideOutcome(command, view, context)
    case 'dropRequests':
      return decideDropRequests(command, view, context)
    case 'openSession':
      return decideOpenSession(command, view, context)
    case 'metaFeed':
      return decideMetaFeed(command, view, context)
    case 'backfill':
      return decideBackfill(command, view, context)
    case 'judge':
      return decideJudge(command, view, context)
    case 'dropClaims':
      return decideDropClaims(command, view, context)
    case 'retireConstraint':
      return decideRetire(command, view, context)
    case 'subscribe':
      return decideSubscribe(command, view, context)
    case 'acknowledge':
      return decideAcknowledge(command, view, context)
    case 'unsubscribe':
      return decideUnsubscribe(command, view, context)
    case 'define':
      return decideDefine(command, view, context)
    case 'rebuildIndex':
      return decideRebuildIndex(command, view, context)
    case 'register':
      return decideRegister(command, view, context)
    case 'keepAlive':
      return decideKeepAlive(command, view, context)
    case 'endSessions':
      return decideEndSessions(command, view, context)
    case 'enterNode':
      return decideEnterNode(command, view, context)
    case 'setNodeRole':
      return decideSetNodeRole(command, view, context)
    case 'forgetNode':
      return decideForgetNode(command, view, context)
    default:
      return unreachable(command)
  }
}
