/**
 * Writes documents and follows their changes under a name, as a process to be killed: prints what it was
 * told, and what it acknowledged.
 *
 *   node feed-program.js FOLDER SEED write|end
 */
import { Random } from '../../src/base/random.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import type { Change } from '../../src/index.js'
import type { BatchStep } from '../../src/store/options.js'
import { Store } from '../../src/store/store.js'
import { smallLimits } from './kill-world.js'
import { writeLine } from './protocol.js'

const [folder = '', seed = '', mode] = process.argv.slice(2)
const random = new Random(seed)
const limits = smallLimits as unknown as Parameters<typeof Store.open>[3]
const store = await Store.open(realEnvironment(), folder, {}, limits)
await store.define('items', { key: 'id' })

/** One line, written at once: it survives a kill. */
function tell(line: object): void {
  writeLine(1, line)
}

const brief = ({ position, key, op, version }: Change): readonly unknown[] => [position, key, op, version]

async function write(): Promise<never> {
  const steps = (): BatchStep[] =>
    Array.from({ length: 1 + random.below(5) }, () => {
      const id = random.below(500)
      return random.chance(0.2)
        ? { delete: id, in: 'items' }
        : { put: { id, text: 'x'.repeat(random.below(400)) }, in: 'items' }
    })
  for (;;) await store.batch(steps())
}

async function follow(): Promise<void> {
  const feed = store.changes({ name: 'reader', from: 'start' })
  for await (const changes of feed.batches()) {
    tell({ got: changes.map(brief) })
    if (random.chance(0.4)) continue
    const position = random.pick(changes).position
    tell({ acknowledges: position })
    await feed.acknowledge(position)
    tell({ acknowledged: position })
  }
}

/** All changes there are; one more tells where they end. */
async function tellAll(): Promise<void> {
  await store.collection('items').put({ id: 'end' })
  const all: (readonly unknown[])[] = []
  for await (const change of store.changes({ from: 'start' })) {
    if (change.key === 'end') break
    all.push(brief(change))
  }
  tell({ all })
  const rest = store.changes({ name: 'reader' })
  for await (const changes of rest.batches()) {
    tell({ got: changes.filter(({ key }) => key !== 'end').map(brief) })
    if (changes.at(-1)?.key === 'end') break
  }
  await store.close()
}

if (mode === 'end') await tellAll()
else await Promise.all([...Array.from({ length: 8 }, write), follow()])
