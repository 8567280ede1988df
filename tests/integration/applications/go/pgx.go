package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

var ctx = context.Background()

func pointer[T any](value T) *T { return &value }

func pgxKinds() []column {
	price := pgtype.Numeric{Int: big.NewInt(173317331750), Exp: -2, Valid: true}
	return []column{
		{"a_text", "kanarie \"text\" \\ ünïcödé", true},
		{"a_varchar", "kanarie varchar", true},
		{"a_char", "kanarie", true},
		{"a_bytea", []byte("kanarie"), true},
		{"a_bool", true, true},
		{"an_int2", int16(17), true},
		{"an_int4", int32(1733173317), false},
		{"an_int8", int64(1733173317000), true},
		{"a_float4", float32(1.5), false},
		{"a_float8", 1733173317.25, true},
		{"a_numeric", pgtype.Numeric{Int: big.NewInt(17331733171230), Exp: -4, Valid: true}, false},
		{"a_price", price, true},
		{"a_date", pgtype.Date{Time: time.Date(1973, 3, 31, 0, 0, 0, 0, time.UTC), Valid: true}, true},
		{"a_time", pgtype.Time{Microseconds: 12_679_730_000, Valid: true}, true},
		{"a_timestamp", pgtype.Timestamp{Time: stamp, Valid: true}, false},
		{"a_timestamptz", stamp, true},
		{"an_interval", pgtype.Interval{Months: 14, Days: 3, Microseconds: 14_706_000_000, Valid: true}, false},
		{"a_uuid", pgtype.UUID{Bytes: [16]byte([]byte("kanarie kanarie!")), Valid: true}, true},
		{"a_json", `{"kanarie": [1, null]}`, false},
		{"a_jsonb", `{"kanarie": "1973-03-31"}`, false},
		{"an_inet", netip.MustParsePrefix("10.73.3.31/24"), true},
		{"some_texts", []*string{pointer("kanarie a"), pointer(`kanarie "b", {c}`), nil, pointer("")}, false},
		{"some_ints", []*int32{pointer(int32(1733173317)), nil}, false},
		{"some_dates", []pgtype.Date{{Time: time.Date(1973, 3, 31, 0, 0, 0, 0, time.UTC), Valid: true}, {}}, false},
	}
}

// runPgx runs every step in one of pgx's five ways to send a query.
func runPgx(url, mode string) {
	config, err := pgx.ParseConfig(url)
	must(err)
	modes := map[string]pgx.QueryExecMode{
		"cache_statement": pgx.QueryExecModeCacheStatement,
		"cache_describe":  pgx.QueryExecModeCacheDescribe,
		"describe_exec":   pgx.QueryExecModeDescribeExec,
		"exec":            pgx.QueryExecModeExec,
		"simple_protocol": pgx.QueryExecModeSimpleProtocol,
	}
	config.DefaultQueryExecMode = modes[mode]
	conn, err := pgx.ConnectConfig(ctx, config)
	must(err)
	defer conn.Close(ctx)
	everyType(conn)
	people(conn)
	batches(conn)
	copies(conn)
	if mode == "cache_statement" {
		pipelines(conn)
		cancels(conn)
	}
}

// maps returns all rows of a query, as pgx decodes them by the types that the result names.
func maps(conn *pgx.Conn, query string, arguments ...any) (any, error) {
	rows, err := conn.Query(ctx, query, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToMap)
}

func everyType(conn *pgx.Conn) {
	kinds := pgxKinds()
	insert := fmt.Sprintf("INSERT INTO kinds (%s) VALUES (%s) RETURNING *", names(kinds), places(kinds))
	step("a row of every type", func() (any, error) { return maps(conn, insert, values(kinds)...) })
	step("a row of NULL", func() (any, error) { return maps(conn, insert, make([]any, len(kinds))...) })
	for _, kind := range kinds {
		if !kind.searched {
			continue
		}
		step("searched by "+kind.name, func() (any, error) {
			return maps(conn, fmt.Sprintf("SELECT id, %[1]s FROM kinds WHERE %[1]s = $1", kind.name), kind.value)
		})
	}
	step("what the result says of itself", func() (any, error) {
		rows, err := conn.Query(ctx, "SELECT * FROM kinds")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		seen := []any{}
		for _, field := range rows.FieldDescriptions() {
			seen = append(seen, []any{field.Name, field.DataTypeOID, field.DataTypeSize, field.TypeModifier, field.Format})
		}
		return seen, nil
	})
	step("scanned into Go's types", func() (any, error) { return scanned(conn) })
}

