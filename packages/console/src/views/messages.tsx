export function Messages() {
  return (
    <section class="panel">
      <h1>Messages</h1>
    </section>
  )
}
