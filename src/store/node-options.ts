/** What `open` is told of a node that is one of several. */
import { limits } from '../base/limits.js'
import { addressParts } from '../env/network.js'
import { invalid, show, unknownOption } from './check-options.js'

/**
 * The store is a node of a cluster. An empty folder needs `init` or `join`; at later starts the node knows
 * its cluster, and says where it listens now. A store that was embedded so far becomes node 1 of a new
 * cluster.
 */
export interface NodeOptions {
  /**
   * The number of the node, 1 to `limits.nodeIdMax`: it stays when its disk is lost and another one comes.
   */
  readonly id: number
  /**
   * `host:port` where it listens, as the other nodes can reach it. Whoever reaches it can read and write
   * everything: an address of this machine alone (loopback), unless `insecure`.
   */
  readonly listen: string
  /**
   * Nodes of the cluster, `host:port`: an empty folder joins it, through any that answers. Under the number
   * of a node that is gone it takes that one's place.
   */
  readonly join?: readonly string[] | undefined
  /**
   * An empty folder begins a cluster. To be given once: where a disk is lost, the cluster lives elsewhere.
   */
  readonly init?: boolean | undefined
  /**
   * What a new node is to be: one that votes, when it has caught up (the default), or one that only has all.
   */
  readonly role?: 'voter' | 'learner' | undefined
  /** Listens at any address. Nothing is encrypted, and nobody is asked who he is. */
  readonly insecure?: boolean | undefined
}

const allowed = new Set(['id', 'listen', 'join', 'init', 'role', 'insecure'])

/** Throws INVALID for what is no node. */
export function checkNode(node: unknown): void {
  if (node === undefined) return
  if (typeof node !== 'object' || node === null) {
    throw invalid(`node must be { id, listen, join }, not ${show(node)}`)
  }
  const unknown = unknownOption(node, allowed)
  if (unknown !== undefined) throw unknown
  const { id, listen, join = [], init, role, insecure } = node as Record<keyof NodeOptions, unknown>
  if (!Number.isSafeInteger(id) || (id as number) < 1 || (id as number) > limits.nodeIdMax) {
    throw invalid(`node.id must be a whole number from 1 to ${limits.nodeIdMax}, not ${show(id)}`)
  }
  for (const [name, flag] of Object.entries({ init, insecure })) {
    if (flag !== undefined && typeof flag !== 'boolean') {
      throw invalid(`node.${name} must be true or false, not ${show(flag)}`)
    }
  }
  if (role !== undefined && role !== 'voter' && role !== 'learner') {
    throw invalid(`node.role must be voter or learner, not ${show(role)}`)
  }
  checkListen(listen, insecure === true)
  if (!Array.isArray(join)) throw invalid(`node.join must be a list of addresses, not ${show(join)}`)
  for (const address of join) checkAddress('join', address)
}

function checkListen(listen: unknown, mayBeSeen: boolean): void {
  const { host, port } = checkAddress('listen', listen)
  if (port === 0) throw invalid('node.listen needs a port: the other nodes must find it again')
  if (mayBeSeen || /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/.test(host)) return
  const why = 'whoever reaches it can read and write everything'
  throw invalid(
    `node.listen: ${host} is not an address of this machine alone, and ${why}: give insecure to allow it`,
  )
}

function checkAddress(name: string, address: unknown): ReturnType<typeof addressParts> {
  const what = `node.${name} must be host:port`
  if (typeof address !== 'string') throw invalid(`${what}, not ${show(address)}`)
  if (Buffer.byteLength(address) > limits.addressBytesMax)
    throw invalid(`${what}: ${address.length} characters`)
  try {
    return addressParts(address)
  } catch (error) {
    if (error instanceof RangeError) throw invalid(`${what}, not ${show(address)}`)
    throw error
  }
}
