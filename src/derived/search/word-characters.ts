/**
 * Which characters make words: letters and numbers, and marks, of Unicode 15.0 (general categories L and N,
 * and M). Generated from UnicodeData.txt by test/fixtures/generate-word-characters.ts; do not edit. The
 * analysis of search indexes rests on it: another table is another version of the index type.
 *
 * Source: UnicodeData.txt 15.0.0 of the Unicode Character Database, (c) 2022 Unicode, Inc., under the Unicode
 * License Agreement - Data Files and Software (https://www.unicode.org/license.txt); shortened here.
 */

/**
 * Ranges in ascending order, in base 36: the distance from the end of the range before, then, unless it is 1,
 * `-` and the size.
 */
export const letterRanges = `
1c-a 8-q 7-q 1c 8-2 2 4-2 2-3 2-n 2-v 2-cq 5-c f-5 8 2 3m-5 2-2 3-4 2 7 2-3 2 2-k 2-2b 2-3v 9-4m
2-12 3 7-15 20-r 5-4 1a-17 m-a 5-2 2-2r 2 g-2 8-f 3 h 2-u u-2h c f-17 a-2 5 6-m 5 a 4 o-p 8-b 6-o
2-6 i-16 1n-1i 4 j 8-a 5-a 2-g 5-8 3-2 3-m 2-7 2 4-4 4 h e-2 2-3 5-c 3-6 3 9-6 5-2 3-m 2-7 2-2 2-2
2-2 w-4 2 8-a 3-3 h-9 2-3 2-m 2-7 2-2 2-5 4 j g-2 5-a a c-8 3-2 3-m 2-7 2-2 2-5 4 v-2 2-3 5-a 2-7 c
2-6 4-3 2-4 4-2 2 2-2 4-2 4-3 4-c n m-d j-8 2-3 2-n 2-g 4 r-3 3 3-2 5-a 9-7 2 5-8 2-3 2-n 2-a 2-5 4
w-2 2-2 5-a 2-2 i-9 2-3 2-15 3 h 6-3 2-a 5-j 2-6 6-i 4-o 2-9 2 3-7 w-a i-1c 2-2 d-7 a-a 14-2 2 2-5
2-o 2 2-a 2-2 a 3-5 2 a-a 3-4 x w-k d-8 2-10 s-5 38-17 l-b 7-6 5-4 4 4-2 8-3 5-d d 2-a 7-12 2 6 3-17
2-99 2-4 3-7 2 2-4 3-15 2-4 3-x 2-4 3-7 2 2-4 3-f 2-1l 2-4 3-1v f-k 4-g h-2e 3-6 4-h8 3-h 2-q 6-23
4-b 8-i e-j f-i f-d 2-3 g-1g 10 5 4-a 7-a n-a 7-2h 8-5 3-y 2 6-1y b-v 14-14 3-5 c-18 5-q 7-b 12-n
a-1h 18-a 7-a e 2m-1b i-8 4-a 16-u e-1k r-10 t-a 4-1d 3-9 8-17 3-3 16-4 2-6 2-2 4 6-5c 1t-7q 3-6
3-12 3-6 3-8 2 2 2 2-v 3-1h 2-7 2 4-3 2-7 4-4 3-6 5-d 6-3 2-7 38-2 3-6 6-b 7-d 2u 5 3-a 2 4-5 7 2 2
2-4 2-b 3-4 6-5 5 2-1m k7-1o 27-m hj-u vh-6d 7-4 4-2 a 3-12 2 6 3-1k 8 h-n a-7 2-7 2-7 2-7 2-7 2-7
2-7 2-7 29 d2-3 q-9 8-5 3-5 5-2e 7-3 2-2i 2-4 6-17 2-2m 4-4 b-w 1d-g x-a v-8 2-f x-a 14-f 8x-534
1t-h3h 1w-1a 3-7h 4-s l-1b h-v 3-28 14-9 3-2v 3-1s 6-2 2 2-5 p-g 2-3 2-4 2-n e-6 b-1g f-1e t-a p-6 4
2-2 2-12 b-n q-t 8-1b t-b 7-5 2-p 2-15 o-3 2-8 5-a 7-n 4 4-1e 2 4-2 3-5 3 2 p-3 3-b 8-3 d-6 3-6 3-6
a-7 2-7 2-17 2-e 7-37 e-a 7-8mc d-n 5-1d 6it-a6 3-2y 13-7 d-5 6 2-a 2-d 2-5 2 2-2 2-2 2-30 y-a3 j-1s
3-1i 15-c 39-5 2-3r k-a 8-q 7-q c-2h 4-6 3-6 3-6 3-3 10-c 2-q 2-j 2-2 2-f 3-e z-3f d-19 d-1l i-2
6t-t 4-1d h-r 5-10 a-u 6-12 b-u 3-10 5-8 2-5 17-4e 3-a 7-10 5-10 5-14 9-1g d-b 2-f 2-7 2-2 2-b 2-f
2-7 2-2 1w-8n a-m b-8 p-6 2-16 2-9 1y-6 3 2-18 2-2 4 3-n 3-v 3-12 9-9 1d-j 2-2 6-x 5-q 1z-1k 5-k
3-1b g-4 2-3 2-t b-9 o-v 2-w x-8 2-s 7-5 h-1i b-m 3-r 6-q o-7 29-21 1k-1f e-1f 8-16 d-a 87-v 2-16
7-2 27-14 9-m c-4 s-i 1b-s l-n d-1h r-u 2-2 3 e-19 x-p 8-a a-10 g-a 5 3 9-z 4 d-1c f-4 c-b 2 5-k c-i
2-p k-2 1s-7 2 2-4 2-f 2-a 8-1b i-a c-8 3-2 3-m 2-7 2-2 2-5 4 j d-5 4f-1h j-4 6-a 6-3 v-1c l-2 2 9-a
4n-1b 16-4 11-1c l c-a 13-17 e 8-a 1j-r m-c 5-7 56-18 39-2b d-8 3 3-8 2-2 2-o g 2 f-a 1z-8 3-13 h 2
t b-14 8 m c-1a k j-21 7c-9 2-11 i g-t 6-u 35-7 2-2 2-12 m a-a 7-6 2-2 2-w f 8-a 8n-j g 2-d 2-y t-a
2f g-l 18-pm 2v-33 i-5g 219-2p g-ts i-6 33u-g7 6nu-ft 8-v 2-a 7-27 2-a 7-u j-1c h-4 d-a 2-7 2-l 6-j
j5-2f 2y-23 6 1v-d 1t-2 2 t-4qg 9-ye 17-9 6w8-4 2-7 2-2 2-83 g u-3 3 f-4 9-b0 1s5-2z 6-d 4-9 8-a
4dj-k d-k 31-p 3s-2d 2-1z 2-2 3 3-2 3-4 2-c 2 2-7 2-1t 2-4 3-8 2-7 2-s 2-4 2-5 2 4-7 2-9g 3-p 2-p
2-v 2-p 2-v 2-p 2-v 2-p 2-v 2-p 2-8 3-1e 1dt-v 7-6 7a-1q 43-19 b-7 3-a 5 8y-u j-18 5-a d3-s 5-a kn-7
2-4 2-2 2-f 2-5h 3-9 1d-1w 8 5-a m0-1n 2-3 2-4 25-19 2-f 5f-4 2-r 2-2 2 3 2-a 2-4 2 2 7 5 2 2 2-3
2-2 2 3 2 2 2 2 2-2 2 3-4 2-7 2-4 2-4 2 2-a 2-h 6-3 2-5 2-h g5-d 25g-a sn-wyo x-37e 7-66 3-4g2 f-5rl
2e8-f2 15v-3t7 6-38g
`