func scanned(conn *pgx.Conn) (any, error) {
	var (
		text         string
		number       int64
		date, moment time.Time
		id           [16]byte
		document     struct{ Kanarie string }
		texts        []*string
		prefix       netip.Prefix
		missing      *string
	)
	row := conn.QueryRow(ctx, `SELECT a_text, an_int8, a_date, a_timestamptz, a_uuid, a_jsonb, some_texts, an_inet
		FROM kinds WHERE a_text IS NOT NULL LIMIT 1`)
	if err := row.Scan(&text, &number, &date, &moment, &id, &document, &texts, &prefix); err != nil {
		return nil, err
	}
	err := conn.QueryRow(ctx, "SELECT a_text FROM kinds WHERE a_text IS NULL").Scan(&missing)
	return []any{text, number, date, moment, id, document, texts, prefix, missing}, err
}

type person struct {
	Email string
	Age   *int32
	Born  *time.Time
	Nick  *string
}

func people(conn *pgx.Conn) {
	step("named arguments", func() (any, error) {
		arguments := pgx.NamedArgs{"email": "kanarie-1", "age": 17, "born": stamp, "nick": nil}
		tag, err := conn.Exec(ctx, "INSERT INTO users (email, age, born, nick) VALUES (@email, @age, @born, @nick)", arguments)
		return tag.String(), err
	})
	step("the same statement again and again", func() (any, error) {
		seen := []any{}
		for n := range 5 {
			rows, err := maps(conn, "INSERT INTO users (email, age, nick) VALUES ($1, $2, $3) RETURNING id, email, age, nick",
				fmt.Sprint("kanarie-again-", n), n, "kanarie")
			if err != nil {
				return nil, err
			}
			seen = append(seen, rows)
		}
		return seen, nil
	})
	step("as structs", func() (any, error) {
		rows, err := conn.Query(ctx, "SELECT email, age, born, nick FROM users WHERE email = ANY ($1) ORDER BY id",
			[]string{"kanarie-1", "kanarie-again-2"})
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByName[person])
	})
	step("no row", func() (any, error) {
		var email string
		err := conn.QueryRow(ctx, "SELECT email FROM users WHERE email = $1", "kanarie-none").Scan(&email)
		return errors.Is(err, pgx.ErrNoRows), nil
	})
	step("a transaction with a nested one", func() (any, error) {
		var code string
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE users SET ssn = $1 WHERE email = $2", "kanarie ssn", "kanarie-1"); err != nil {
				return err
			}
			nested := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "INSERT INTO users (email) VALUES ($1)", "kanarie-1")
				return err
			})
			var failure *pgconn.PgError
			if errors.As(nested, &failure) {
				code = failure.Code
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		seen, err := maps(conn, "SELECT ssn FROM users WHERE email = $1", "kanarie-1")
		return []any{code, seen}, err
	})
	step("an error of the server", func() (any, error) {
		return maps(conn, "SELECT nosuch FROM users WHERE email = $1", "kanarie-1")
	})
	step("a statement whose table changes", func() (any, error) {
		for _, change := range []string{"ADD COLUMN shoe int", "DROP COLUMN shoe"} {
			if _, err := conn.Exec(ctx, "ALTER TABLE users "+change); err != nil {
				return nil, err
			}
			var failure *pgconn.PgError // "cached plan must not change result type": the next one is prepared anew
			if _, err := maps(conn, "SELECT * FROM users WHERE id = $1", 1); err != nil && !errors.As(err, &failure) {
				return nil, err
			}
		}
		return maps(conn, "SELECT * FROM users WHERE id = $1", 1)
	})
}

func batches(conn *pgx.Conn) {
	step("a batch", func() (any, error) {
		batch := &pgx.Batch{}
		for n := range 10 {
			batch.Queue("INSERT INTO orders (buyer, total) VALUES ($1, $2)", fmt.Sprint("kanarie-", n), n)
		}
		seen := []any{}
		for n := range 3 {
			batch.Queue("SELECT buyer FROM orders WHERE buyer = $1", fmt.Sprint("kanarie-", n)).Query(func(rows pgx.Rows) error {
				found, err := pgx.CollectRows(rows, pgx.RowToMap)
				seen = append(seen, found)
				return err
			})
		}
		batch.Queue("UPDATE users SET ssn = $1 WHERE email = $2 RETURNING ssn", "kanarie ssn", "kanarie-1").QueryRow(func(row pgx.Row) error {
			var ssn string
			err := row.Scan(&ssn)
			seen = append(seen, ssn)
			return err
		})
		return seen, conn.SendBatch(ctx, batch).Close()
	})
	step("a batch with an error in it", func() (any, error) {
		batch := &pgx.Batch{}
		batch.Queue("INSERT INTO orders (buyer) VALUES ($1)", "kanarie-lost")
		batch.Queue("INSERT INTO users (email) VALUES ($1)", "kanarie-1")
		batch.Queue("INSERT INTO orders (buyer) VALUES ($1)", "kanarie-lost")
		return nil, conn.SendBatch(ctx, batch).Close()
	})
	step("nothing of that batch is there", func() (any, error) {
		return maps(conn, "SELECT count(*) FROM orders WHERE buyer = $1", "kanarie-lost")
	})
}

