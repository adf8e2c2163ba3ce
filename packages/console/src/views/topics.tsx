/** All topics. */
import { usePolled } from '../components/use-polled.ts'
import { href } from '../route.ts'

interface TopicRow {
  readonly name: string
  readonly partitions: number
}

export function Topics() {
  const { data, error } = usePolled<{ topics: TopicRow[] }>('/topics')
  return (
    <section class="panel">
      <h1>Topics</h1>
      {error !== undefined && <p class="bad">{error.message}</p>}
      <ul>
        {data?.topics.map(({ name }) => (
          <li key={name}>
            <a href={href(['topics', name])}>{name}</a>
          </li>
        ))}
      </ul>
    </section>
  )
}
