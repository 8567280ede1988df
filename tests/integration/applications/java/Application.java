import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;

/** pgjdbc, in each of its ways to send a statement; `metadata`: what it says of the tables; `hibernate`: an ORM. */
final class Application {
  private static final List<String> OPTIONS = List.of(
      "",
      "reWriteBatchedInserts=true",
      "prepareThreshold=1",
      "prepareThreshold=-1",
      "prepareThreshold=0",
      "preferQueryMode=simple",
      "preferQueryMode=extendedForPrepared",
      "preferQueryMode=extendedCacheEverything",
      "autosave=always",
      "autosave=conservative",
      "stringtype=unspecified",
      "assumeMinServerVersion=16&defaultRowFetchSize=3&adaptiveFetch=true");

  public static void main(String[] arguments) throws Exception {
    String url = System.getenv("DATABASE_URL").replace("postgresql://postgres@", "jdbc:postgresql://");
    if (arguments.length > 0 && arguments[0].equals("hibernate")) {
      Orm.all(url + "?user=postgres&sslmode=disable", new Report(""));
      return;
    }
    if (arguments.length > 0) {
      try (var connection = connect(url, "")) {
        Metadata.show(connection, new Report(""));
      }
      return;
    }
    for (String options : OPTIONS) {
      try (var connection = connect(url, options)) {
        Steps.all(connection, new Report(options + ": "), options.isEmpty());
      }
    }
  }

  private static Connection connect(String url, String options) throws SQLException {
    return DriverManager.getConnection(url + "?user=postgres&sslmode=disable&" + options);
  }
}
