package postgres

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// naming names the column of a value that the domain's checks let through and PostgreSQL cannot store. The error is then also a
// *annotator.ValidationError, with the column as its field.
type naming struct{ querier }

// Exec implements querier.
func (n naming) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := n.querier.Exec(ctx, sql, args...)
	return tag, refused(err, sql, args)
}

// Query implements querier.
func (n naming) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := n.querier.Query(ctx, sql, args...)
	if err != nil {
		return rows, refused(err, sql, args)
	}
	return namingRows{rows, sql, args}, nil
}

// QueryRow implements querier.
func (n naming) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return namingRow{n.querier.QueryRow(ctx, sql, args...), sql, args}
}

// CopyFrom implements querier.
func (n naming) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	rows, err := n.querier.CopyFrom(ctx, table, columns, source)
	return rows, refused(err, "", nil)
}

type namingRows struct {
	pgx.Rows
	sql  string
	args []any
}

// Err implements pgx.Rows.
func (r namingRows) Err() error { return refused(r.Rows.Err(), r.sql, r.args) }

type namingRow struct {
	pgx.Row
	sql  string
	args []any
}

// Scan implements pgx.Row.
func (r namingRow) Scan(to ...any) error { return refused(r.Row.Scan(to...), r.sql, r.args) }

// refusedError is the error of a value that the database cannot store: the *ValidationError for the sender and PostgreSQL's own error.
type refusedError struct {
	invalid *annotator.ValidationError
	err     error
}

func (e *refusedError) Error() string   { return e.invalid.Error() + " (" + e.err.Error() + ")" }
func (e *refusedError) Unwrap() []error { return []error{e.invalid, e.err} }

// refused turns an error about a value that is not valid text, out of its column's range, or against a constraint of its column into a
// *refusedError, which names the column. Other errors are returned as they are.
func refused(err error, sql string, args []any) error {
	if err == nil {
		return nil
	}
	invalid := func(field, message string) error {
		return &refusedError{&annotator.ValidationError{Field: field, Message: message}, err}
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		// pgx itself refuses a value that its column's type cannot hold, with an error that has no type of its own.
		if m := unencodable.FindStringSubmatch(err.Error()); m != nil {
			n, _ := strconv.Atoi(m[1])
			return invalid(fieldOf(sql, n+1), "is out of range")
		}
		return err
	}
	switch pg.Code {
	case "22021", "22P05": // character_not_in_repertoire, untranslatable_character
		for i, arg := range args {
			if !validText(arg) {
				return invalid(fieldOf(sql, i+1), text.Problem)
			}
		}
		return invalid(fieldAt(pg, sql), text.Problem)
	case "22003": // numeric_value_out_of_range
		return invalid(fieldAt(pg, sql), "is out of range")
	case "22P02": // invalid_text_representation
		return invalid(fieldAt(pg, sql), "is not of its column's form")
	case "54000": // program_limit_exceeded: the value is too long for an index
		return invalid(fieldAt(pg, sql), text.TooLong)
	case "54001": // statement_too_complex
		return invalid(fieldAt(pg, sql), "is nested too deeply")
	case "23514": // check_violation
		if pg.ConstraintName == "projects_open" {
			return &annotator.ClosedError{Slug: pg.Detail}
		}
		field := strings.TrimSuffix(strings.TrimPrefix(pg.ConstraintName, pg.TableName+"_"), "_check")
		return invalid(field, "is against a rule of the studio's data ("+pg.ConstraintName+")")
	}
	return err
}

var (
	unencodable = regexp.MustCompile(`failed to encode args\[(\d+)\]`)
	parameter   = regexp.MustCompile(`parameter \$(\d+)`)
	copied      = regexp.MustCompile(`^COPY \w+, line \d+, column (\w+)`)
)

// fieldAt returns the column that PostgreSQL's error says it was reading.
func fieldAt(pg *pgconn.PgError, sql string) string {
	if pg.ColumnName != "" {
		return pg.ColumnName
	}
	if m := copied.FindStringSubmatch(pg.Where); m != nil {
		return m[1]
	}
	if m := parameter.FindStringSubmatch(pg.Where); m != nil {
		n, _ := strconv.Atoi(m[1])
		return fieldOf(sql, n)
	}
	return "value"
}

var inserted = regexp.MustCompile(`(?is)INSERT\s+INTO\s+\w+\s*\(([^)]*)\)\s*(?:VALUES\s*\(|SELECT\s)(.*)`)

// fieldOf returns the column that a statement's n-th parameter is compared with or written to; "value" if that cannot be told.
func fieldOf(sql string, n int) string {
	mark := regexp.QuoteMeta("$" + strconv.Itoa(n))
	compared := regexp.MustCompile(`(?i)(\w+)\)?\s*(?:=|<>|<=|>=|<|>|~|\bI?LIKE\b)\s*(?:\w+\()?` + mark + `\b`)
	if m := compared.FindStringSubmatch(sql); m != nil {
		return m[1]
	}
	if m := inserted.FindStringSubmatch(sql); m != nil {
		own, columns := regexp.MustCompile(mark+`\b`), strings.Split(m[1], ",")
		for i, value := range topLevel(m[2]) {
			if i < len(columns) && own.MatchString(value) {
				return strings.TrimSpace(columns[i])
			}
		}
	}
	return "value"
}

// topLevel splits a list of SQL expressions at the commas outside parentheses.
func topLevel(list string) []string {
	var out []string
	depth, start := 0, 0
	for i, c := range list {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return append(out, list[start:i])
			}
		case ',':
			if depth == 0 {
				out, start = append(out, list[start:i]), i+1
			}
		}
	}
	return append(out, list[start:])
}

// validText reports whether an argument's strings are valid text; true for an argument without strings.
func validText(arg any) bool {
	v := reflect.ValueOf(arg)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return text.Valid(v.String())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			return text.Valid(fmt.Sprint(arg))
		}
	}
	return true
}
