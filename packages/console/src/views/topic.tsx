export function Topic() {
  return (
    <section class="panel">
      <h1>Topic</h1>
    </section>
  )
}
