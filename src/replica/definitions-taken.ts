/** Waits for the definitions that meta has logged to count where the documents are. */
import type { LogIndex } from '../base/ids.js'
import type { MetaFeed } from './meta-feed.js'
import type { Partition } from './partition.js'
import { waitedOut } from './waited-out.js'

/** What is waited with. */
export interface DefinitionsParts {
  readonly meta: Partition
  readonly documents: Partition
  readonly feed: MetaFeed
  /** Another node may be the one that brings them. */
  readonly isMember: boolean
  /** Resolves when more than that is applied in the data partition. */
  readonly beyond: (applied: LogIndex) => Promise<void>
  readonly pause: () => Promise<void>
  /** The node closes, or has stopped. */
  readonly isOver: () => boolean
}

/** Resolves when every definition that was acknowledged before the call counts, and is seen here. */
export async function definitionsTaken(parts: DefinitionsParts): Promise<void> {
  const { meta, documents, feed, isMember, beyond, pause, isOver } = parts
  await meta.readable()
  if (!isMember) {
    const { applied } = meta
    return await waitedOut(() => feed.through(applied), pause, isOver)
  }
  for (;;) {
    await documents.readable()
    const { applied } = documents
    if (feed.areSchemasTaken) return
    await beyond(applied)
  }
}
