/** Asks for the token that the broker was started with. */
import { useState } from 'preact/hooks'
import { signIn } from '../api.ts'

export function SignIn() {
  const [token, setToken] = useState('')
  const [failure, setFailure] = useState('')
  const submit = async (event: Event) => {
    event.preventDefault()
    try {
      await signIn(token)
    } catch (error) {
      setFailure((error as Error).message)
    }
  }
  return (
    <form class="panel narrow" onSubmit={submit}>
      <h1>Token</h1>
      <p>This broker was started with a token for HTTP: --http-token.</p>
      <label>
        Token
        <input
          type="password"
          autocomplete="current-password"
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
      </label>
      {failure !== '' && <p role="alert">{failure}</p>}
      <button type="submit">Show it</button>
    </form>
  )
}
