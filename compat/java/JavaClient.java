/** The checks of the Java client. Its last argument is the broker's address. */
public final class JavaClient {
  public static void main(String[] args) {
    Checks checks = new Checks();
    try (Clients clients = new Clients(args[args.length - 1])) {
      new ProducerChecks(checks, clients).add();
      new ConsumerChecks(checks, clients).add();
      new GroupChecks(checks, clients).add();
      new AdminChecks(checks, clients).add();
      new GroupAdminChecks(checks, clients).add();
      checks.run();
    }
    System.exit(0);
  }
}
