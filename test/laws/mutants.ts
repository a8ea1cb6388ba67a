/** What a law must find. */
import { AssertionError } from 'node:assert'
import type { Test } from 'tap'
import { isSillokError } from '../../src/base/errors.js'
import type { Law } from '../../src/testing/law.js'

/**
 * Every law has mutants, and every mutant is found by its law, which the unbroken one keeps; `use` puts the
 * law to a mutant's subject.
 */
export async function checkMutants<Subject, Mutant>(
  t: Test,
  laws: readonly Law<Subject>[],
  mutants: Readonly<Record<string, Mutant | readonly Mutant[]>>,
  unbroken: Mutant,
  use: (mutant: Mutant, check: (subject: Subject) => Promise<void>) => Promise<void>,
): Promise<void> {
  t.same(Object.keys(mutants).sort(), laws.map(({ title }) => title).sort(), 'a mutant for each law')
  for (const law of laws) {
    await use(unbroken, subject => law.check(subject))
    for (const [n, mutant] of [mutants[law.title] ?? []].flat().entries()) {
      let found: unknown
      await use(mutant as Mutant, subject =>
        law.check(subject).catch((error: unknown) => {
          found = error
        }),
      )
      const isFound = found instanceof AssertionError || isSillokError(found)
      t.ok(isFound, `${law.title}, mutant ${n}`, { found: String(found) })
    }
  }
}
