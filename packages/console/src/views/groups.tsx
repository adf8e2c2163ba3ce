export function Groups() {
  return (
    <section class="panel">
      <h1>Groups</h1>
    </section>
  )
}
