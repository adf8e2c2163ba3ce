export function Produce() {
  return (
    <section class="panel">
      <h1>Produce</h1>
    </section>
  )
}
