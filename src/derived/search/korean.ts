/**
 * What stands at the end of a Korean word and does not change what it is about. Only ranking leaves it off,
 * from documents and questions alike; what contains a text is found by the whole run.
 *
 * Taken off are
 *
 *   particles (josa)   은 는 이 가 을 를 의 에 에서 에게 (으)로 와 과 까지 부터 도 만 …, and their compounds 에서는
 *                      에게서 까지도; the plural 들
 *   the copula         이다 입니다 이었다 였다 예요 이라는 …
 *   endings            those of 하다 and 되다 (공부하다, 공부했습니다, 시작되는), and common ones of other verbs
 *                      and adjectives (재미있는, 재미있었다)
 *
 * A suffix goes only from behind a syllable that may stand before it: 이 은 을 과 follow a final consonant, 가
 * 를 와 였다 a vowel, 로 a vowel or ㄹ; so 전문가 keeps its 가, and 도서관 loses 에서. The longest goes first, again
 * and again: what would be taken from a bare noun is taken from the noun with a particle too, so both are one
 * word to ranking. No dictionary: sometimes too much goes (고양이), but always the same.
 *
 * Two syllables stay. One stays alone only where what goes ends hardly any noun: a particle or ending of
 * several syllables (산에서, 좋습니다), and 이 은 을 를 는 에 (산을, 책이): 회의, 지도 and 휴가 are nouns, and so are
 * 바다가 and 나라는 with their 다 and 라. What stays is the stem of a word; it need not be a word.
 */

/** What the syllable before a suffix must end with. */
type Final = 'any' | 'consonant' | 'vowel' | 'vowel or ㄹ'

interface Suffix {
  readonly final: Final
  /** One syllable may stay alone. */
  readonly lone: boolean
}

/** `lone`, what the syllable before must end with, and the suffixes. */
type Row = readonly [lone: boolean, final: Final, suffixes: string]

const particles: readonly Row[] = [
  [
    true,
    'any',
    `에 에서 에게 에게서 께서 한테 한테서 에서부터 부터 까지 마저 조차 만큼 처럼 보다 마다 에는 에도 에만 에의 에서는 에서도
    에서의 에서만 에게는 에게도 에게만 한테는 까지의 까지도 까지는 부터의 부터는 에선 에겐`,
  ],
  [
    true,
    'consonant',
    '이 은 을 이랑 이나 이라도 이든 이든지 이나마 이야말로 은커녕 이란 이라는 이라고 이라고도 이라면 이라서',
  ],
  [true, 'consonant', '으로 으로서 으로써 으로부터 으로는 으로도 으로의 으로만 으론'],
  [true, 'vowel', '를 는커녕'],
  [false, 'any', '의 께 하고 만 만의 만이 만을 만은 도 밖에 뿐 뿐만 대로 씩 커녕 들 든지'],
  [false, 'consonant', '과 과의 과는 과도 이야 이라'],
  [false, 'vowel', '가 와 와의 와는 와도 랑 라 라도 란 라는 라고 라고도 라서 야말로 나마'],
  [false, 'vowel or ㄹ', '로 로서 로써 로부터 로는 로도 로의 로만 론'],
]

const copula: readonly Row[] = [
  [
    true,
    'any',
    `이다 입니다 입니까 인가요 인데 인데요 이었다 이었던 이었고 이었으며 이었는데 이었습니다 이었나 이었지만 이에요 이지만
    이니까 이므로 이어서 일까 일까요`,
  ],
  [true, 'consonant', '이며 이고 이면 이네요 이죠'],
  [true, 'vowel', '였다 였던 였고 였으며 였는데 였습니다 였나 였지만 였어요 예요'],
  [false, 'any', '인가 인지'],
  [false, 'consonant', '이네 이지 이자 이냐'],
]

const endings: readonly Row[] = [
  [
    true,
    'any',
    `는 습니다 습니까 습니다만 었다 았다 었던 았던 었고 았고 었으며 았으며 었는데 았는데 었지만 았지만 었습니다 았습니다 었어요
    았어요 었나 았나 었는지 았는지 었는가 았는가 었을까 았을까 었네요 았네요 겠다 겠습니다 겠어요 겠지만 는다 는가 는가요 는지
    는데 는데요 더라도 자마자`,
  ],
  [true, 'consonant', '으며 으면 으면서 으니 으니까 으려고 으려면 은데 은가 을까 을까요 을지 을수록 지만'],
  [
    false,
    'any',
    `다 고 게 요 죠 던 던데 면서 니까 려고 려면 어서 아서 어요 아요 네요 나요 군요 거든요 도록 더라 더니
    더군요 다가 다는 다고 다면 구나`,
  ],
  [false, 'consonant', '은지 지요'],
]

