/** Pins: who holds the log, from where on, and for how many bytes. */
import t from 'tap'
import { type PinPlace, Pins } from '../../../src/replica/pins.js'
import { SimClock } from '../../../src/sim/sim-clock.js'

/** A log of ten bytes an entry, from `firstIndex` through entry 100. */
class TenBytesEach {
  firstIndex = 1

  bytesAfter(index: number): number {
    return 10 * (100 - Math.max(index, this.firstIndex - 1))
  }
}

const at = (position: number, kind: PinPlace['kind'] = 'feed'): PinPlace => {
  return { kind, owner: `${kind} at ${position}`, position }
}

function pinsOf(log: TenBytesEach): Pins {
  return new Pins(new SimClock(), log)
}

t.test('who stands right before the first entry that is there is not left behind', async t => {
  const log = new TenBytesEach()
  const pins = pinsOf(log)
  t.strictSame(
    pins.look([at(0)], 50).map(({ isBroken, heldBytes }) => [isBroken, heldBytes]),
    [[false, 500]],
    'nobody cut the log yet',
  )
  log.firstIndex = 41
  const found = pins.look([at(39), at(40), at(41), at(60)], 50)
  t.strictSame(
    found.map(({ position, isBroken, heldBytes }) => [position, isBroken, heldBytes]),
    [
      [39, true, 0],
      [40, false, 100],
      [41, false, 90],
      [60, false, 0],
    ],
  )
  t.equal(pins.lowest(found, 50, 1e9), 40, 'what it needs next stays')
})

t.test('of those over the budget one kind is broken at a time', async t => {
  const pins = pinsOf(new TenBytesEach())
  const places = [at(10, 'feed'), at(5, 'index'), at(20, 'member'), at(30, 'member')]
  const found = pins.look(places, 50)
  t.equal(pins.lowest(found, 50, 1000), 5, 'nobody is over it')
  t.equal(pins.lowest(found, 50, 400), 10, 'the index is, by far')
  t.equal(pins.lowest(found, 50, 250), 5, 'a member first: the others are looked at again')
  t.equal(pins.lowest([], 50, 0), 50)
})
