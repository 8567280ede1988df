import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.PGStatement;

/** What an application does: the same for every option of the driver. */
final class Steps {
  private static final String FIND = "SELECT id, email, age, born, balance, nick FROM users WHERE email = ?";
  private final Connection connection;
  private final Report report;

  private Steps(Connection connection, Report report) {
    this.connection = connection;
    this.report = report;
  }

  static void all(Connection connection, Report report, boolean first) throws SQLException {
    var steps = new Steps(connection, report);
    report.step("a clean table", () -> steps.run("DELETE FROM kinds; DELETE FROM orders; DELETE FROM users"));
    steps.everyType();
    steps.batches();
    steps.prepared();
    steps.cursors();
    steps.results();
    if (first) {
      steps.givenUp(); // once: it takes its time
    }
    steps.transactions();
    steps.copies();
  }

  private List<Object> query(String sql, Object... values) throws SQLException {
    try (var statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        Kinds.bind(statement, i + 1, values[i]);
      }
      return Report.rows(statement.executeQuery());
    }
  }

  private int run(String sql) throws SQLException {
    try (var statement = connection.createStatement()) {
      return statement.executeUpdate(sql);
    }
  }

  private void everyType() {
    String insert = "INSERT INTO kinds (" + Kinds.columns() + ") VALUES (" + Kinds.places() + ") RETURNING *";
    for (boolean empty : new boolean[] {false, true}) {
      report.step(empty ? "a row of NULL" : "a row of every type", () -> {
        try (var statement = connection.prepareStatement(insert)) {
          Kinds.bind(statement, empty);
          return Report.rows(statement.executeQuery());
        }
      });
    }
    for (var kind : Kinds.ALL) {
      if (kind.searched()) {
        report.step("searched by " + kind.column(), () ->
            query("SELECT " + kind.column() + " FROM kinds WHERE " + kind.column() + " = ?", kind.value()));
      }
    }
    report.step("as Java's types", () -> {
      try (var statement = connection.createStatement();
          var result = statement.executeQuery("SELECT * FROM kinds WHERE a_text IS NOT NULL")) {
        result.next();
        var texts = (String[]) result.getArray("some_texts").getArray();
        var dates = (Object[]) result.getArray("some_dates").getArray();
        return List.of(
            result.getObject("a_date", LocalDate.class), result.getObject("a_timestamptz", OffsetDateTime.class),
            result.getObject("a_uuid", UUID.class), result.getBigDecimal("a_price"), result.getDate("a_date"),
            result.getTimestamp("a_timestamp"), result.getLong("an_int8"), result.getString("an_int8"),
            result.getString("a_jsonb"), result.getBytes("a_bytea"), List.of(texts[0], dates[0]));
      }
    });
    report.step("what the result says of itself", () -> {
      try (var statement = connection.prepareStatement("SELECT * FROM kinds")) {
        var seen = new ArrayList<Object>();
        var described = statement.getMetaData();
        for (int i = 1; i <= described.getColumnCount(); i++) {
          seen.add(List.of(described.getColumnName(i), described.getColumnTypeName(i), described.getColumnType(i),
              described.getPrecision(i), described.getScale(i), described.getColumnClassName(i),
              described.getColumnDisplaySize(i)));
        }
        return seen;
      }
    });
    report.step("what the parameters are", () -> {
      try (var statement = connection.prepareStatement("UPDATE users SET age = ?, born = ?, balance = ? WHERE email = ?")) {
        var seen = new ArrayList<Object>();
        for (int i = 1; i <= statement.getParameterMetaData().getParameterCount(); i++) {
          seen.add(statement.getParameterMetaData().getParameterTypeName(i));
        }
        return seen;
      }
    });
  }

  private void batches() {
    report.step("a batch", () -> {
      String sql = "INSERT INTO users (email, age, born, balance, nick) VALUES (?, ?, ?, ?, ?)";
      try (var statement = connection.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
        for (int n = 0; n < 37; n++) {
          statement.setString(1, "kanarie-" + n);
          statement.setInt(2, n);
          statement.setObject(3, LocalDate.of(1973, 3, 31));
          statement.setBigDecimal(4, new BigDecimal("12.50"));
          statement.setString(5, n % 2 == 0 ? null : "kanarie");
          statement.addBatch();
        }
        int count = statement.executeBatch().length; // what each did is SUCCESS_NO_INFO where they are rewritten
        return List.of(count, Report.rows(statement.getGeneratedKeys()).size());
      }
    });
    report.step("a batch without keys", () -> {
      try (var statement = connection.prepareStatement("INSERT INTO orders (buyer, total) VALUES (?, ?)")) {
        for (int n = 0; n < 300; n++) {
          statement.setString(1, "kanarie-" + n % 7);
          statement.setObject(2, new BigDecimal(n));
          statement.addBatch();
        }
        return statement.executeBatch().length;
      }
    });
    report.step("what the batches wrote", () -> List.of(
        query("SELECT id, email, age, born, balance, nick FROM users ORDER BY id"),
        query("SELECT buyer, count(*), sum(total) FROM orders WHERE buyer = ? GROUP BY buyer", "kanarie-3")));
    report.step("a batch of texts", () -> {
      try (var statement = connection.createStatement()) {
        statement.addBatch("UPDATE users SET ssn = 'kanarie ssn' WHERE email = 'kanarie-1'");
        statement.addBatch("INSERT INTO orders (buyer) VALUES ('kanarie')");
        return statement.executeBatch();
      }
    });
    report.step("a batch that fails", () -> {
      try (var statement = connection.prepareStatement("INSERT INTO users (email) VALUES (?)")) {
        for (String email : List.of("kanarie-new", "kanarie-1", "kanarie-newer")) {
          statement.setString(1, email);
          statement.addBatch();
        }
        return statement.executeBatch();
      } catch (BatchUpdateException error) {
        return List.of(error.getSQLState(), error.getUpdateCounts());
      }
    });
    report.step("rows of the failed batch", () -> query("SELECT count(*) FROM users WHERE email = ?", "kanarie-new"));
  }

  private void prepared() {
    report.step("prepared on the server", () -> {
      var seen = new ArrayList<Object>();
      try (var statement = connection.prepareStatement(FIND)) {
        for (int n = 0; n < 8; n++) {
          statement.setString(1, "kanarie-" + n);
          seen.add(Report.rows(statement.executeQuery()));
        }
        seen.add(statement.unwrap(PGStatement.class).isUseServerPrepare());
      }
      return seen;
    });
    report.step("of another type than before", () -> {
      try (var statement = connection.prepareStatement("SELECT email FROM users WHERE age = ?")) {
        var seen = new ArrayList<Object>();
        for (Object age : new Object[] {3, 3L, (short) 3, 3, 3, 3L}) {
          statement.setObject(1, age);
          seen.add(Report.rows(statement.executeQuery()));
        }
        return seen;
      }
    });
    report.step("after the table has changed", () -> {
      var seen = new ArrayList<Object>();
      try (var statement = connection.prepareStatement("SELECT * FROM users WHERE email = ?")) {
        for (String change : List.of("ADD COLUMN shoe int", "DROP COLUMN shoe")) {
          for (int n = 0; n < 6; n++) {
            statement.setString(1, "kanarie-1");
            seen.add(Report.rows(statement.executeQuery()).toString().length());
          }
          run("ALTER TABLE users " + change);
        }
      }
      return seen;
    });
    report.step("the keys of one row", () -> {
      try (var statement = connection.prepareStatement("INSERT INTO users (email, age) VALUES (?, ?)", new String[] {"id", "email", "age"})) {
        statement.setString(1, "kanarie-keys");
        statement.setInt(2, 1733173317);
        statement.executeUpdate();
        return Report.rows(statement.getGeneratedKeys());
      }
    });
    report.step("IN, ANY and a list of pairs", () -> List.of(
        query("SELECT age FROM users WHERE email IN (?, ?) ORDER BY id", "kanarie-1", "kanarie-2"),
        query("SELECT age FROM users WHERE email = ANY (?) ORDER BY id", (Object) new String[] {"kanarie-1", "kanarie-3"}),
        query("SELECT id FROM users WHERE (email, age) IN ((?, ?), (?, ?)) ORDER BY id", "kanarie-1", 1, "kanarie-2", 3)));
    report.step("an escape of JDBC", () -> query("SELECT email FROM users WHERE born IS NOT NULL AND email = ? AND {d '2020-02-02'} > {d '2019-01-01'}", "kanarie-1"));
  }

  private void cursors() throws SQLException {
    connection.setAutoCommit(false);
    report.step("fetched in portions", () -> {
      try (var statement = connection.prepareStatement("SELECT email, age FROM users ORDER BY id")) {
        statement.setFetchSize(5);
        return Report.rows(statement.executeQuery());
      }
    });
    report.step("two cursors at once", () -> {
      try (var outer = connection.prepareStatement("SELECT email FROM users ORDER BY id LIMIT 6"); var inner = connection.prepareStatement(FIND)) {
        outer.setFetchSize(2);
        inner.setFetchSize(2);
        var seen = new ArrayList<Object>();
        var emails = outer.executeQuery();
        while (emails.next()) {
          inner.setString(1, emails.getString(1));
          seen.add(Report.rows(inner.executeQuery()));
        }
        return seen;
      }
    });
    connection.commit();
    connection.setAutoCommit(true);
  }

  private void results() {
    report.step("a result that is written to", () -> {
      try (var statement = connection.prepareStatement("SELECT id, email, age FROM users WHERE email = ?", ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
        statement.setString(1, "kanarie-5");
        var result = statement.executeQuery();
        result.next();
        result.updateInt("age", 55);
        result.updateRow();
        result.moveToInsertRow();
        result.updateString("email", "kanarie-inserted");
        result.insertRow();
        return query("SELECT email, age FROM users WHERE email IN ('kanarie-5', 'kanarie-inserted') ORDER BY id");
      }
    });
    report.step("several results of one text", () -> {
      var seen = new ArrayList<Object>();
      try (var statement = connection.createStatement()) {
        boolean rows = statement.execute("SELECT email FROM users WHERE age = 3; UPDATE users SET nick = 'kanarie' WHERE age = 4; SELECT nick FROM users WHERE email = 'kanarie-4'");
        while (rows || statement.getUpdateCount() != -1) {
          seen.add(rows ? Report.rows(statement.getResultSet()) : statement.getUpdateCount());
          rows = statement.getMoreResults();
        }
      }
      return seen;
    });
    report.step("alive", () -> connection.isValid(5));
  }

  private void givenUp() {
    report.step("given up in time", () -> {
      try (var statement = connection.prepareStatement("SELECT pg_sleep(30) FROM users WHERE email = ?")) {
        statement.setQueryTimeout(1);
        statement.setString(1, "kanarie-1");
        return Report.rows(statement.executeQuery());
      }
    });
  }

  private void transactions() throws SQLException {
    connection.setAutoCommit(false);
    report.step("a savepoint", () -> {
      run("UPDATE users SET nick = 'kanarie nick' WHERE email = 'kanarie-6'");
      var savepoint = connection.setSavepoint("here");
      try {
        query("INSERT INTO users (email) VALUES (?) RETURNING id", "kanarie-1");
      } catch (SQLException error) {
        connection.rollback(savepoint);
      }
      return query("SELECT email FROM users WHERE nick = ?", "kanarie nick");
    });
    report.step("a statement that fails in a transaction", () -> query("SELECT 1/0 FROM users WHERE email = ?", "kanarie-1"));
    report.step("the one after it", () -> query("SELECT age FROM users WHERE email = ?", "kanarie-1")); // see autosave
    connection.rollback();
    connection.setAutoCommit(true);
    report.step("an error of the server", () -> query("SELECT nosuch FROM users WHERE email = ?", "kanarie-1"));
  }

  private void copies() {
    report.step("CopyManager", () -> {
      var copies = connection.unwrap(PGConnection.class).getCopyAPI();
      long count = copies.copyIn("COPY users (email, age, born) FROM STDIN CSV",
          new StringReader("kanarie-copied,1733173317,1973-03-31\n\"kanarie, quoted\",,\n"));
      var out = new StringWriter();
      copies.copyOut("COPY (SELECT email, age, born FROM users WHERE email IN ('kanarie-copied', 'kanarie, quoted') ORDER BY id) TO STDOUT CSV HEADER", out);
      return List.of(count, out.toString());
    });
  }
}