/** The same for marks. */
export const markRanges = `
lc-34 7o-7 7c-19 2 2-2 2-2 2 21-b 1d-l h 2u-7 3-6 3-2 2-4 10 v-r 2k-b 1n-9 a p-4 2-9 2-3 2-5 18-3
1p-8 17-o 2-x 1j-3 2-i 2-7 b-2 u-3 1l 2-7 3-2 3-3 a b-2 r 3-3 1l 2-5 5-2 3-3 4 v-2 4 c-3 1l 2-8 2-3
2-3 l-2 n-6 2-3 1l 2-7 3-2 3-3 8-3 b-2 v 1o-5 4-3 2-4 a 15-5 1k 2-7 2-3 2-4 8-2 c-2 u-3 1l 2-7 2-3
2-4 8-2 c-2 g d-4 1k-2 2-7 2-3 2-4 a b-2 u-3 1z 5-6 2 2-8 j-2 1q 3-7 d-8 2r 3-9 c-7 22-2 s 2 2 5-2
1e-k 2-2 6-b 2-10 a 2t-k o-4 5-3 2-3 3-7 4-4 e-c 2 b-4 jk-3 qb-4 t-3 u-2 v-2 1t-w a 1a-3 2 3a-2 z
3b-c 5-c 64-5 1m-a 2-t 3 1d-v 1e-5 1c-h 13-9 d-3 v-d 1l-e 1d-k 49-3 2-l 5 7 3-3 5j-1s k1-x 2db-3 3y
2p-w ff-6 2y-2 n9x-4 2-a x-2 29-2 7l 4 5 o-5 5 2c-2 1f-i r-i e 13-8 q-d 19-4 1c-e 11 1w-e d 9-2 1a-3
1f 2-3 3-2 6-2 2 16-5 6-2 6l-8 2-2 fn5 ki-g h-g r2 6b 46-5 1af-3 2-2 6-4 15-3 5 4m-2 fy-4 as-2 29-3
1z-b 1e-4 3f-3 1i-f 16 3-2 b-4 1a-b 8 1q-3 11-e h-2 19 d-3 1d-e 9-4 2-2 2l-c 7 3 4e-c m-4 1k-2 2-7
3-2 3-3 a b-2 3-7 4-5 5d-i o 2a-k 6k-7 3-9 s-2 2b-h 2z-d 2u-f 75-f 6u-6 2-2 3-4 2 2-2 3y-7 3-7 4 t-a
15-7 2-4 9 a-b 1b-g ba-8 2-8 2b-m 2-e 3f-6 4 2-2 2-7 2 1v-5 2-2 2-5 9o-4 a-2 2 1d-7 4-5 45a 7-f
asb-5 1o-7 t5 2-1j 8-4 2a c-2 f58-2 3mq-1a 3-n f3-5 4-6 9-8 3-7 v-4 45-3 1j0-1j 5-1e 9 f n-5 2-f
11t-7 2-h 3-7 2-2 2-5 2t 4h-7 ag 1q-4 e5-4 rl-7 32-7 gzhy-6o
`