const behindHa = `다 한다 합니다 합니까 는 던 였던 였다 였습니다 여 여서 고 고자 며 면 면서 니 니까 지 지만 지만은 게 기 기도 기는
  기에 기를 기가 려고 려면 는데 는가 는지 는지를 는가요 나 나요 자 자마자 다가 거나 도록 였으며 였고 였는데 였는가 였는지 였을까 시오
  세요 십시오 시는 신 셨다 셨습니다 셨던 네요 더라 더니`

const ofHada = `한 할 함 해 해서 해도 해야 해요 했다 했던 했고 했으며 했는데 했는가 했는지 했을까 했나 했나요 했지만 했습니다 했습니까
  했어요 했네요 한다 한다면 한다고 한다는 합니다 합니까 할까 할까요 할지 할수록 한데 한지 함은 함을 함이 해주세요 해줘 해주는 해준
  해줘요 해달라고 해라 합시다`

const ofDoeda = `된 될 됨 돼 돼서 돼도 돼야 돼요 됐다 됐던 됐고 됐으며 됐는데 됐는가 됐는지 됐을까 됐나 됐나요 됐지만 됐습니다 됐어요
  된다 된다면 된다고 된다는 됩니다 됩니까 될까 될까요 될지 된지 되어 되어서 되었다 되었던 되었고 되었으며 되었는데 되었는가 되었는지
  되었을까 되었나 되었나요 되었지만 되었습니다 되었습니까`

const suffixes = makeSuffixes()
/** By the last unit of a suffix: the length of the longest that ends so. */
const longest = makeLongest()
const firstSyllable = 0xac00
const lastSyllable = 0xd7a3
const perVowel = 28
const finalRieul = 8

/** How many of the run's first characters ranking keeps: all, or those before particles and endings. */
export function stemLength(run: string): number {
  let length = run.length
  for (let size = 1; size > 0 && length > 1; length -= size) size = suffixSize(run, length)
  return isSyllable(run.charCodeAt(length - 1)) ? length : run.length
}

/** True if a run that stands directly behind letters of another script is nothing but a particle. */
export function isParticle(run: string): boolean {
  return suffixes.has(run)
}

/** Units of the longest suffix that may go from the first `length` units; 0: none. */
function suffixSize(run: string, length: number): number {
  const most = longest[run.charCodeAt(length - 1)] as number
  for (let size = Math.min(most, length - 1); size > 0; size--) {
    const suffix = suffixes.get(run.slice(length - size, length))
    if (suffix === undefined) continue
    const left = length - size
    const before = run.charCodeAt(left - 1)
    if (!follows(before, suffix.final)) continue
    if (left > 1) return size
    // Behind a vowel, 이 is rather the end of the noun: 차이다.
    if (suffix.lone && !(run[left] === '이' && follows(before, 'vowel'))) return size
  }
  return 0
}

/** True if a suffix may stand behind that character; what is no syllable has no end to look at. */
function follows(before: number, final: Final): boolean {
  if (final === 'any' || !isSyllable(before)) return true
  const consonant = (before - firstSyllable) % perVowel
  if (final === 'consonant') return consonant !== 0
  return consonant === 0 || (final === 'vowel or ㄹ' && consonant === finalRieul)
}

function isSyllable(unit: number): boolean {
  return unit >= firstSyllable && unit <= lastSyllable
}

function makeLongest(): Uint8Array {
  const made = new Uint8Array(0x10000)
  for (const suffix of suffixes.keys()) {
    const last = suffix.charCodeAt(suffix.length - 1)
    made[last] = Math.max(made[last] as number, suffix.length)
  }
  return made
}

function makeSuffixes(): ReadonlyMap<string, Suffix> {
  const all = new Map<string, Suffix>()
  // 지하는 is the noun 지하 with a particle: two syllables stay.
  const verbs: Row[] = ['하', '되'].map(verb => [false, 'any', behindHa.replaceAll(/\S+/g, `${verb}$&`)])
  verbs.push([false, 'any', ofHada], [false, 'any', ofDoeda])
  for (const [lone, final, list] of [...verbs, ...endings, ...particles, ...copula]) {
    for (const suffix of list.split(/\s+/)) {
      // What is both a particle and an ending follows where either may: 는.
      const known = all.get(suffix)
      const both = known !== undefined && known.final !== final ? 'any' : final
      all.set(suffix, { final: both, lone: lone || known?.lone === true })
    }
  }
  return all
}
