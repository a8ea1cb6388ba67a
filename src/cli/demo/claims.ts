/**
 * What the demo says of the store, each claim with what it found: a claim that does not hold fails the demo.
 */

/** One claim. */
export interface Claim {
  readonly claim: string
  readonly expected: string
  readonly found: string
  readonly holds: boolean
}

/** Claims in the order in which they were checked. */
export class Claims {
  readonly #claims: Claim[] = []

  get all(): readonly Claim[] {
    return this.#claims
  }

  /** True while every claim holds. */
  get hold(): boolean {
    return this.#claims.every(({ holds }) => holds)
  }

  /** Compares as JSON, so that documents can be claimed too. */
  equal(claim: string, found: unknown, expected: unknown): void {
    const [have, want] = [textOf(found), textOf(expected)]
    this.#claims.push({ claim, expected: want, found: have, holds: have === want })
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US')
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
}
