/** Every type of index keeps the laws of derived indexes. */
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { indexLaws } from '../../src/testing/index-laws.js'
import { testLaws } from '../../src/testing/law.js'
import { seed } from '../seed.js'
import { indexSubjects } from './index-subjects.js'
import { tapTest } from './tap-test.js'

t.comment(`SEED=${seed}`)

for (const [name, subject] of Object.entries(indexSubjects)) {
  testLaws(indexLaws, check => check(subject(new Random(`${seed} ${name}`))), tapTest(name))
}
