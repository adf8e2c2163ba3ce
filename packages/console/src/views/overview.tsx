export function Overview() {
  return (
    <section class="panel">
      <h1>Overview</h1>
    </section>
  )
}
