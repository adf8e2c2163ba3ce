/**
 * The head of a column that a table is sorted by when it is pressed; pressed again, the other way round. What
 * it is sorted by stands in the address.
 */
import type { ComponentChildren } from 'preact'
import { setQuery } from '../route.ts'
import './sort-header.css'

export interface Sorting<Column extends string> {
  readonly column: Column
  readonly isDescending: boolean
}

interface SortHeaderProps<Column extends string> {
  readonly column: Column
  readonly sorting: Sorting<Column>
  /** Numbers are looked at from the largest. */
  readonly isNumber?: boolean
  readonly class?: string
  readonly children: ComponentChildren
}

export function SortHeader<Column extends string>(props: SortHeaderProps<Column>) {
  const { column, sorting, isNumber = false, children } = props
  const isSorted = sorting.column === column
  const direction = sorting.isDescending ? 'descending' : 'ascending'
  const press = () => {
    const isDescending = isSorted ? !sorting.isDescending : isNumber
    setQuery({ sort: sortingText({ column, isDescending }) })
  }
  return (
    <th
      scope="col"
      class={`sortable ${isNumber ? 'number ' : ''}${props.class ?? ''}`}
      aria-sort={isSorted ? direction : 'none'}
    >
      <button type="button" onClick={press}>
        {children}
      </button>
    </th>
  )
}

/** In an address: `name`, `-messages`. */
function sortingText({ column, isDescending }: Sorting<string>): string {
  return isDescending ? `-${column}` : column
}

/** Anything whatever is read; what is no sorting is the first column. */
export function sortingOf<Column extends string>(
  text: string | null,
  columns: readonly [Column, ...Column[]],
): Sorting<Column> {
  const isDescending = text?.startsWith('-') === true
  const name = isDescending ? text?.slice(1) : text
  const column = columns.find((each) => each === name)
  return column === undefined
    ? { column: columns[0], isDescending: false }
    : { column, isDescending }
}
