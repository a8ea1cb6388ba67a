/**
 * What stands at the end of a Korean word and does not change what it is about: particles (josa), the copula,
 * the endings of 하다 and 되다, and other common endings.
 *
 * Whatever is on the list is taken off, the longest first, again and again, as long as two syllables stay: so
 * 서울, 서울에서 and 서울에서는 are one word to ranking. Endings of one syllable that as often belong to a noun
 * (지, 기, 나, 인) are not on it. No dictionary: sometimes too much goes, from documents and questions alike.
 */

const particles = `이 가 은 는 을 를 의 에 에서 에게 에게서 께 께서 한테 한테서 와 과 랑 이랑 하고 로 으로 로서 으로서
로써 으로써 로부터 으로부터 에서부터 부터 까지 마저 조차 만 만큼 만의 도 밖에 뿐 뿐만 처럼 보다 이나 이라도 라도 이든 이든지 든지
이나마 이야 이야말로 야말로 대로 마다 씩 커녕 은커녕 는커녕 들 에는 에도 에만 에의 에서는 에서도 에서의 에게는 에게도 으로는 으로도
로는 로도 으로의 로의 와의 과의 까지의 부터의 에선 에겐 으론 론 이란 이라는 라는 이라고 라고 이라고도 라고도 이라 이라면 이라서 라서`

const copula = `이다 입니다 입니까 인가 인가요 인지 인데 인데요 이었다 였다 이었던 였던 이었고 였고 이었으며 였으며 이었는데 였는데
이에요 예요 이네 이네요 이지 이지만 이니까 이므로 이면 이며 이고 이어서 이자 일까 일까요 이었습니다 였습니다 이었나 였나 이냐`

const made = `다 한다 합니다 합니까 는 던 였던 였다 였습니다 여 여서 고 고자 며 면 면서 니 니까 지 지만 지만은 게 기 기도 기는
기에 기를 기가 려고 려면 는데 는가 는지 는지를 는가요 나 나요 자 자마자 다가 거나 도록 였으며 였고 였는데 였는가 였는지 였을까 시오
세요 십시오 시는 신 셨다 셨습니다 셨던`

const ofHada = `한 할 함 해 해서 해도 해야 해요 했다 했던 했고 했으며 했는데 했는가 했는지 했을까 했나 했나요 했지만 했습니다 했습니까
했어요 한다 한다면 한다고 한다는 합니다 합니까 할까 할까요 할지 할수록 한데 한지 함은 함을 함이 해주세요 해줘 해주는 해준 해줘요
해달라고 해라 합시다`

const ofDoeda = `된 될 됨 돼 돼서 돼도 돼야 돼요 됐다 됐던 됐고 됐으며 됐는데 됐는가 됐는지 됐을까 됐나 됐나요 됐지만 됐습니다 됐어요
된다 된다면 된다고 된다는 됩니다 됩니까 될까 될까요 될지 된지 되어 되어서 되었다 되었던 되었고 되었으며 되었는데 되었는가 되었는지
되었을까 되었나 되었나요 되었지만 되었습니다 되었습니까`

const endings = `다 고 게 요 죠 던 는 은 을 습니다 습니까 는다 는가 는가요 는지 는데 는데요 은데 은지 은가 던데 었다 았다 었던 았던
었고 았고 었으며 았으며 었는데 았는데 었지만 았지만 었습니다 았습니다 었어요 았어요 었나 았나 었는지 았는지 었는가 았는가 었을까 았을까
겠다 겠습니다 겠어요 지만 지요 으며 으면 으면서 면서 으니 으니까 니까 으려고 려고 으려면 려면 어서 아서 어요 아요 네요 나요 군요
거든요 자마자 도록 더라도 더라 더니 다가 다는 다고 다면 을까 을까요 을지 을수록`

const suffixes = makeSuffixes()
const suffixMax = Math.max(...[...suffixes].map(suffix => suffix.length))
/** By the last unit of a suffix: the length of the longest that ends so. */
const longest = makeLongest()
const stemMin = 2
const firstSyllable = 0xac00
const lastSyllable = 0xd7a3

/** How many of the run's first characters ranking keeps: all, or those before particles and endings. */
export function stemLength(run: string): number {
  let length = run.length
  for (let isShorter = true; isShorter && length > stemMin; ) {
    isShorter = false
    const most = longest[run.charCodeAt(length - 1)] as number
    for (let size = Math.min(most, length - stemMin); size > 0 && !isShorter; size--) {
      isShorter = suffixes.has(run.slice(length - size, length))
      if (isShorter) length -= size
    }
  }
  return isSyllable(run.charCodeAt(length - 1)) ? length : run.length
}

/** True if a run that stands directly behind letters of another script is nothing but a particle. */
export function isParticle(run: string): boolean {
  return run.length <= suffixMax && suffixes.has(run)
}

function isSyllable(unit: number): boolean {
  return unit >= firstSyllable && unit <= lastSyllable
}

function makeLongest(): Uint8Array {
  const made = new Uint8Array(0x10000)
  for (const suffix of suffixes) {
    const last = suffix.charCodeAt(suffix.length - 1)
    made[last] = Math.max(made[last] as number, suffix.length)
  }
  return made
}

function makeSuffixes(): ReadonlySet<string> {
  const all = new Set<string>()
  for (const list of [particles, copula, endings, ofHada, ofDoeda]) {
    for (const suffix of list.split(/\s+/)) all.add(suffix)
  }
  for (const ending of made.split(/\s+/)) {
    all.add(`하${ending}`)
    all.add(`되${ending}`)
  }
  return all
}
