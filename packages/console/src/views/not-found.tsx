export function NotFound() {
  return (
    <section class="panel narrow">
      <h1>Nothing is here</h1>
      <p>
        <a href="/">Overview</a>
      </p>
    </section>
  )
}
