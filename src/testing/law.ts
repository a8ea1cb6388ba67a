/**
 * Laws, and how they are put to a test framework.
 *
 * A law is one promise of an interface, as a check that any implementation can be put under. A suite is a
 * list of them. They know no test framework; `testLaws` hands them to any that has `test(title, run)`.
 */

/** One promise, and the check that it is kept. */
export interface Law<Subject> {
  /** What holds, as a sentence in the present tense. */
  readonly title: string
  /** Resolves if the law holds for the subject; rejects with what does not hold, mostly an AssertionError. */
  check(subject: Subject): Promise<void>
}

/** What registers a test, in `node:test`, tap, vitest, mocha and others. */
export type TestFunction = (title: string, run: () => Promise<void>) => unknown

/** Makes a subject, awaits its check, and cleans up whatever became of it. */
export type Use<Subject> = (check: (subject: Subject) => Promise<void>) => Promise<void>

/**
 * Registers one test for each law. Each has a subject of its own, as `use` makes it.
 *
 * With `node:test`:
 *
 *     import { test } from 'node:test'
 *     import { open } from 'sillok'
 *     import { opened, storeLaws, testLaws } from 'sillok/testing'
 *     testLaws(storeLaws, opened(() => open({ memory: true })), (title, run) => test(title, run))
 *
 * With tap, whose own function wants to be called on its object:
 *
 *     import t from 'tap'
 *     testLaws(storeLaws, opened(() => open({ memory: true })), (title, run) => t.test(title, run))
 */
export function testLaws<Subject>(
  laws: readonly Law<Subject>[],
  use: Use<Subject>,
  test: TestFunction,
): void {
  for (const law of laws) test(law.title, () => use(subject => law.check(subject)))
}

/** What is closed after its use. */
export interface Closable {
  /** When it resolves, nothing of it is left. */
  close(): Promise<void>
}

/** The use of what is opened for each law and closed after it. */
export function opened<Subject extends Closable>(open: () => Promise<Subject>): Use<Subject> {
  return async check => {
    const subject = await open()
    try {
      await check(subject)
    } finally {
      await subject.close()
    }
  }
}
