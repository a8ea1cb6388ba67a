/**
 * The seed of a test that draws: the one given as `SEED`, to repeat a run; else that of `.ci/run`, which
 * takes it from the commit, so that a run of a commit can be repeated and the next commit tries another; else
 * a new one each time.
 */
const { SEED, COMMIT_SEED } = process.env

/** Names the run of this test; printed by each test that uses it. */
export const seed = SEED ?? COMMIT_SEED ?? String(Date.now() % 1e6)

/** The same where a number is needed: only of seeds that are numbers. */
export const seedNumber = Number(seed)
