import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Named checks, run one after another. What is told is a line of JSON each on standard output:
 * first the names of all, then {@code {"check": name, "ok": boolean, "ms": milliseconds, "reason":
 * text}}.
 *
 * <p>A check that does not end in {@link #CHECK_SECONDS} has failed. KASKA_COMPAT_CHECK is a part
 * of the names of the only checks to run; KASKA_COMPAT_QUICK leaves out the slow ones.
 */
final class Checks {
  private static final long CHECK_SECONDS = 120;

  /** For one thing: what takes a moment takes seconds on a machine that is busy. */
  static final long AWAIT_SECONDS = 30;

  private final PrintStream out = System.out;
  private final BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
  private final Map<String, Body> bodies = new LinkedHashMap<>();
  private final String only = environment("KASKA_COMPAT_CHECK");
  private final boolean isQuick = !environment("KASKA_COMPAT_QUICK").isEmpty();

  /** What else is printed goes to standard error from now on. */
  Checks() {
    System.setOut(System.err);
  }

  interface Body {
    void run() throws Throwable;
  }

  void check(String name, Body body) {
    if (name.contains(only)) bodies.put(name, body);
  }

  /** One that takes seconds, or restarts the broker. */
  void slowCheck(String name, Body body) {
    if (!isQuick) check(name, body);
  }

  /** Runs those that were named until now. */
  void run() {
    tell(
        "{\"checks\":[%s]}",
        bodies.keySet().stream().map(Checks::quoted).collect(Collectors.joining(",")));
    bodies.forEach(
        (name, body) -> {
          long started = System.nanoTime();
          String reason = failureOf(body);
          long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
          String why = quoted(reason == null ? "" : reason);
          tell(
              "{\"check\":%s,\"ok\":%b,\"ms\":%d,\"reason\":%s}",
              quoted(name), reason == null, ms, why);
        });
  }

  /** Has the broker end in good order and start; returns when it is there again. */
  void restartBroker() throws IOException {
    restartBroker("stop");
  }

  /** The same of one that is killed. */
  void killBroker() throws IOException {
    restartBroker("kill");
  }

  private void restartBroker(String how) throws IOException {
    tell("{\"control\":\"restart\",\"how\":%s}", quoted(how));
    if (in.readLine() == null) throw new IOException("standard input has ended");
  }

  private void tell(String format, Object... values) {
    out.printf(format + "%n", values);
    out.flush();
  }

  private static String environment(String name) {
    return Objects.requireNonNullElse(System.getenv(name), "");
  }

  static void that(boolean holds, Supplier<String> otherwise) {
    if (!holds) throw new AssertionError(otherwise.get());
  }

  static void equal(Object expected, Object actual, String what) {
    that(
        Objects.equals(expected, actual),
        () -> what + ": " + shown(actual) + ", not " + shown(expected));
  }

  /** The body must fail with this; what a future or a client wraps it in is taken off. */
  static <T extends Throwable> T fails(Class<T> type, Body body) throws Throwable {
    Throwable failure = null;
    try {
      body.run();
    } catch (Throwable thrown) {
      failure = unwrapped(thrown);
    }
    if (type.isInstance(failure)) return type.cast(failure);
    throw new AssertionError(
        failure == null
            ? "no " + type.getSimpleName()
            : "not " + type.getSimpleName() + " but " + failure,
        failure);
  }

  static void await(String what, BooleanSupplier holds) throws InterruptedException {
    await(() -> what, holds);
  }

  /** What was waited for is told only if it does not come, as it is then. */
  static void await(Supplier<String> what, BooleanSupplier holds) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(AWAIT_SECONDS);
    while (!holds.getAsBoolean()) {
      that(System.nanoTime() < deadline, () -> "not in " + AWAIT_SECONDS + " s: " + what.get());
      Thread.sleep(20);
    }
  }

  static Throwable unwrapped(Throwable thrown) {
    boolean isWrapper =
        thrown instanceof ExecutionException || thrown instanceof CompletionException;
    return isWrapper && thrown.getCause() != null ? thrown.getCause() : thrown;
  }

  private static String failureOf(Body body) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                body.run();
                done.complete(null);
              } catch (Throwable thrown) {
                done.completeExceptionally(thrown);
              }
            });
    thread.setDaemon(true);
    thread.start();
    try {
      done.get(CHECK_SECONDS, TimeUnit.SECONDS);
      return null;
    } catch (ExecutionException failed) {
      return told(unwrapped(failed));
    } catch (TimeoutException timeout) {
      String reason = "still running after " + CHECK_SECONDS + " s" + at(thread.getStackTrace());
      thread.interrupt();
      return reason;
    } catch (InterruptedException interrupted) {
      return told(interrupted);
    }
  }

  private static String told(Throwable failure) {
    Throwable cause = unwrapped(failure);
    boolean isOurs = cause instanceof AssertionError;
    String where = at(cause.getStackTrace());
    if (where.isEmpty()) where = at(failure.getStackTrace());
    return (isOurs ? cause.getMessage() : cause.toString()) + where;
  }

  /** The line of ours at which it stands. */
  private static String at(StackTraceElement[] trace) {
    for (StackTraceElement frame : trace) {
      String type = frame.getClassName();
      boolean isOurs = type.indexOf('.') < 0 && !type.startsWith("Checks");
      if (isOurs) return " (" + frame.getFileName() + ":" + frame.getLineNumber() + ")";
    }
    return "";
  }

  private static String shown(Object value) {
    String text =
        value instanceof Collection<?> many && many.size() > 20
            ? many.size() + " values"
            : String.valueOf(value);
    return text.length() > 300 ? text.substring(0, 300) + "..." : text;
  }

  private static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char unit : text.toCharArray()) {
      if (unit == '"' || unit == '\\') json.append('\\').append(unit);
      else if (unit < ' ' || unit > '~') json.append(String.format("\\u%04x", (int) unit));
      else json.append(unit);
    }
    return json.append('"').toString();
  }
}
