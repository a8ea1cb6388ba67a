/** A store that cannot be made for want of space is let go: the next opening is not kept from it. */
import t from 'tap'
import { seed } from '../../seed.js'
import { folder, World } from './world.js'

t.comment(`SEED=${seed}`)

t.test('there was no room for the first row of a store that is made anew', async t => {
  const world = new World(seed)
  await world.clock.run(async () => {
    await world.open()
    world.write(50)
    await world.state.checkpoint(world.record, { force: true })
    world.machine.crash('all')
    await world.machine.restart().disk.remove(folder)
    world.full = true
    await t.rejects(world.open(), { code: 'DISK_FULL' })
    world.full = false
    await world.open()
    t.ok(world.rebuilt, 'it is made anew')
    await world.compare(t, 'when there is room again')
    await world.state.close()
  })
})
