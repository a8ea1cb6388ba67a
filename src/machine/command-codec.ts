/**
 * Commands as bytes: those that a node may have to ask another one for, which leads the partition. Msgpack of
 * the command with its fields as in `command.ts`; keys of rows are bytes, what is undefined is left out.
 *
 * What is decoded has the shape of a command, every field in its range. That a document belongs to the row
 * that the command names was the business of who made it: a node of the same cluster.
 */
import { type Code, errorTable } from '../base/errors.js'
import { slotCount } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { packStrict, unpackStrict } from '../codec/msgpack.js'
import { keyBytes, keyText, type RowKey } from '../codec/row.js'
import { isPlainObject, type ValueLimits } from '../codec/value.js'
import * as schema from '../codec/wire-schema.js'
import type { Command, FeedPosition } from './command.js'
import { requestHashBytes } from './reply.js'
import { checkDefinition, type Definition } from './schema.js'

/** Those that only the leader of their partition comes upon are not among them. */
export const askedTypes = [
  'write',
  'outcome',
  'subscribe',
  'acknowledge',
  'unsubscribe',
  'define',
  'rebuildIndex',
  'retireConstraint',
  'register',
  'keepAlive',
  'endSessions',
  'openSession',
  'enterNode',
  'setNodeRole',
] as const satisfies readonly Command['type'][]

/** A command that can be asked for from elsewhere. */
export type AskedCommand = Extract<Command, { type: (typeof askedTypes)[number] }>

/** Of a whole command. */
const budget: ValueLimits = {
  depthMax: 16,
  elementsMax: 16 * limits.batchCommandsMax,
  bytesMax: limits.walBatchBytesMax - 64 * 1024,
}

/** Collection, slot, kind and the key's tuple: more than the longest row key of a document. */
const documentKeyBytesMax = limits.keyBytesMax + 64

/** `host:port`, of which a host name has at most 253 bytes; the name of a disk. */
const incarnationBytesMax = 64

/** True if it may be asked for from elsewhere. */
export function isAsked(command: Command): command is AskedCommand {
  return (askedTypes as readonly string[]).includes(command.type)
}

/** The command's bytes. TOO_LARGE if no message between nodes could hold them. */
export function encodeCommand(command: AskedCommand): Buffer {
  return packStrict(formOf(command), budget)
}

/** The command; shares no memory with the bytes. Throws INVALID or TOO_LARGE. */
export function decodeCommand(bytes: Buffer): AskedCommand {
  return schema.parse(command, unpackStrict(bytes, budget), 'a command')
}

function formOf(command: AskedCommand): object {
  if (command.type === 'define') return definedThroughout(command)
  if (command.type !== 'write') return defined(command)
  const { operations, ...rest } = command
  const forms = operations.map(({ made: _, key, ...operation }) => {
    return { ...defined(operation), key: keyBytes(key) }
  })
  return { ...defined(rest), operations: forms }
}

function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))
}

/** Also in what is nested: a definition is the caller's, and may name what it does not give. */
function definedThroughout(value: object): object {
  const inner = (field: unknown): unknown =>
    typeof field === 'object' && field !== null && isPlainObject(field) ? definedThroughout(field) : field
  return Object.fromEntries(Object.entries(defined(value)).map(([name, field]) => [name, inner(field)]))
}

/** What the shape takes, made into something else. */
function mapped<A, B>(inner: schema.Shape<A>, to: (value: A) => B): schema.Shape<B> {
  return (value, path) => to(inner(value, path))
}

function buffer(bytesMax: number): schema.Shape<Buffer> {
  return mapped(schema.bytes(bytesMax), one => Buffer.from(one.buffer, one.byteOffset, one.byteLength))
}

const id = schema.integer(1, Number.MAX_SAFE_INTEGER)
const name = schema.text(limits.nameBytesMax, 1)
const subscription = schema.text(limits.subscriptionNameBytesMax, 1)
const slot = schema.integer(0, slotCount - 1)
const hash = schema.shape(`${requestHashBytes} bytes`, (value): value is Uint8Array => {
  return value instanceof Uint8Array && value.length === requestHashBytes
})
const numbering = schema.literal('library', 'caller')
const rowKey: schema.Shape<RowKey> = mapped(schema.bytes(documentKeyBytesMax), keyText)
const requestId = schema.text(limits.requestIdBytesMax, 1)
const position: schema.Shape<FeedPosition> = schema.object({ index: schema.index(), count: schema.index() })
const answering = schema.list(id, limits.indexesPerCollectionMax)

