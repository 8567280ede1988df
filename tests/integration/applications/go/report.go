package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
)

// step prints what work has seen, or the error that it got.
func step(name string, work func() (any, error)) {
	line := map[string]any{"step": name}
	seen, err := work()
	if err == nil {
		line["saw"] = seen
	} else {
		line["error"] = describe(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}

func describe(err error) map[string]any {
	var fromPgx *pgconn.PgError
	var fromPq *pq.Error
	switch {
	case errors.As(err, &fromPgx):
		return map[string]any{"code": fromPgx.Code, "message": fromPgx.Message, "position": fromPgx.Position}
	case errors.As(err, &fromPq):
		return map[string]any{"code": string(fromPq.Code), "message": fromPq.Message, "position": fromPq.Position}
	}
	return map[string]any{"message": err.Error()}
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprint("could not go on: ", err))
	}
}
