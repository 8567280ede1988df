import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;

/** What DatabaseMetaData says of the protected tables. */
final class Metadata {
  static void show(Connection connection, Report report) throws Exception {
    var metadata = connection.getMetaData();
    report.step("tables", () -> {
      var seen = new ArrayList<Object>();
      try (var tables = metadata.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"})) {
        while (tables.next()) {
          seen.add(List.of(tables.getString("TABLE_NAME"), tables.getString("TABLE_TYPE")));
        }
      }
      return seen;
    });
    report.step("indexes and keys", () -> {
      var seen = new ArrayList<Object>();
      try (var keys = metadata.getPrimaryKeys(null, "public", "users"); var indexes = metadata.getIndexInfo(null, "public", "users", false, true)) {
        while (keys.next()) {
          seen.add(List.of(keys.getString("COLUMN_NAME"), keys.getString("PK_NAME")));
        }
        while (indexes.next()) {
          seen.add(List.of(indexes.getString("INDEX_NAME"), indexes.getString("COLUMN_NAME"), indexes.getBoolean("NON_UNIQUE")));
        }
      }
      return seen;
    });
    for (String table : List.of("users", "orders", "kinds", "contacts")) {
      report.step("columns of " + table, () -> {
        var seen = new ArrayList<Object>();
        try (var columns = metadata.getColumns(null, "public", table, "%")) {
          while (columns.next()) {
            seen.add(List.of(columns.getString("COLUMN_NAME"), columns.getString("TYPE_NAME"), columns.getInt("DATA_TYPE"),
                columns.getInt("COLUMN_SIZE"), columns.getInt("DECIMAL_DIGITS"), columns.getString("IS_NULLABLE")));
          }
        }
        return seen;
      });
    }
  }
}
