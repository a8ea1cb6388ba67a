/**
 * What replicas say to each other, as bytes: one frame (see codec/frame) is one message. Its kind says which,
 * its stream is the partition, and its body begins with
 *
 *   0  u64 from   replica that sends it, from 1
 *   8  u64 to     replica that it is for, from 1; another one
 *  16  u64 term   of the sender, or the one it asks about; from 1, but in the answer to a vote
 *
 * and goes on, by kind, with numbers (u64, at most 2^53 - 1) and flags (u8, 0 or 1; marked ?):
 *
 *   1 append            previousIndex previousTerm commit, then the entries as their proposers made them
 *   2 appended          index
 *   3 appendRejected    index hintIndex hintTerm
 *   4 heartbeat         commit round
 *   5 heartbeatAnswer   round isRecovering? recovering (0 unless recovering)
 *   6 voteRequest       pre? lastIndex lastTerm transfer? committed.index committed.term
 *   7 voteAnswer        pre? granted? committed.index committed.term
 *   8 installSnapshot   index term configurationIndex autoLeave?, then voters, outgoing, learners,
 *                       learnersNext: u16 count and ids each
 *   9 readRequest       run token
 *  10 readAnswer        run token index
 *  11 transferRequest   transferee
 *  12 campaignNow       nothing
 *
 * All little-endian, no padding; kinds never get another meaning (0 is the hello, see hello.ts). A message
 * has one form, and what comes back is whole: every number, flag and length was checked, and the entries of
 * an append follow each other and what it says came before them. So what is decoded may be stepped into Raft.
 */
import { assert, unreachable } from '../base/assert.js'
import { decodeEntry, type Entry } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { decodeFrame, frameHeadBytes, messageBodyBytesMax, sealFrame } from '../codec/frame.js'
import { type Configuration, faultOf } from '../raft/configuration.js'
import type { Append, PeerMessage, Place, Snapshot } from '../raft/messages.js'
import { FieldReader, FieldWriter } from './message-fields.js'

/** A message of a replica, and the partition that it belongs to. */
export interface PartitionMessage {
  readonly partition: PartitionId
  readonly message: PeerMessage
}

const kinds = {
  append: 1,
  appended: 2,
  appendRejected: 3,
  heartbeat: 4,
  heartbeatAnswer: 5,
  voteRequest: 6,
  voteAnswer: 7,
  installSnapshot: 8,
  readRequest: 9,
  readAnswer: 10,
  transferRequest: 11,
  campaignNow: 12,
} as const satisfies Record<PeerMessage['type'], number>

/** Bytes of from, to and term. */
const betweenBytes = 24

/** Bytes of the fixed fields behind those. */
const fixedBytes = {
  append: 24,
  appended: 8,
  appendRejected: 24,
  heartbeat: 16,
  heartbeatAnswer: 17,
  voteRequest: 34,
  voteAnswer: 18,
  installSnapshot: 33,
  readRequest: 16,
  readAnswer: 24,
  transferRequest: 8,
  campaignNow: 0,
} as const satisfies Record<PeerMessage['type'], number>

/** The frame of the message; the bytes of its entries are copied into it. */
export function encodePeerMessage(partition: PartitionId, message: PeerMessage): Buffer {
  const { type, from, to, term } = message
  const bodyBytes = betweenBytes + fixedBytes[type] + variableBytes(message)
  assert(bodyBytes <= messageBodyBytesMax, () => `a message (${type}) of ${bodyBytes} bytes`)
  const writer = new FieldWriter(Buffer.allocUnsafe(frameHeadBytes + bodyBytes), frameHeadBytes)
  writer.index(from)
  writer.index(to)
  writer.index(term)
  writeFields(writer, message)
  writer.end()
  return sealFrame(writer.bytes, kinds[type], partition)
}

