/** What the command line promises, as `--help` tells it below the options: paragraphs, which yargs wraps. */

/** Lines of one paragraph are joined; an empty line begins the next. */
function paragraphs(text: string): string {
  return text
    .trim()
    .split(/\n\n/)
    .map(paragraph => paragraph.replaceAll('\n', ' '))
    .join('\n\n')
}

/** Of all verbs. */
export const ofAll = paragraphs(`
sillok <verb> --help tells more. Results go to standard output, everything else to standard error. A reader
that goes away (| head) ends a verb in order. No word after -- is taken for an option: sillok get users -- -x

Exit codes: 0 ok, 1 failed, 2 wrong command line, 3 unavailable now (the same command may work later),
4 conflict or unique value taken, 5 not found, 70 a bug in sillok, 124 no answer in time, 130 and 143
import, export or tail was stopped by a signal, after its store was closed in order.
`)

/** Of `import`. */
export const ofImport = paragraphs(`
Rows go in groups of up to 32, each a request of a session that is named after --name, the collection and
the SHA-256 of the file, with the number of its first row; each row is inserted or refused by itself.
Kill it, pull the plug, press Ctrl-C: the same command goes on where it was, no row is applied twice, and
of two rows with one unique value the first wins whatever happened in between. Run again after its end it
sends nothing. An import is remembered for seven days in which the store is open; later its rows are
EXISTS. Another layout or other types of CSV are another import.

Rows that the store refuses, that are no JSON or UTF-8, that name a field twice in one object, or that hold
a whole number which JavaScript would round, do not stop it. Each is a line of the report: row, offset in
bytes, code, message, and for a taken unique value constraint, holder, version; unreadable marks those that
could not be read. A report of another import is left alone (INVALID).

CSV is that of RFC 4180, in UTF-8; the first line names the columns. Types: text (every field as it stands,
with its spaces; the default, also of the key), number (as in JSON: not 007 or 1,5, nor a whole number that
would be rounded), boolean (true, false, in any letter case), date (2026-01-31, or 2026-01-31T09:30:00Z
with any zone), json. An empty field is a missing one, "" is the empty text. A value that does not fit its
type, too many or too few fields, or a broken quote reject that row (a quote that is never closed takes the
rows up to the next quote with it). Blank lines are no rows.

Exit code 0: every row was inserted; 4: the store refused rows; 1: rows could not be read.
`)

/** Of `export`. */
export const ofExport = paragraphs(`
All documents in key order, as of one moment, one JSON object a line. JSON has neither dates nor bytes:
dates become ISO text, bytes base64 text, and a remark on standard error counts them; -0 stays -0. With
--output-file the file appears under its name when it is whole and synced; a signal or a failure leaves what
stood there before.
`)

/** Of `tail`. */
export const ofTail = paragraphs(`
One JSON object a line, whatever -o says. Only one process may have a store open: while tail --follow runs, no
other verb can write to it. Who follows a store that is written to calls db.changes() in the process that has
it open.
`)

/** Of `verify`. */
export const ofVerify = paragraphs(`
IDENT, log, segments and LevelDB's files are checked by their checksums; the log is applied in memory (from
its older snapshot on, if it was trimmed), and the result compared with every stored row, the recorded
digests and the rows of each index; documents, claims and violations with each other. Memory grows with the
number of rows. Bytes that nothing uses are not checked (src/FORMATS.md lists them).

Each fault is a line: file, at (byte, entry or key) and what; of one file at most twenty rows and twenty
other faults, then how many more. The exit code is 1 if there is one. A note is no fault: what a crash may
leave, such as a torn last batch of the log (which looks the same whether a bit was turned in it or its
write was cut short), and what could not be compared. LevelDB's own logs may end between any two records:
what is gone of them is taken from the log again. Of an index that is being built only what its position
covers is compared.

The store must be closed (FOLDER_IN_USE otherwise). Nothing is repaired, and but for the lock nothing is
written to the folder: LevelDB opens a copy in TMPDIR.
`)