const mark = schema.object({
  session: id,
  epoch: schema.index(),
  sequence: id,
  lowWater: schema.index(),
  numbering,
  slot,
  hash: mapped(hash, one => Buffer.from(one)),
})

const request = schema.object({
  id: requestId,
  slot,
  hash: mapped(hash, one => Buffer.from(one)),
  isRetriedOnConflict: schema.optional(schema.boolean()),
})

const operation = schema.object({
  op: schema.literal('insert', 'put', 'delete', 'check'),
  collection: id,
  key: rowKey,
  document: schema.optional(buffer(limits.documentBytesMax)),
  ifVersion: schema.optional(schema.nullable(schema.index())),
})

const refusedOperation = schema.object({
  at: schema.integer(0, limits.batchCommandsMax - 1),
  code: schema.literal(...(Object.keys(errorTable) as Code[])),
  message: schema.text(limits.batchCommandBytesMax),
  details: schema.record(),
})

const write = schema.object({
  type: schema.literal('write'),
  operations: schema.list(operation, limits.batchCommandsMax),
  isEach: schema.optional(schema.boolean()),
  refused: schema.optional(schema.list(refusedOperation, limits.batchCommandsMax)),
  mark: schema.optional(mark),
  request: schema.optional(request),
})

const outcome = schema.object({
  type: schema.literal('outcome'),
  id: requestId,
  slot,
  hash: schema.optional(mapped(hash, one => Buffer.from(one))),
  fence: schema.boolean(),
})

const define = schema.object({
  type: schema.literal('define'),
  name,
  definition: schema.record(),
  drop: schema.boolean(),
  answering: schema.optional(answering),
})

const register = schema.object({
  type: schema.literal('register'),
  nonce: schema.text(limits.requestIdBytesMax, 1),
  name: schema.optional(schema.text(limits.sessionNameBytesMax, 1)),
  numbering,
  input: schema.optional(schema.text(limits.sessionInputBytesMax)),
  issuedAt: schema.index(),
})

const node = schema.integer(1, limits.nodeIdMax)
const enterNode = schema.object({
  type: schema.literal('enterNode'),
  node,
  address: schema.text(limits.addressBytesMax, 1),
  incarnation: schema.text(incarnationBytesMax, 1),
  holds: schema.nullable(id),
  role: schema.literal('voter', 'learner'),
})

const sessions = schema.list(
  schema.shape('a session and its epoch', (value): value is [number, number] => {
    return (
      Array.isArray(value) && value.length === 2 && value.every(one => Number.isSafeInteger(one) && one >= 0)
    )
  }),
  limits.sessionsMax,
)

const command: schema.Shape<AskedCommand> = schema.union('type', {
  write: mapped(write, given => ({ mark: undefined, ...given })),
  outcome,
  subscribe: schema.object({ type: schema.literal('subscribe'), name: subscription, start: position }),
  acknowledge: schema.object({
    type: schema.literal('acknowledge'),
    name: subscription,
    epoch: schema.index(),
    position,
  }),
  unsubscribe: schema.object({ type: schema.literal('unsubscribe'), name: subscription }),
  define: mapped(define, given => {
    const definition: Definition = checkDefinition(given.name, given.definition)
    return { ...given, definition }
  }),
  rebuildIndex: schema.object({
    type: schema.literal('rebuildIndex'),
    name,
    index: name,
    answering,
  }),
  retireConstraint: schema.object({ type: schema.literal('retireConstraint'), collection: id, by: id }),
  register: mapped(register, given => ({ name: undefined, input: undefined, ...given })),
  keepAlive: schema.object({ type: schema.literal('keepAlive'), sessions }),
  endSessions: schema.object({
    type: schema.literal('endSessions'),
    sessions,
    closed: schema.boolean(),
  }),
  openSession: schema.object({
    type: schema.literal('openSession'),
    session: id,
    epoch: schema.index(),
    numbering,
    metaIndex: schema.index(),
  }),
  enterNode,
  setNodeRole: schema.object({
    type: schema.literal('setNodeRole'),
    node,
    role: schema.literal('voter', 'learner', 'none'),
  }),
})
