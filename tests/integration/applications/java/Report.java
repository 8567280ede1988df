import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.postgresql.util.PSQLException;

/** Prints one line of JSON for each step: what it saw, or the error that it got. */
final class Report {
  interface Work {
    Object see() throws Exception;
  }

  private final String prefix;

  Report(String prefix) {
    this.prefix = prefix;
  }

  void step(String name, Work work) {
    String seen;
    try {
      seen = "\"saw\": " + json(work.see());
    } catch (Exception error) {
      seen = "\"error\": " + json(described(error));
    }
    System.out.println("{\"step\": " + json(prefix + name) + ", " + seen + "}");
  }

  private static Map<String, Object> described(Exception error) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof PSQLException known) {
        return described(known);
      }
    }
    return Map.of("message", String.valueOf(error));
  }

  private static Map<String, Object> described(PSQLException error) {
    var server = error.getServerErrorMessage();
    return Map.of(
        "code", String.valueOf(error.getSQLState()),
        "message", String.valueOf(server == null ? error.getMessage() : server.getMessage()),
        "position", server == null ? 0 : server.getPosition());
  }

  /** All rows of a result, with each column's value as the driver makes it. */
  static List<Object> rows(ResultSet result) throws SQLException {
    var rows = new ArrayList<Object>();
    int columns = result.getMetaData().getColumnCount();
    while (result.next()) {
      var row = new ArrayList<Object>();
      for (int column = 1; column <= columns; column++) {
        row.add(result.getObject(column));
      }
      rows.add(row);
    }
    result.close();
    return rows;
  }

  static String json(Object value) {
    if (value == null || value instanceof Number || value instanceof Boolean) {
      return String.valueOf(value);
    } else if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(entry -> json(entry.getKey().toString()) + ": " + json(entry.getValue()))
          .sorted()
          .collect(Collectors.joining(", ", "{", "}"));
    } else if (value instanceof Iterable<?> items) {
      var all = new ArrayList<String>();
      items.forEach(item -> all.add(json(item)));
      return all.stream().collect(Collectors.joining(", ", "[", "]"));
    } else if (value instanceof Object[] items) {
      return json(java.util.Arrays.asList(items));
    } else if (value instanceof int[] items) {
      return java.util.Arrays.toString(items);
    } else if (value instanceof byte[] bytes) {
      return json("\\x" + HexFormat.of().formatHex(bytes));
    }
    return quoted(value.toString());
  }

  private static String quoted(String text) {
    return text.chars()
        .mapToObj(c -> c < 32 || c > 126 || c == '"' || c == '\\' ? String.format("\\u%04x", c) : "" + (char) c)
        .collect(Collectors.joining("", "\"", "\""));
  }
}
