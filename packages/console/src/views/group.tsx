export function Group() {
  return (
    <section class="panel">
      <h1>Group</h1>
    </section>
  )
}