func copies(conn *pgx.Conn) {
	step("CopyFrom, which is binary", func() (any, error) {
		rows := [][]any{}
		for n := range 300 {
			day := time.Date(1973, 3, 31, 0, 0, 0, 0, time.UTC)
			rows = append(rows, []any{fmt.Sprint("kanarie-copied-", n), int32(n), day, []byte("kanarie"), map[string]any{"kanarie": n}})
		}
		columns := []string{"email", "age", "born", "photo", "doc"}
		count, err := conn.CopyFrom(ctx, pgx.Identifier{"users"}, columns, pgx.CopyFromRows(rows))
		if err != nil {
			return nil, err
		}
		seen, err := maps(conn, "SELECT email, age, born, photo, doc FROM users WHERE email = $1", "kanarie-copied-299")
		return []any{count, seen}, err
	})
	step("CopyFrom of every type", func() (any, error) {
		kinds := pgxKinds()
		columns := make([]string, len(kinds))
		for i, kind := range kinds {
			columns[i] = kind.name
		}
		count, err := conn.CopyFrom(ctx, pgx.Identifier{"kinds"}, columns, pgx.CopyFromRows([][]any{values(kinds), make([]any, len(kinds))}))
		if err != nil {
			return nil, err
		}
		seen, err := maps(conn, "SELECT * FROM kinds ORDER BY id DESC LIMIT 2")
		return []any{count, seen}, err
	})
	step("COPY in both directions by hand", func() (any, error) {
		text := strings.NewReader("kanarie-by-hand,1733173317\n")
		if _, err := conn.PgConn().CopyFrom(ctx, text, "COPY users (email, age) FROM STDIN CSV"); err != nil {
			return nil, err
		}
		var out strings.Builder
		_, err := conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT email, age FROM users WHERE email = 'kanarie-by-hand') TO STDOUT")
		return out.String(), err
	})
}

func pipelines(conn *pgx.Conn) {
	step("a pipeline of Parse, Bind and Execute", func() (any, error) {
		pipeline := conn.PgConn().StartPipeline(ctx)
		pipeline.SendPrepare("by_email", "SELECT email, age FROM users WHERE email = $1", nil)
		pipeline.SendQueryPrepared("by_email", [][]byte{[]byte("kanarie-1")}, nil, nil)
		pipeline.SendPipelineSync()
		pipeline.SendQueryParams("UPDATE users SET age = $1 WHERE email = $2 RETURNING age", [][]byte{[]byte("99"), []byte("kanarie-1")}, nil, nil, nil)
		pipeline.SendFlushRequest()
		pipeline.SendQueryParams("SELECT 1/0", nil, nil, nil, nil)
		pipeline.SendQueryPrepared("by_email", [][]byte{[]byte("kanarie-2")}, nil, nil)
		if err := pipeline.Sync(); err != nil {
			return nil, err
		}
		return pipelined(pipeline)
	})
}

func pipelined(pipeline *pgconn.Pipeline) (any, error) {
	seen := []any{}
	for {
		results, err := pipeline.GetResults()
		if err != nil {
			seen = append(seen, describe(err))
			continue
		}
		switch result := results.(type) {
		case *pgconn.ResultReader:
			read := result.Read()
			for _, row := range read.Rows {
				for _, value := range row {
					seen = append(seen, string(value))
				}
			}
			if read.Err != nil {
				seen = append(seen, describe(read.Err))
			}
		case *pgconn.StatementDescription:
			seen = append(seen, result.ParamOIDs)
		case *pgconn.PipelineSync:
			seen = append(seen, "synced")
		case nil:
			return seen, pipeline.Close()
		}
	}
}

func cancels(conn *pgx.Conn) {
	step("cancelled", func() (any, error) {
		other, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
		if err != nil {
			return nil, err
		}
		defer other.Close(ctx)
		go func() {
			time.Sleep(300 * time.Millisecond)
			must(other.PgConn().CancelRequest(ctx))
		}()
		_, err = other.Exec(ctx, "SELECT pg_sleep(60) FROM users WHERE email = $1", "kanarie-1")
		return describe(err)["code"], nil
	})
	step("a notification", func() (any, error) {
		if _, err := conn.Exec(ctx, "LISTEN news; NOTIFY news, 'a row'"); err != nil {
			return nil, err
		}
		news, err := conn.WaitForNotification(ctx)
		if err != nil {
			return nil, err
		}
		return []any{news.Channel, news.Payload}, nil
	})
}
