/** The laws of derived indexes find a type that breaks one of them. */
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { indexLaws } from '../../src/testing/index-laws.js'
import { seed } from '../seed.js'
import { indexMutants } from './index-mutants.js'
import { ofTags } from './index-subjects.js'
import { checkMutants } from './mutants.js'
import { tagType } from './tag-type.js'

t.comment(`SEED=${seed}`)

t.test('each law of indexes finds the types that break it', async t => {
  await checkMutants(t, indexLaws, indexMutants, tagType, (type, check) =>
    check({ ...ofTags(new Random(seed)), type }),
  )
})
