/** What each part of the suite says: its tables, and what of it stands in the table at the head. */
import type { SuiteResult, Table } from '../lib/suite.ts'
import { thousands } from './text.ts'

/** What a broker carried at most, without anything giving way. */
export interface Carried {
  readonly what: string
  readonly most: string
  /** What to plan with, so that there is room for peaks. */
  readonly plan: string
  /** What was full then, or nearly, and the gauge that says so. */
  readonly limit: string
}

export interface Part {
  readonly tables: readonly Table[]
  readonly carried: readonly Carried[]
}

/** Of what a loop that is always busy carries. */
export const planShare = 0.7

/** A rate, and the share of it to plan with, in two digits. */
export function rates(perSecond: number, unit: string): Pick<Carried, 'most' | 'plan'> {
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(perSecond * planShare)) - 1)
  const plan = Math.round((perSecond * planShare) / digits) * digits
  return { most: `${thousands(perSecond)} ${unit}`, plan: `${thousands(plan)} ${unit}` }
}

export function join(parts: readonly Part[]): SuiteResult {
  const head: Table = {
    title: 'What one process carries',
    head: ['', 'at most', 'plan with', 'what is full then'],
    rows: parts.flatMap(({ carried }) =>
      carried.map(({ what, most, plan, limit }) => [what, most, plan, limit]),
    ),
    note: `To plan with is ${planShare} of it, where it is a rate. The tables below say how it was measured.`,
  }
  return { tables: [head, ...parts.flatMap(({ tables }) => tables)], aims: [] }
}
