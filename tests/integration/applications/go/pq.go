package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

func pqKinds() []column {
	return []column{
		{"a_text", "kanarie \"text\" \\ ünïcödé", true},
		{"a_varchar", "kanarie varchar", true},
		{"a_char", "kanarie", true},
		{"a_bytea", []byte("kanarie"), true},
		{"a_bool", true, true},
		{"an_int2", 17, true},
		{"an_int4", 1733173317, false},
		{"an_int8", int64(1733173317000), true},
		{"a_float4", 1.5, false},
		{"a_float8", 1733173317.25, true},
		{"a_numeric", "1733173317.1230", false},
		{"a_price", "1733173317.50", true},
		{"a_date", stamp, true},
		{"a_time", "03:31:19.73", true},
		{"a_timestamp", stamp, false},
		{"a_timestamptz", stamp, true},
		{"an_interval", "1 year 2 mons 3 days 04:05:06", false},
		{"a_uuid", "6b616e61-7269-4500-8000-000000000001", true},
		{"a_json", `{"kanarie": [1, null]}`, false},
		{"a_jsonb", `{"kanarie": "1973-03-31"}`, false},
		{"an_inet", "10.73.3.31/24", true},
		{"some_texts", pq.Array([]sql.NullString{{String: `kanarie "b", {c}`, Valid: true}, {}}), false},
		{"some_ints", pq.Array([]int64{1733173317, -1}), false},
		{"some_dates", pq.Array([]string{"1973-03-31"}), false},
	}
}

// runPq is an application over database/sql, with and without lib/pq's binary parameters.
func runPq(url string) {
	for _, option := range []string{"", "binary_parameters=yes"} {
		db, err := sql.Open("postgres", url+"?sslmode=disable&"+option)
		must(err)
		pqSteps(db, option)
		must(db.Close())
	}
}

func pqSteps(db *sql.DB, option string) {
	named := func(name string, work func() (any, error)) { step(name+" "+option, work) }
	kinds := pqKinds()
	insert := fmt.Sprintf("INSERT INTO kinds (%s) VALUES (%s) RETURNING *", names(kinds), places(kinds))
	named("a row of every type", func() (any, error) { return selected(db, insert, values(kinds)...) })
	named("a row of NULL", func() (any, error) { return selected(db, insert, make([]any, len(kinds))...) })
	for _, kind := range kinds {
		if kind.searched {
			named("searched by "+kind.name, func() (any, error) {
				return selected(db, fmt.Sprintf("SELECT %[1]s FROM kinds WHERE %[1]s = $1", kind.name), kind.value)
			})
		}
	}
	named("in a text without parameters", func() (any, error) {
		return selected(db, "SELECT a_text, an_int4, a_date FROM kinds WHERE a_varchar = 'kanarie varchar' ORDER BY id")
	})
	named("a prepared statement", func() (any, error) { return prepared(db) })
	named("scanned", func() (any, error) {
		var text sql.NullString
		var number sql.NullInt64
		var moment sql.NullTime
		var texts []sql.NullString
		row := db.QueryRow("SELECT a_text, an_int4, a_timestamptz, some_texts FROM kinds ORDER BY id LIMIT 1")
		err := row.Scan(&text, &number, &moment, pq.Array(&texts))
		return []any{text, number, moment.Time.UTC(), texts}, err
	})
	named("a transaction", func() (any, error) { return transaction(db) })
	named("COPY", func() (any, error) { return copied(db) })
	named("an error", func() (any, error) { return selected(db, "SELECT nosuch FROM users WHERE email = $1", "kanarie-1") })
	named("given up in time", func() (any, error) {
		limited, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		_, err := db.ExecContext(limited, "SELECT pg_sleep(60) FROM users WHERE email = $1", "kanarie-1")
		return errors.Is(err, context.DeadlineExceeded) || describe(err)["code"] == "57014", nil
	})
	named("all gone", func() (any, error) {
		result, err := db.Exec("DELETE FROM users WHERE email = ANY ($1)", pq.Array([]string{"kanarie-0", "kanarie-1", "kanarie-2", "kanarie-3"}))
		if err != nil {
			return nil, err
		}
		return result.RowsAffected()
	})
}

// selected returns all rows as strings, and the names of their types.
func selected(db *sql.DB, query string, arguments ...any) (any, error) {
	rows, err := db.Query(query, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	seen := [][]any{}
	for rows.Next() {
		row, places := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		for i, kind := range types {
			row[i] = fmt.Sprintf("%s %v", kind.DatabaseTypeName(), row[i])
			if raw, is := (*(places[i].(*any))).([]byte); is {
				row[i] = kind.DatabaseTypeName() + " " + string(raw)
			}
		}
		seen = append(seen, row)
	}
	return seen, rows.Err()
}

func prepared(db *sql.DB) (any, error) {
	statement, err := db.Prepare("INSERT INTO users (email, age, born, balance) VALUES ($1, $2, $3, $4) RETURNING email, age, born, balance")
	if err != nil {
		return nil, err
	}
	defer statement.Close()
	seen := []any{}
	for n := range 4 {
		var email, born, balance string
		var age int
		row := statement.QueryRow(fmt.Sprint("kanarie-", n), n, "1973-03-31", "12.50")
		if err := row.Scan(&email, &age, &born, &balance); err != nil {
			return nil, err
		}
		seen = append(seen, []any{email, age, born, balance})
	}
	return seen, nil
}

func transaction(db *sql.DB) (any, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("UPDATE users SET nick = $1 WHERE email = $2", "kanarie nick", "kanarie-1"); err != nil {
		return nil, err
	}
	var nick string
	if err := tx.QueryRow("SELECT nick FROM users WHERE nick = $1", "kanarie nick").Scan(&nick); err != nil {
		return nil, err
	}
	_, err = tx.Exec("INSERT INTO users (email) VALUES ('kanarie-1')")
	return []any{nick, describe(err)}, nil
}

func copied(db *sql.DB) (any, error) {
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	statement, err := tx.Prepare(pq.CopyIn("orders", "buyer", "total", "note"))
	if err != nil {
		return nil, err
	}
	for n := range 100 {
		if _, err := statement.Exec(fmt.Sprint("kanarie\t", n), n, nil); err != nil {
			return nil, err
		}
	}
	if _, err := statement.Exec(); err != nil {
		return nil, err
	}
	if err := statement.Close(); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	return selected(db, "SELECT buyer, count(*) FROM orders WHERE buyer = $1 GROUP BY buyer", "kanarie\t99")
}
