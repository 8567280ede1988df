package main

import (
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// runPool has many goroutines share a few connections.
func runPool(url string) {
	config, err := pgxpool.ParseConfig(url)
	must(err)
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	must(err)
	defer pool.Close()
	step("many at a time", func() (any, error) {
		found, failures := make([][]map[string]any, 40), make([]error, 40)
		var group sync.WaitGroup
		for n := range found {
			group.Add(1)
			go func() {
				defer group.Done()
				found[n], failures[n] = written(pool, fmt.Sprint("kanarie-", n), n)
			}()
		}
		group.Wait()
		for _, err := range failures {
			if err != nil {
				return nil, err
			}
		}
		return found, nil
	})
}

func written(pool *pgxpool.Pool, email string, age int) ([]map[string]any, error) {
	if _, err := pool.Exec(ctx, "INSERT INTO users (email, age) VALUES ($1, $2)", email, age); err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, "SELECT email, age, born FROM users WHERE email = $1", email)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToMap)
}