/**
 * The message that the frame is, whole; its entries' bytes are views of `bytes`. DAMAGED if a checksum does
 * not hold, TOO_LARGE if it is longer than any message may be, INVALID if it says what cannot be.
 */
export function decodePeerMessage(bytes: Buffer): PartitionMessage {
  const { kind, stream, body } = decodeFrame(bytes, messageBodyBytesMax)
  const reader = new FieldReader(body)
  const message = readMessage(kind, reader, stream)
  reader.end()
  return { partition: stream, message }
}

function variableBytes(message: PeerMessage): number {
  let bytes = 0
  if (message.type === 'append') for (const entry of message.entries) bytes += entry.bytes.length
  if (message.type === 'installSnapshot') {
    for (const list of listsOf(message.snapshot.configuration)) bytes += 8 * list.length
  }
  return bytes
}

function writeFields(writer: FieldWriter, message: PeerMessage): void {
  switch (message.type) {
    case 'append':
      writer.index(message.previousIndex)
      writer.index(message.previousTerm)
      writer.index(message.commit)
      for (const entry of message.entries) writer.copy(entry.bytes)
      break
    case 'appended':
      writer.index(message.index)
      break
    case 'appendRejected':
      writer.index(message.index)
      writer.index(message.hintIndex)
      writer.index(message.hintTerm)
      break
    case 'heartbeat':
      writer.index(message.commit)
      writer.index(message.round)
      break
    case 'heartbeatAnswer':
      writer.index(message.round)
      writer.flag(message.recovering !== undefined)
      writer.index(message.recovering ?? 0)
      break
    case 'voteRequest':
      writer.flag(message.pre)
      writer.index(message.lastIndex)
      writer.index(message.lastTerm)
      writer.flag(message.transfer)
      writePlace(writer, message.committed)
      break
    case 'voteAnswer':
      writer.flag(message.pre)
      writer.flag(message.granted)
      writePlace(writer, message.committed)
      break
    case 'installSnapshot':
      writeSnapshot(writer, message.snapshot)
      break
    case 'readRequest':
    case 'readAnswer':
      writer.index(message.run)
      writer.index(message.token)
      if (message.type === 'readAnswer') writer.index(message.index)
      break
    case 'transferRequest':
      writer.index(message.transferee)
      break
    case 'campaignNow':
      break
    default:
      unreachable(message)
  }
}

// Fields of an object are evaluated in their order here: that of the bytes.
function readMessage(kind: number, reader: FieldReader, partition: PartitionId): PeerMessage {
  const from = reader.index(1)
  const to = reader.index(1)
  // Who has not seen any term yet refuses a pre-vote in term 0.
  const term = reader.index(kind === kinds.voteAnswer ? 0 : 1)
  // What a replica says to itself speaks for its disk: that comes from nowhere else.
  if (from === to) throw new SillokError('INVALID', `a message of replica ${from} to itself`)
  const between = { from, to, term }
  switch (kind) {
    case kinds.append:
      return readAppend(reader, between, partition)
    case kinds.appended:
      return { type: 'appended', ...between, index: reader.index() }
    case kinds.appendRejected: {
      const type = 'appendRejected'
      return { type, ...between, index: reader.index(), hintIndex: reader.index(), hintTerm: reader.index() }
    }
    case kinds.heartbeat:
      return { type: 'heartbeat', ...between, commit: reader.index(), round: reader.index() }
    case kinds.heartbeatAnswer:
      return { type: 'heartbeatAnswer', ...between, round: reader.index(), recovering: readOptional(reader) }
    case kinds.voteRequest:
      return {
        type: 'voteRequest',
        ...between,
        pre: reader.flag(),
        lastIndex: reader.index(),
        lastTerm: reader.index(),
        transfer: reader.flag(),
        committed: readPlace(reader),
      }
    case kinds.voteAnswer: {
      const type = 'voteAnswer'
      return { type, ...between, pre: reader.flag(), granted: reader.flag(), committed: readPlace(reader) }
    }
    case kinds.installSnapshot:
      return { type: 'installSnapshot', ...between, snapshot: readSnapshot(reader, term) }
    case kinds.readRequest:
      return { type: 'readRequest', ...between, run: reader.index(), token: reader.index() }
    case kinds.readAnswer: {
      const type = 'readAnswer'
      return { type, ...between, run: reader.index(), token: reader.index(), index: reader.index() }
    }
    case kinds.transferRequest:
      return { type: 'transferRequest', ...between, transferee: reader.index(1) }
    case kinds.campaignNow:
      return { type: 'campaignNow', ...between }
    default:
      throw new SillokError('INVALID', `a frame of kind ${kind} is no message of a replica`)
  }
}

