export function Connections() {
  return (
    <section class="panel">
      <h1>Connections</h1>
    </section>
  )
}
