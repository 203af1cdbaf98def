// Package migrations holds the database schema as numbered goose SQL, one concern a file. The rules
// of the domain that a row can break are constraints and triggers here, so that no program,
// whichever version it is, can store a state the studio does not know.
package migrations

import "embed"

// FS holds the files in order of their numbers.
//
//go:embed *.sql
var FS embed.FS
