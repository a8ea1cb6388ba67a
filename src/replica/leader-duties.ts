/**
 * The work that a node does for the partitions that it leads: what meta says is brought to the data
 * partition, sessions and request ids that are over are ended, constraints are built, the groups are brought
 * to what the register of nodes says.
 *
 * All of it is proposed, and decided in the order of the log: two nodes that both believe to lead find each
 * other's work done. A node that no longer leads leaves it: what it was at fails, and is not missed.
 */
import { metaPartition, type PartitionId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { BackgroundPace } from '../derived/background-pace.js'
import type { Clock } from '../env/clock.js'
import { ConstraintBuilds } from './constraint-builds.js'
import type { ReadEntries } from './index-source.js'
import { MetaFeed } from './meta-feed.js'
import type { NodeDirectory } from './node-directory.js'
import type { Partition } from './partition.js'
import { dataPartition } from './partition-folders.js'
import { Regrouping } from './regrouping.js'
import { RequestExpiry } from './request-expiry.js'
import type { SessionDirectory } from './session-directory.js'

/** What the duties are done with. */
export interface LeaderDutiesOptions {
  readonly clock: Clock
  readonly meta: Partition
  readonly data: Partition
  readonly sessions: SessionDirectory
  readonly nodes: NodeDirectory
  readonly limits: Limits
  readonly pace: BackgroundPace
  /** Meta's applied entries. */
  readonly read: ReadEntries
  /** Takes on work whose failure may be one of the node. */
  readonly background: (work: Promise<void>, partition: PartitionId) => void
  /** Told of each failed try of a build or drop. */
  readonly buildFailed: ConstructorParameters<typeof ConstraintBuilds>[0]['failed']
}

/** The duties of one node with meta and one data partition. */
export class LeaderDuties {
  readonly feed: MetaFeed
  readonly builds: ConstraintBuilds
  readonly #options: LeaderDutiesOptions
  readonly #requests: RequestExpiry
  readonly #regrouping: Regrouping

  constructor(options: LeaderDutiesOptions) {
    const { meta, data: target, limits, read, background, buildFailed } = options
    this.#options = options
    this.feed = new MetaFeed({ meta, target, read, background: run => background(run, metaPartition) })
    this.#requests = new RequestExpiry(target, limits)
    const partitions = [meta, target]
    this.#regrouping = new Regrouping({ meta, directory: options.nodes, partitions, background })
    this.builds = new ConstraintBuilds({
      ...options,
      background: work => background(work, dataPartition),
      failed: buildFailed,
    })
  }

  /** More is applied there. */
  applied(partition: PartitionId): void {
    if (partition === metaPartition) this.feed.notify()
    else this.builds.notify()
  }

  /** Goes on with what could not be done, or came with leadership. */
  tick(): void {
    this.feed.remind()
    this.builds.notify()
    this.#regrouping.tick()
  }

  /** Ends what is over by the log time of its partition. */
  expire(): void {
    const { meta, data: documents, sessions, background } = this.#options
    if (meta.leads) background(sessions.expire(), metaPartition)
    if (documents.leads) background(this.#requests.expire(), dataPartition)
  }

  /** Nothing more is begun. */
  stop(): void {
    this.builds.stop()
  }
}
