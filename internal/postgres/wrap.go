package postgres

import (
	"fmt"

	"github.com/abn-studio/studio/annotator"
)

// wrap adds to err what was being done; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// changed wraps the error of an update of one row; annotator.ErrNotFound if it changed no row.
func changed(n int64, err error, format string, args ...any) error {
	if err == nil && n == 0 {
		err = annotator.ErrNotFound
	}
	return wrap(err, format, args...)
}
