/**
 * A client under check: a program in a folder beside this one, which a file `clients.ts` there names.
 *
 * The program gets the bootstrap address as its last argument, and prints lines of JSON; every other line
 * is taken for talk, and shown only when something is wrong:
 *
 *     {"checks": ["compression gzip", ...]}                     what it will check; once, first
 *     {"check": "compression gzip", "ok": true, "ms": 12}       one a check
 *     {"check": "...", "ok": false, "ms": 12, "reason": "..."}
 *     {"check": "...", "skipped": "why the client cannot do that"}
 *     {"control": "restart"}                                    asks for a restart of the broker, which
 *     {"control": "restart", "how": "kill"}                     answers with a line on standard input
 *
 * Its environment says more: KASKA_COMPAT_BROKER, `apache-kafka` or `kaska`; KASKA_COMPAT_DIRECTORY, where
 * that broker keeps its data; KASKA_COMPAT_CHECK, a part of the names of the only checks to run;
 * KASKA_COMPAT_QUICK=1, to leave out the slow ones.
 */

/** What is run; SkippedError from `prepare` says why it cannot be. */
export interface Command {
  readonly program: string
  readonly argv: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

export interface Client {
  readonly name: string
  /** Whether the quick run has it. */
  readonly isQuick: boolean
  /** Only for Kaska: what Apache Kafka has no counterpart for. */
  readonly isKaskaOnly?: boolean
  /** After so long the program is ended, and what it has not told yet has failed. */
  readonly msMax: number
  /** Installs what it needs. Throws SkippedError. Several programs run one after the other. */
  prepare(): Command | readonly Command[]
}

export type Outcome =
  | { readonly kind: 'passed'; readonly ms: number }
  | { readonly kind: 'failed'; readonly ms: number; readonly reason: string }
  | { readonly kind: 'skipped'; readonly reason: string }

/** By the checks' names, in the order in which they were told. */
export type Outcomes = Map<string, Outcome>
