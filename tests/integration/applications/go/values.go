package main

import (
	"fmt"
	"strings"
	"time"
)

// A value of each column of the table `kinds`, in its order. Each holds a canary where its type has room.
type column struct {
	name     string
	value    any
	searched bool // deterministic
}

var stamp = time.Date(1973, 3, 31, 3, 31, 19, 733_000_000, time.UTC)

func names(kinds []column) string {
	all := make([]string, len(kinds))
	for i, kind := range kinds {
		all[i] = kind.name
	}
	return strings.Join(all, ", ")
}

func places(kinds []column) string {
	all := make([]string, len(kinds))
	for i := range kinds {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(all, ", ")
}

func values(kinds []column) []any {
	all := make([]any, len(kinds))
	for i, kind := range kinds {
		all[i] = kind.value
	}
	return all
}