function readAppend(
  reader: FieldReader,
  between: Pick<Append, 'from' | 'to' | 'term'>,
  partition: PartitionId,
): Append {
  const previousIndex = reader.index()
  const previousTerm = reader.index()
  const commit = reader.index()
  const entries: Entry[] = []
  let [index, term] = [previousIndex, previousTerm]
  if (term > between.term) throw misfit(`term ${term} before it`, between.term)
  const bytes = reader.rest()
  for (let at = 0; at < bytes.length; ) {
    const entry = decodeEntry(bytes, at)
    if (entry === undefined) throw new SillokError('DAMAGED', `an append's entry after ${index} is not whole`)
    const what = `entry ${entry.index}/${entry.term} of partition ${entry.partition} after ${index}/${term}`
    const follows = entry.index === index + 1 && Number.isSafeInteger(entry.index)
    // A term is between two that are in range, so it is.
    const fits = follows && entry.term >= Math.max(term, 1) && entry.term <= between.term
    if (!fits || entry.partition !== partition) throw misfit(what, between.term)
    entries.push(entry)
    index = entry.index
    term = entry.term
    at += entry.bytes.length
  }
  return { type: 'append', ...between, previousIndex, previousTerm, entries, commit }
}

function misfit(what: string, term: number): SillokError {
  return new SillokError('INVALID', `an append of term ${term} has ${what}`)
}

function readOptional(reader: FieldReader): number | undefined {
  const isThere = reader.flag()
  const value = reader.index()
  if (!isThere && value !== 0) throw new SillokError('INVALID', `${value} where there is nothing to say`)
  return isThere ? value : undefined
}

function writePlace(writer: FieldWriter, { index, term }: Place): void {
  writer.index(index)
  writer.index(term)
}

function readPlace(reader: FieldReader): Place {
  return { index: reader.index(), term: reader.index() }
}

function listsOf({ voters, outgoing, learners, learnersNext }: Configuration): (readonly number[])[] {
  return [voters, outgoing, learners, learnersNext]
}

function writeSnapshot(writer: FieldWriter, snapshot: Snapshot): void {
  writePlace(writer, snapshot)
  writer.index(snapshot.configurationIndex)
  writer.flag(snapshot.configuration.autoLeave)
  for (const list of listsOf(snapshot.configuration)) writer.indexes(list)
}

function readSnapshot(reader: FieldReader, termMax: number): Snapshot {
  const index = reader.index(1)
  const term = reader.index(1)
  const configurationIndex = reader.index()
  const autoLeave = reader.flag()
  const list = (): number[] => reader.ids(limits.groupReplicasMax)
  const configuration = {
    voters: list(),
    outgoing: list(),
    learners: list(),
    learnersNext: list(),
    autoLeave,
  }
  const fault = faultOf(configuration)
  if (fault !== undefined) throw new SillokError('INVALID', `a snapshot's configuration: ${fault}`)
  if (term > termMax || configurationIndex > index) {
    const what = `at ${index}/${term} with the configuration of ${configurationIndex}`
    throw new SillokError('INVALID', `a snapshot ${what} in term ${termMax}`)
  }
  return { index, term, configuration, configurationIndex }
}
