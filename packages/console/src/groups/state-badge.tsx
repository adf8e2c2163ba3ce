/** A group's state, in Kafka's words. */
const meanings: Readonly<Record<string, string>> = {
  Empty: 'Nobody is in it; it has offsets',
  Stable: 'Its members read',
  PreparingRebalance: 'Members come or go: it waits for all to join again',
  CompletingRebalance: 'It waits for its leader to say who reads what',
  Assigning: 'Its coordinator says who reads what',
  Reconciling: 'Its members take over what they were assigned',
  Dead: 'It is being forgotten',
}

export function StateBadge({ state }: { readonly state: string }) {
  return (
    <span class={state === 'Stable' ? 'badge live' : 'badge'} title={meanings[state]}>
      {state}
    </span>
  )
}
