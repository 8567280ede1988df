// Applications in Go: `application pgx MODE` and `application pq`. Each prints a line of JSON for each step.
package main

import "os"

func main() {
	url := os.Getenv("DATABASE_URL")
	switch os.Args[1] {
	case "pgx":
		runPgx(url, os.Args[2])
	case "pgxpool":
		runPool(url)
	case "pq":
		runPq(url)
	}
}
