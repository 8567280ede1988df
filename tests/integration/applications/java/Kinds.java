import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

/** A value of each column of the table `kinds`. Each holds a canary where its type has room. */
final class Kinds {
  private static final LocalDateTime STAMP = LocalDateTime.of(1973, 3, 31, 3, 31, 19, 733_000_000);

  record Kind(String column, Object value, boolean searched) {}

  static final List<Kind> ALL;

  static {
    try {
      ALL = List.of(
          new Kind("a_text", "kanarie \"text\" \\ \u00fcn\u00efc\u00f6d\u00e9", true),
          new Kind("a_varchar", "kanarie varchar", true),
          new Kind("a_char", "kanarie", true),
          new Kind("a_bytea", "kanarie".getBytes(), true),
          new Kind("a_bool", true, true),
          new Kind("an_int2", (short) 17, true),
          new Kind("an_int4", 1733173317, false),
          new Kind("an_int8", 1733173317000L, true),
          new Kind("a_float4", 1.5f, false),
          new Kind("a_float8", 1733173317.25, true),
          new Kind("a_numeric", new BigDecimal("1733173317.1230"), false),
          new Kind("a_price", new BigDecimal("1733173317.50"), true),
          new Kind("a_date", LocalDate.of(1973, 3, 31), true),
          new Kind("a_time", LocalTime.of(3, 31, 19, 730_000_000), true),
          new Kind("a_timestamp", STAMP, false),
          new Kind("a_timestamptz", OffsetDateTime.of(STAMP, ZoneOffset.UTC), true),
          new Kind("an_interval", new PGInterval(1, 2, 3, 4, 5, 6), false),
          new Kind("a_uuid", UUID.fromString("6b616e61-7269-4500-8000-000000000001"), true),
          new Kind("a_json", other("json", "{\"kanarie\": [1, null]}"), false),
          new Kind("a_jsonb", other("jsonb", "{\"kanarie\": \"1973-03-31\"}"), false),
          new Kind("an_inet", other("inet", "10.73.3.31/24"), true),
          new Kind("some_texts", new String[] {"kanarie a", "kanarie \"b\", {c}", null, ""}, false),
          new Kind("some_ints", new Integer[] {1733173317, null}, false),
          new Kind("some_dates", new LocalDate[] {LocalDate.of(1973, 3, 31), null}, false));
    } catch (SQLException error) {
      throw new AssertionError(error);
    }
  }

  static String columns() {
    return ALL.stream().map(Kind::column).collect(Collectors.joining(", "));
  }

  static String places() {
    return String.join(", ", Collections.nCopies(ALL.size(), "?"));
  }

  /** Binds all values, or NULL for all of them. */
  static void bind(PreparedStatement statement, boolean empty) throws SQLException {
    for (int i = 0; i < ALL.size(); i++) {
      bind(statement, i + 1, empty ? null : ALL.get(i).value());
    }
  }

  static void bind(PreparedStatement statement, int place, Object value) throws SQLException {
    Connection connection = statement.getConnection();
    if (value == null) {
      statement.setNull(place, Types.NULL);
    } else if (value instanceof String[] texts) {
      statement.setArray(place, connection.createArrayOf("text", texts));
    } else if (value instanceof Integer[] numbers) {
      statement.setArray(place, connection.createArrayOf("int4", numbers));
    } else if (value instanceof LocalDate[] dates) {
      statement.setArray(place, connection.createArrayOf("date", dates));
    } else {
      statement.setObject(place, value);
    }
  }

  private static PGobject other(String type, String text) throws SQLException {
    var object = new PGobject();
    object.setType(type);
    object.setValue(text);
    return object;
  }
}
